"""What may come next in a filter: fields, operators, values that rows have, and filters with a name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from nettop.fields import Field, Kind, View
from nettop.format import safe
from nettop.query import ss
from nettop.tui.lists.pace import Pace

MOST = 12
"""Suggestions made; no line has room for more."""

MOST_VALUES = 4096
"""Different values of a field that are counted; of more, such as the addresses of an attack, the first ones are."""

WORDS = ("comm", "state", "proto", "netns_name", "user", "container", "unit", "kind")
"""Fields whose values are suggested for a bare word."""

IDS = ("pid", "ppid", "tid", "uid", "fd", "netns", "inode", "cookie", "mark", "cgroup")
"""Numbers that are names: none is more than another."""

Values = Mapping[str, Sequence[str]]
"""Field name → the values rows have, the most frequent first."""


class Suggestion(NamedTuple):
    """One way to go on."""

    text: str
    """Takes the place of the part of the filter it completes."""
    help: str = ""
    """What it means, safe for the terminal."""


class Completion(NamedTuple):
    """What may take the place of the end of a filter."""

    start: int
    """Where that part begins."""
    suggestions: tuple[Suggestion, ...]
    needs: tuple[str, ...] = ()
    """Fields whose values would tell more."""


_PART = re.compile(r'(?:[^\s()"!]|!(?==))*$')
_COMPARISON = re.compile(r"([a-z_]\w*)(!=|<=|>=|==|[:=<>~])(.*)", re.ASCII)
_PHRASE = re.compile(rf"(?:^|[\s(!])({'|'.join(('state', 'exclude', *ss.ENDS))})\s+$")
_PLAIN = re.compile(r'[^\s(),"=<>~!/][^\s(),"]*')

_MEANT: Mapping[str, str] = {
    "exclude": "state",
    "netns": "netns_name",
    "src": "local",
    "host": "remote",
    "addr": "remote",
    "dst": "remote",
    **{alias: names[-1] for alias, names in ss.ALIASES.items()},
}
"""Words of a filter → the field whose values come after them."""

_EXAMPLES: Mapping[Kind, tuple[str, ...]] = {
    Kind.BYTES: ("10k", "1M", "100M"),
    Kind.RATE: ("1k", "100k", "1M"),
    Kind.FREQUENCY: ("1", "10"),
    Kind.SECONDS: ("10s", "5m", "1h"),
    Kind.MILLISECONDS: ("10ms", "50ms", "200ms"),
    Kind.PERCENT: ("1", "10", "50"),
    Kind.TIME: ("-1m", "-5m", "-1h"),
}


def complete(text: str, view: View, values: Values, saved: Mapping[str, str]) -> Completion:
    """What may take the place of the last part of a filter: `saved` ones by name, fields, operators, values.

    Nothing within quotes, nor for what is complete as it is.
    """
    found = _PART.search(text)
    if text.replace('\\"', "").count('"') % 2 or found is None:
        return Completion(len(text), ())
    start, part = found.start(), found[0]
    words = ss.understood_by(view)
    if comparison := _COMPARISON.fullmatch(part):
        name, operator, rest = comparison.groups()
        field = view.fields.get(_MEANT.get(name, name) if words or name == "netns" else name)
        start += comparison.start(3) + rest.rfind(",") + 1
        return _values(start, text[start:], field, operator, values)
    if words and (phrase := _PHRASE.search(text[:start])):
        return _values(start, part, view.fields.get(_MEANT.get(phrase[1], phrase[1])), "=", values)
    named = [Suggestion(saved[name], safe(name)) for name in saved if text.strip() == part and name.startswith(part)]
    if part in view.fields:
        more = [Suggestion(part + operator, meaning) for operator, meaning in _operators(view.fields[part])]
        return Completion(start, (*named, *more, *_fields(part, view), *_holding(part, view))[:MOST])
    if not part:
        return Completion(start, (*named, *_fields(part, view))[:MOST])
    needs = tuple(name for name in WORDS if name in view.fields)
    matching = [
        Suggestion(f"{name}={_quoted(value)}", view.fields[name].help)
        for name in needs
        for value in _beginning(part, values.get(name, ()))
    ]
    return Completion(start, (*named, *_fields(part, view), *matching, *_holding(part, view))[:MOST], needs)


def _values(start: int, part: str, field: Field | None, operator: str, values: Values) -> Completion:
    if field is None or operator == "~":
        return Completion(start, ())
    if field.kind in _EXAMPLES:
        examples = _EXAMPLES[field.kind] if not part else ()
        return Completion(start, tuple(Suggestion(example, field.help) for example in examples))
    if operator not in (":", "=", "==", "!="):
        return Completion(start, ())
    likely = values.get(field.name, ())
    wanted = [value for value in _beginning(part, likely) if value != part]
    if operator == ":" and part:
        wanted += [value for value in likely if part.lower() in value.lower() and value not in wanted]
    suggestions = tuple(Suggestion(_quoted(value), field.help) for value in wanted[:MOST] if value != part)
    return Completion(start, suggestions, (field.name,))


def _beginning(part: str, values: Sequence[str]) -> list[str]:
    """The values that begin so, smart-case as a filter."""
    if part != part.lower():
        return [value for value in values if value.startswith(part)]
    return [value for value in values if value.lower().startswith(part)]


def _fields(part: str, view: View) -> list[Suggestion]:
    """The fields whose names go on from there, those in sight first."""
    names = dict.fromkeys((*view.columns, *view.fields))
    return [_begun(view.fields[name]) for name in names if name.startswith(part) and name != part]


def _holding(part: str, view: View) -> list[Suggestion]:
    """The fields whose names have it further on; a single letter is nearly everywhere."""
    return [_begun(field) for name, field in view.fields.items() if len(part) > 1 and part in name[1:]]


def _begun(field: Field) -> Suggestion:
    return Suggestion(field.name + _operators(field)[0][0], field.help)


def _operators(field: Field) -> tuple[tuple[str, str], ...]:
    """What may stand behind a field and what it means, the likeliest first."""
    if not field.kind.numeric:
        return (":", "contains"), ("=", "is"), ("!=", "is not"), ("~", "matches the regular expression")
    less_or_more = (">", "more than"), ("<", "less than")
    equal = ("=", "is, as 80,443 or 1-1023"), ("!=", "is not")
    return (*equal, *less_or_more) if field.kind is Kind.PORT or field.name in IDS else (*less_or_more, *equal)


def _quoted(value: str) -> str:
    """The value as a filter takes it."""
    if _PLAIN.fullmatch(value) and value != "-":
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class Collector:
    """The values fields have in some rows: counted when they are first wanted, in slices."""

    def __init__(self, view: View, rows: Mapping[int, Any], now: float) -> None:
        """`rows` by id, of a picture of that time."""
        self.values: dict[str, Sequence[str]] = {}
        self._view = view
        self._rows = rows
        self._now = now

    def missing(self, names: Iterable[str]) -> list[str]:
        """Of these fields, those that are not counted yet."""
        return [name for name in names if name not in self.values]

    def collect(self, names: Iterable[str]) -> Iterator[None]:
        """Count the values of these fields; yields whenever a few milliseconds have been used."""
        pace = Pace()
        for name in self.missing(names):
            get, counted, now = self._view.fields[name].get, Counter[Any](), self._now
            for row in self._rows.values():
                value = get(row, now)
                if value in counted or len(counted) < MOST_VALUES:
                    counted[value] += 1
                if pace.spent:
                    yield
            texts = (str(value) for value, _ in counted.most_common() if not isinstance(value, tuple | None))
            # what no terminal can show cannot be typed either
            self.values[name] = [text for text in texts if text and safe(text) == text]
            yield
