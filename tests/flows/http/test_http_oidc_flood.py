"""A provider that is in trouble is not drowned by those who would sign in, nor are they kept waiting in a row."""

import asyncio
from dataclasses import replace

import httpx2

from http_face import serving


async def test_those_who_come_together_ask_the_provider_once(booted):
    asked = 0

    async def fail(reader, writer):
        nonlocal asked
        await reader.readuntil(b"\r\n\r\n")
        asked += 1
        await asyncio.sleep(0.2)
        writer.write(b"HTTP/1.1 500 Broken\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        writer.close()

    provider = await asyncio.start_server(fail, "127.0.0.1", 0)
    issuer = f"http://127.0.0.1:{provider.sockets[0].getsockname()[1]}"
    house = {"name": "house", "issuer": issuer, "client_id": "x"}
    async with (
        provider,
        serving(replace(booted, server=None), oidc=[house]) as base,
        httpx2.AsyncClient(base_url=base, timeout=30) as http,
    ):
        answers = await asyncio.gather(*(http.get("/login/oidc/house") for _ in range(20)))
        assert [answer.status_code for answer in answers] == [503] * 20
        assert asked == 1
        await asyncio.sleep(1.1)
        assert (await http.get("/login/oidc/house")).status_code == 503
        assert asked == 2  # a moment later it is tried again
