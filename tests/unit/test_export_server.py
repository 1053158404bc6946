"""The HTTP side: what scrapes gets an answer, and who dawdles or lies holds up nobody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop.export import server
from nettop.export.server import MOST_CLIENTS, Server

BODY = b"nettop_rx_bytes_total 1.0\n"


def told(accept: str) -> tuple[str, bytes]:
    """Metrics that say what was asked for."""
    return f"text/plain; asked={accept.strip()}", BODY


@asynccontextmanager
async def serving(metrics: server.Metrics = told) -> AsyncIterator[int]:
    """The port of a server."""
    listening = await Server(metrics).listen("127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def ask(port: int, request: bytes) -> bytes:
    """The whole answer to a request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


def get(target: str = "/metrics", method: str = "GET", *fields: str) -> bytes:
    return "\r\n".join((f"{method} {target} HTTP/1.1", "Host: here", *fields, "", "")).encode()


def status(answer: bytes) -> int:
    return int(answer.split(b" ")[1])


async def test_a_scrape_gets_the_metrics() -> None:
    async with serving() as port:
        head, _, body = (await ask(port, get("/metrics?x=1", "GET", "accept: text/plain;q=0.5"))).partition(b"\r\n\r\n")
    assert body == BODY
    assert b"Content-Type: text/plain; asked=text/plain;q=0.5\r\n" in head
    assert b"Content-Length: %d\r\n" % len(BODY) in head


async def test_head_has_no_body() -> None:
    async with serving() as port:
        answer = await ask(port, get(method="HEAD"))
    assert status(answer) == 200
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (get("/"), 200),
        (get("/favicon.ico"), 404),
        (get(method="POST"), 405),
        (b"GET /metrics\r\n\r\n", 400),
        (b"\x16\x03\x01\x00\r\n\r\n", 400),
        (b"\xff\xfe\r\n\r\n", 400),
    ],
)
async def test_other_requests_are_refused(request_: bytes, expected: int) -> None:
    async with serving() as port:
        assert status(await ask(port, request_)) == expected


async def test_before_the_first_picture_there_is_nothing_to_tell() -> None:
    async with serving(lambda _: None) as port:
        assert status(await ask(port, get())) == 503


async def test_a_request_without_an_end_is_not_listened_to_for_ever() -> None:
    async with serving() as port:
        assert await ask(port, b"GET /" + b"a" * 100_000) == b""
        assert status(await ask(port, get())) == 200


async def test_a_client_that_says_nothing_is_shown_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "PATIENCE", 0.2)
    async with serving() as port:
        began = time.monotonic()
        assert await ask(port, b"GET /met") == b""
        assert time.monotonic() - began < 5


async def test_a_client_that_does_not_read_is_shown_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "PATIENCE", 0.2)
    body = b"x" * (32 << 20)
    async with serving(lambda _: ("text/plain", body)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 10)
        writer.write(get())
        await reader.read(1)
        async with asyncio.timeout(10):
            while len(asyncio.all_tasks()) > 1:  # whoever serves this client
                await asyncio.sleep(0.01)
        assert len(await reader.read()) < len(body)
        writer.close()


async def test_however_many_say_nothing_a_scrape_is_answered_at_once() -> None:
    async with serving() as port:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4 * MOST_CLIENTS)]
        assert status(await asyncio.wait_for(ask(port, get()), 5)) == 200
        oldest, youngest = idle[0][0], idle[-1][0]
        assert await asyncio.wait_for(oldest.read(), 5) == b""
        assert not youngest.at_eof()
        for _, writer in idle:
            writer.close()


@given(st.binary(max_size=200))
def test_any_bytes_make_an_answer_of_http(head: bytes) -> None:
    answer = Server(told)._answer(head)  # noqa: SLF001
    first, *fields = answer.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert first.startswith(b"HTTP/1.1 ")
    assert [field.partition(b":")[0] for field in fields] == [
        b"Content-Type",
        b"Content-Length",
        b"X-Content-Type-Options",
        b"Connection",
    ]
