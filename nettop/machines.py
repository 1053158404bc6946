"""Several machines in one picture: whose a number is.

What a kernel or a collector numbers (rows, namespaces, the start times that tell processes of one pid apart) means
something on its own machine only. Where several are watched, each such number bears the number of its machine in the
bits from 56 up: two machines' rows, processes and namespaces are never taken for each other, and a request names its
machine by what it asks for. Machines count from 1; of one alone all numbers are as they came.

    machine (bits 56 and up) | connection to it (40 to 55) | number of the row
    machine                  | inode of a namespace, or ticks after boot
"""

from __future__ import annotations

from typing import Any

from nettop.model import Event

_MACHINE = 56
_STREAM = 40
_STREAMS = 1 << _MACHINE - _STREAM
MOST_ROWS = 1 << _STREAM
"""Row ids are below: at 10,000 new rows a second that is enough for three years."""
MOST_TICKS = 1 << _MACHINE
"""Start times are."""
MOST_INODES = 1 << 32
"""Inodes of namespaces are (`struct ns_common`, linux/ns_common.h)."""


def first_number(machine: int, stream: int = 0) -> int:
    """What to add to the numbers of a machine; to its row ids, those of the `stream`th connection to it: a collector
    that begins anew numbers other rows alike."""
    return (machine << _MACHINE) + (stream % _STREAMS << _STREAM)


def machine_of(number: int) -> int:
    """The machine that a row id, a start time or the inode of a namespace is of; 0 where there is only one."""
    return number >> _MACHINE


def stream_of(row_id: int) -> int:
    """The same for the rows of one connection to one machine."""
    return row_id >> _STREAM


def own_number(number: int) -> int:
    """The number as its machine knows it: a start time, or the inode of a namespace."""
    return number & MOST_TICKS - 1


def own_netns(netns: int | None) -> int | None:
    """The inode of a namespace as its machine knows it; None where it is not known."""
    return None if netns is None else own_number(netns) or None


def machine_of_row(row: Any) -> int:
    """The machine a row of any view is of. An event has no id of its own: its namespace tells, also where that is not
    known."""
    return machine_of((row.netns or 0) if isinstance(row, Event) else row.id)
