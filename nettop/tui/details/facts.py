"""What a collector answers about one process or namespace, as far as it makes sense.

The answer may come from another host and another version: what is missing or of another form is not there, and every
text is safe for the terminal from here on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nettop import format as text
from nettop.requests import Answer

_LARGE = 1 << 10


class Limit(NamedTuple):
    """A resource limit; None is unlimited."""

    name: str
    soft: int | None
    hard: int | None
    unit: str

    def said(self, value: int | None) -> str:
        """One of its values, for a person."""
        if value is None:
            return "unlimited"
        if self.unit == "bytes" and value >= _LARGE:
            return f"{text.bytes_(value)}B"
        unit = {"us": " us", "seconds": " s", "bytes": " B"}.get(self.unit, "")
        return f"{value:,}{unit}"


class ProcessFacts:
    """The facts of `collector.inspect.inspect_process`."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._facts = facts
        self.unreadable = {name: text.safe(str(reason)) for name, reason in _object(facts.get("unreadable")).items()}
        """What may not be read, and why."""
        self.pids = [pid for pid in _list(facts.get("pids")) if isinstance(pid, int)]
        """In its pid namespaces, the outermost first."""
        memory, files = _object(facts.get("memory")), _object(facts.get("files"))
        self.peak, self.swapped = _number(memory.get("peak")), _number(memory.get("swapped"))
        self.io = {name: _number(value) for name, value in _object(facts.get("io")).items()}
        self.kinds = dict(_counts(files.get("kinds")))
        self.paths = [(fd, text.safe(str(path))) for fd, path in _rows(files.get("paths"), 2) if isinstance(fd, int)]
        """(fd, path) of open files that have a name."""
        self.more = bool(files.get("more"))
        self.limits = [
            Limit(text.safe(str(name)), _number(soft), _number(hard), text.safe(str(unit)))
            for name, soft, hard, unit in _rows(facts.get("limits"), 4)
        ]

    @classmethod
    def of(cls, answer: Answer | None) -> ProcessFacts | None:
        """The facts of an answer; None where it has none."""
        return cls(answer.facts) if answer is not None and isinstance(answer.facts, dict) else None

    def path(self, name: str) -> str | None:
        """exe, cwd or root; `-` where it may not be read, None where it has none."""
        if name in self.unreadable:
            return text.UNKNOWN
        path = self._facts.get(name)
        return text.safe(path) if isinstance(path, str) else None

    def limit(self, name: str) -> Limit | None:
        """A limit by its name."""
        return next((limit for limit in self.limits if limit.name == name), None)

    def thread_names(self) -> str:
        """What its threads are called, where there are several: `8 tokio, 1 main`."""
        names = _counts(self._facts.get("threads"))
        if sum(many for _, many in names) < 2:
            return ""
        return ", ".join(f"{many} {name}" for name, many in names[:4]) + (" ..." if len(names) > 4 else "")

    @property
    def files_note(self) -> str:
        """How many of its files have a name."""
        return f"{len(self.paths):,} with a name" if self.paths else ""


def environment(answer: Answer | None) -> tuple[list[tuple[str, str]], bool]:
    """(name, value) of every variable of an answer, and whether there are more than were read."""
    facts = _object(answer.facts) if answer is not None else {}
    pairs = [(text.safe(str(name)), text.safe(str(value))) for name, value in _rows(facts.get("variables"), 2)]
    return pairs, bool(facts.get("more"))


class Way(NamedTuple):
    """A route, as `collector.inspect.inspect_namespace` tells it."""

    to: str
    via: str | None
    interface: str | None
    source: str | None
    metric: int | None
    kind: str
    origin: str
    table: str


class Near(NamedTuple):
    """A neighbour."""

    address: str
    interface: str | None
    link: str | None
    state: str


class Surroundings(NamedTuple):
    """Routes and neighbours of a namespace."""

    routes: Sequence[Way]
    neighbours: Sequence[Near]
    more: bool
    """There are more than were read."""

    @classmethod
    def of(cls, answer: Answer | None) -> Surroundings | None:
        """The facts of an answer; None where it has none."""
        if answer is None or not isinstance(answer.facts, dict):
            return None
        facts = answer.facts
        routes = [
            Way(
                str(to),
                _text(via),
                _text(interface),
                _text(source),
                _number(metric),
                str(kind),
                str(origin),
                str(table),
            )
            for to, via, interface, source, metric, kind, origin, table in _rows(facts.get("routes"), 8)
        ]
        neighbours = [
            Near(str(address), _text(interface), _text(link), str(state))
            for address, interface, link, state in _rows(facts.get("neighbours"), 4)
        ]
        return cls(routes, neighbours, bool(facts.get("more")))


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _rows(value: Any, columns: int) -> Sequence[Any]:
    return [row for row in _list(value) if isinstance(row, list) and len(row) == columns]


def _counts(value: Any) -> list[tuple[str, int]]:
    return [(text.safe(name), many) for name, many in _object(value).items() if isinstance(many, int)]


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
