"""The export as it runs: pictures from a source, text for HTTP and for a file."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from typing import NamedTuple, Protocol

from prometheus_client.exposition import write_to_textfile

from nettop.export.account import Account
from nettop.export.exposition import Exposition
from nettop.export.server import Server
from nettop.snapshot import Snapshot

TEXTFILE_EVERY = 10.0
"""Seconds between two times that the file is written, of which node_exporter reads one in 15 or so."""


class Source(Protocol):
    """A stream of pictures: a live collector, a recording, another host."""

    async def run(self, show: Callable[[Snapshot], None], notice: Callable[[str | None], None]) -> None:
        """Call `show` with every picture, and `notice` with a sentence while the stream is broken, None when it is
        whole again, until cancelled; a source that returns has ended."""


class Outlets(NamedTuple):
    """Where the metrics go."""

    listen: tuple[str, int] | None
    """Host and port to serve them at."""
    textfile: str | None
    """Path of a file to write them to."""


def run(source: Source, outlets: Outlets, most: int, say: Callable[[str], None]) -> None:
    """Export what a source shows until it ends, or SIGINT or SIGTERM ends it.

    `most` names of a scope get series of their own; `say` is told in a sentence where the metrics are, and what goes
    wrong. Raises OSError where the address cannot be had.
    """
    asyncio.run(_export(source, outlets, most, say))


async def _export(source: Source, outlets: Outlets, most: int, say: Callable[[str], None]) -> None:
    exporter = _Exporter(outlets.textfile, most, say)
    servers = [await Server(exporter.text).listen(*outlets.listen)] if outlets.listen else []
    for host, port in (socket.getsockname()[:2] for server in servers for socket in server.sockets):
        say(f"metrics at http://{f'[{host}]' if ':' in host else host}:{port}/metrics")
    task = asyncio.ensure_future(source.run(exporter.show, exporter.notice))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
    for server in servers:
        server.close()


class _Exporter:
    """The account, and who is told of it."""

    def __init__(self, textfile: str | None, most: int, say: Callable[[str], None]) -> None:
        self._account = Account(most)
        self._exposition = Exposition(self._account)
        self._textfile = textfile
        self._say = say
        self._due = 0.0
        self._trouble: dict[str, str | None] = {}

    def text(self, accept: str) -> tuple[str, bytes] | None:
        """As `Exposition.text`; None before the first picture."""
        return self._exposition.text(accept) if self._account.pictures else None

    def show(self, snapshot: Snapshot) -> None:
        """A new picture."""
        self._account.take(snapshot)
        now = asyncio.get_running_loop().time()
        if self._textfile is not None and now >= self._due:
            self._due = now + TEXTFILE_EVERY
            self._write(self._textfile)

    def notice(self, sentence: str | None) -> None:
        """The stream is broken, or whole again."""
        self._tell("stream", sentence)

    def _write(self, path: str) -> None:
        """Replace the file as a whole: who reads it meanwhile reads the one before."""
        try:
            write_to_textfile(path, self._exposition)
        except OSError as error:
            self._tell("textfile", f"the file is not written: {error}")
        else:
            self._tell("textfile", None)

    def _tell(self, what: str, sentence: str | None) -> None:
        """Say what is wrong, each thing once for as long as it lasts."""
        if sentence is not None and sentence != self._trouble.get(what):
            self._say(sentence)
        self._trouble[what] = sentence
