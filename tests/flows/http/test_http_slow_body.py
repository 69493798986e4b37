"""A body that does not come is not waited for without end."""

import asyncio

import pytest

from tokenhouse.entrypoints.api import gate


async def test_a_body_that_does_not_come(client, monkeypatch):
    monkeypatch.setattr(gate, "BODY_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection(client.http.base_url.host, client.http.base_url.port)
    head = f"POST /v1/charges HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.key}\r\nContent-Length: 10\r\n\r\n"
    writer.write(head.encode() + b'{"a":')
    answer = await asyncio.wait_for(reader.readuntil(b"}"), 5)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"body_too_slow"' in answer
    writer.close()


async def test_another_cancellation_stays_one():
    async def never():
        await asyncio.sleep(60)

    task = asyncio.create_task(gate._body(None, never, asyncio.get_running_loop()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
