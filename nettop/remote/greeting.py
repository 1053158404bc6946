"""What is said at the other end of ssh before the stream begins.

A nettop that is there greets with an answer to request 0 and the words of a wire that this one may not know; so it is
asked first whether it speaks alike (`dialect`). Where there is none, the `command` asks for code, gets it, and that
greets. Before all that a shell may say whatever its startup files print.

Rests on nothing but Python 3.9 and the standard library.
"""

from __future__ import annotations

import zlib
from typing import Any, Mapping, Type

from nettop import __version__, wire
from nettop.model import TABLES, Event, Owner
from nettop.requests import KINDS, Answer, Reply

SEND_CODE = "nettop: send code"
"""The line by which a Python asks for it."""
OTHER_DIALECT = 3
"""The exit code of a nettop that speaks otherwise."""
UNASKED = 0
"""Number of the answer that is the greeting."""
_FAR = 1
"""Of what `far.main` takes."""


def dialect() -> str:
    """What both ends must say alike, in a word: the tables and their columns, the requests, what a far end is told."""
    said: Mapping[str, Type[Any]] = {**TABLES, "events": Event, "owners": Owner, **KINDS}
    columns = [(name, _columns(row)) for name, row in said.items()]
    return f"{zlib.crc32(repr((_FAR, wire.VERSION, columns)).encode()):08x}"


def greeting() -> bytes:
    """The first line of a far end; behind it comes the stream. Its own line, whatever was said before."""
    return b"\n" + wire.encode_reply(Reply(UNASKED, Answer(True, f"nettop {__version__}")))


def _columns(row: Type[Any]) -> str:
    types = row.__annotations__.items()
    return ",".join(f"{name}:{getattr(kind, '__forward_arg__', kind)}" for name, kind in types)
