"""What comes before, between and after bodies is bounded too: heads without an end, slow ones, endless trailers."""

import asyncio
import contextlib
import json

import pytest

from tokenhouse.entrypoints.cli import wire

PIECE = b"x-field: " + b"a" * 1000 + b"\r\n"
MOST_SENT = 8 << 20


async def connect(client):
    base = client.http.base_url
    return await asyncio.open_connection(base.host, base.port)


async def flood(client, start, piece):
    """Send a start and then pieces, until the service has enough: how many bytes it took, and what it said."""
    reader, writer = await connect(client)
    sent = len(start)
    answer = asyncio.create_task(reader.read())
    with contextlib.suppress(ConnectionError):
        writer.write(start)
        while sent < MOST_SENT and not answer.done():
            writer.write(piece * 16)
            sent += len(piece) * 16
            await writer.drain()
            await asyncio.sleep(0)
    writer.close()
    said = b""
    with contextlib.suppress(ConnectionError):
        said = await asyncio.wait_for(answer, 5)
    return sent, said


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"GET /livez HTTP/1.1\r\nHost: x\r\n", PIECE),
        (b"GET /livez HTTP/1.1\r\nx-one: ", b"a" * 1000),
        (b"GET /", b"a" * 1000),
        (b"", b"\r\n" * 500),
        (b"POST /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n", PIECE),
        (b"POST /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a" * 1000),
    ],
    ids=["fields", "a field", "the address", "empty lines", "trailers", "a chunk's extension"],
)
async def test_no_head_goes_on_for_ever(client, start, piece):
    sent, said = await flood(client, start, piece)
    assert sent < MOST_SENT
    if said.startswith(b"HTTP/1.1 431 "):
        assert json.loads(said.partition(b"\r\n\r\n")[2])["code"] == "head_too_large"
    else:
        assert not said or said.startswith(b"HTTP/1.1 400 ")


async def test_a_head_of_some_size_and_small_chunks_are_taken(client):
    reader, writer = await connect(client)
    many = b"".join(b"x-%d: %s\r\n" % (n, b"a" * 500) for n in range(100))
    chunks = b"1\r\n \r\n" * 200_000
    for _ in range(3):
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n" + many + b"\r\n")
        assert (await asyncio.wait_for(reader.readuntil(b"}"), 5)).startswith(b"HTTP/1.1 200 ")
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
        assert (await asyncio.wait_for(reader.readuntil(b"}"), 15)).startswith(b"HTTP/1.1 200 ")
    writer.close()


@pytest.mark.parametrize("said", [b"", b"\r\n", b"GET /livez HT", b"GET /livez HTTP/1.1\r\nHost: x\r\n"])
@pytest.mark.parametrize("before", [b"", b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_a_head_that_does_not_come_is_not_waited_for(client, monkeypatch, said, before):
    monkeypatch.setattr(wire, "HEAD_SECONDS", 0.3)
    reader, writer = await connect(client)
    if before:
        writer.write(before)
        assert (await asyncio.wait_for(reader.readuntil(b"}"), 5)).startswith(b"HTTP/1.1 200 ")
        if not said:
            await asyncio.sleep(0.5)  # between requests one may rest longer
            writer.write(before)
            assert (await asyncio.wait_for(reader.readuntil(b"}"), 5)).startswith(b"HTTP/1.1 200 ")
            return
    writer.write(said)
    assert await asyncio.wait_for(reader.read(), 3) == b""
    writer.close()


async def test_the_rest_of_a_body_that_nobody_reads_is_not_waited_for(client, monkeypatch):
    monkeypatch.setattr(wire, "HEAD_SECONDS", 0.3)
    reader, writer = await connect(client)
    writer.write(b"POST /v1/charges HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    assert (await asyncio.wait_for(reader.readuntil(b"}"), 5)).startswith(b"HTTP/1.1 401 ")
    writer.write(b'"a')
    assert await asyncio.wait_for(reader.read(), 3) == b""
    writer.close()
