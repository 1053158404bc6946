"""HTTP for whoever scrapes: one short answer a connection.

Nobody is waited for. A client has `PATIENCE` seconds from its first byte to its last; of too many the oldest is shown
the door, because one that scrapes is done in a moment. The text is made once a picture, however many ask. HTTP/1.1 is
RFC 9112; what is not needed of it is not here: one request a connection, no body.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus

PATIENCE = 10.0
"""Seconds a client may take to ask and to read; Prometheus gives up after as long."""
MOST_CLIENTS = 16
"""Clients at once."""
_MOST_HEAD = 8 << 10
"""Bytes of a request."""

Metrics = Callable[[str], tuple[str, bytes] | None]
"""Accept header → (Content-Type, body); None as long as there is nothing to tell."""
_Answer = tuple[HTTPStatus, str, bytes]

_TEXT = "text/plain; charset=utf-8"


class Server:
    """Metrics at `/metrics`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._clients: dict[asyncio.Task[None], None] = {}  # oldest first

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Serve at an address, all that a name stands for; port 0 is any that is free. Raises OSError."""
        return await asyncio.start_server(self._meet, host, port, limit=_MOST_HEAD)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a coroutine runs in a task"
        self._clients[task] = None
        if len(self._clients) > MOST_CLIENTS:
            next(iter(self._clients)).cancel()
        try:
            async with asyncio.timeout(PATIENCE):
                writer.write(self._answer(await reader.readuntil(b"\r\n\r\n")))
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError, asyncio.CancelledError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()
        finally:
            del self._clients[task]

    def _answer(self, head: bytes) -> bytes:
        """The whole response to the head of a request."""
        lines = head.decode("latin-1").split("\r\n")
        method, _, rest = lines[0].partition(" ")
        target, _, version = rest.partition(" ")
        if not version.startswith("HTTP/1."):
            status, kind, body = _say(HTTPStatus.BAD_REQUEST, "this is HTTP/1.1")
        elif method not in ("GET", "HEAD"):
            status, kind, body = _say(HTTPStatus.METHOD_NOT_ALLOWED, "GET and HEAD are understood")
        else:
            status, kind, body = self._page(target.partition("?")[0], _accepted(lines[1:]))
        fields = (
            f"HTTP/1.1 {status.value} {status.phrase}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
            "X-Content-Type-Options: nosniff",
            "Connection: close",
        )
        return "\r\n".join((*fields, "", "")).encode("latin-1") + (b"" if method == "HEAD" else body)

    def _page(self, path: str, accept: str) -> _Answer:
        if path == "/":
            return _say(HTTPStatus.OK, "nettop: what Prometheus reads is at /metrics")
        if path != "/metrics":
            return _say(HTTPStatus.NOT_FOUND, "there is nothing but /metrics")
        found = self._metrics(accept)
        if found is None:
            return _say(HTTPStatus.SERVICE_UNAVAILABLE, "the first picture is being taken")
        return HTTPStatus.OK, *found


def _say(status: HTTPStatus, sentence: str) -> _Answer:
    return status, _TEXT, f"{sentence}\n".encode()


def _accepted(fields: list[str]) -> str:
    """The value of the Accept header; empty without one."""
    for line in fields:
        name, _, value = line.partition(":")
        if name.lower() == "accept":
            return value
    return ""
