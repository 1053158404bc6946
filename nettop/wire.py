"""Delta ↔ bytes: one JSON object a line, tables column by column.

Columns and not rows, because it is many times faster in plain Python (the C encoder runs through lists of numbers) and
smaller: a column that says the same in every row is said once, and values that repeat are said once and then numbered.
The reader holds each only once then: 10 MB less for 40,000 sockets.

    {"v": 1, "key": true, "complete": false, "time": 1.7e9, "clock": 12.5, "events": {"n": 0}, "skipped": 0,
     "tables": {"sockets": {"id": [7, 8, 9], "gone": [], "netns": {"all": 4026531840}, "lport": [22, 80, null],
                            "local": {"of": ["::1", "::"], "at": [0, 0, 1]}, "rport": {"u2": "AFAAUAG7"}, ...}}}

Many numbers go as an array in base64, `u1` to `u8` by their width in bytes: half the time and half the size.

The answer to a request (see `requests`) is a line of its own, with "answer" instead of tables.

Self-describing, so that a recording or a remote end can be read years later, and never trusted: whatever is not a known
table, a column of the right type and length or a number in range raises `WireError`, and nothing of the line is used.
"""

from __future__ import annotations

import binascii
import contextlib
import functools
import itertools
import json
import math
import sys
from array import array
from typing import (
    Any,
    Callable,
    Dict,
    FrozenSet,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Type,
    Union,
    get_type_hints,
)

from nettop.model import TABLES, Change, Delta, Event, Owner
from nettop.requests import Reply, RequestError, answer_fields, parse_reply

VERSION = 1
MAX_LINE = 32 << 20
"""Bytes; a part of 1,000 rows takes some 250 KB, a reader refuses what is longer."""
MAX_ROWS = 100_000
"""Rows of one table, or ids that are gone, in one line: what is the same in every row takes no space to claim it."""
MAX_EVENTS = 10_000
"""Events of one line: they have no ids, so that their number is a mere claim."""

_LOWEST, _HIGHEST = -(1 << 63), (1 << 64) - 1
MAX_TEXT = 1 << 16
"""Characters of one text: a command line is cut at 4,096 where it is read."""


class WireError(ValueError):
    """What was read is not a Delta this version understands; says what is wrong with it."""


def encode(delta: Delta) -> bytes:
    """One Delta as one line, newline included."""
    tables: Dict[str, Any] = {}
    for table, change in delta.changes.items():
        columns = _pack(TABLES[table], list(change.rows.values()))
        tables[table] = {"id": _compact(list(change.rows)), "gone": _compact(change.gone), **columns}
    line = {
        "v": VERSION,
        "key": delta.key,
        "complete": delta.complete,
        "time": delta.time,
        "clock": delta.clock,
        "tables": tables,
        "events": {"n": len(delta.events), **_pack(Event, delta.events)},
        "skipped": delta.events_skipped,
    }
    return _dumps(line).encode() + b"\n"


def decode(line: bytes) -> Delta:
    """The Delta a line says; raises `WireError` with the reason where it says none."""
    return _delta(_said(line))


def encode_reply(reply: Reply) -> bytes:
    """The answer to a request as one line, newline included."""
    return _dumps({"v": VERSION, **answer_fields(reply)}).encode() + b"\n"


def hear(line: bytes) -> Union[Delta, Reply]:
    """As `decode`, for a stream on which requests are answered: answers stand between two lines of the Deltas."""
    said = _said(line)
    if "answer" not in said:
        return _delta(said)
    try:
        return parse_reply(said, len(line))
    except RequestError as error:
        raise WireError(str(error)) from None


def _said(line: bytes) -> Dict[str, Any]:
    """The object of a line, of this version."""
    if len(line) > MAX_LINE:
        raise WireError(f"line of {len(line)} bytes, more than {MAX_LINE}")
    try:
        said = _loads(line.decode())
    except (ValueError, RecursionError) as error:
        raise WireError(f"not JSON: {error}") from None
    if not isinstance(said, dict):
        raise WireError("not an object")
    if said.get("v") != VERSION:
        raise WireError(f"version {_brief(said.get('v'))}, this nettop reads {VERSION}")
    return said


def _delta(said: Dict[str, Any]) -> Delta:
    try:
        changes = {table: _change(table, _object(part)) for table, part in _object(said["tables"]).items()}
        events = _object(said["events"])
        return Delta(
            key=_flag(said["key"]),
            complete=_flag(said["complete"]),
            time=_float(said["time"]),
            clock=_float(said["clock"]),
            changes=changes,
            events=tuple(_unpack(Event, events, _count(events["n"], MAX_EVENTS))),
            events_skipped=_count(said["skipped"], _HIGHEST),
        )
    except KeyError as error:
        raise WireError(f"{error} is missing") from None


_dumps = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_loads = json.JSONDecoder().decode


# --- packing: rows to columns ----------------------------------------------------------------------------------------


def _pack(row: Type[Any], rows: Sequence[Any]) -> Dict[str, Any]:
    pack = {"holders": _flatten}
    return {name: pack.get(name, _squeeze)(column) for name, column in zip(row._fields, zip(*rows))}


def _squeeze(column: Tuple[Any, ...]) -> Any:
    first = column[0]
    if first == column[-1] and column.count(first) == len(column):
        return {"all": first}
    if isinstance(first, (str, int, type(None))) and len(set(column[:_SAMPLE])) * 2 <= min(len(column), _SAMPLE):
        different = dict.fromkeys(column)
        if len(different) * 2 <= len(column):
            return {"of": _compact(list(different)), "at": _places(column, different)}
    return _compact(column)


def _places(column: Tuple[Any, ...], values: Iterable[Any]) -> Any:
    """Where among these values each of a column stands."""
    numbers = {value: number for number, value in enumerate(values)}
    places = map(numbers.__getitem__, column)
    if len(column) >= _FEW and len(numbers) <= 1 << 8:
        return {"u1": _base64(bytes(places))}  # as `_compact` would, in two thirds of the time
    return _compact(list(places))


_SAMPLE = 50
"""Values that show whether it is worth while to look at all."""
_FEW = 8
"""Numbers that are as well written out."""


def _compact(values: Sequence[Any]) -> Any:
    """Unsigned numbers as an array of the narrowest width, in base64; as they are, where some are something else."""
    if len(values) >= _FEW and type(values[0]) is int:
        with contextlib.suppress(TypeError):  # one is None
            for width, code in _WIDTHS.items():
                with contextlib.suppress(OverflowError):  # at the first that is too large, or negative
                    return {width: _base64(_little(array(code, values)))}
    return values


def _base64(data: Union[bytes, array[int]]) -> str:
    return binascii.b2a_base64(data, newline=False).decode()


_WIDTHS = {"u1": "B", "u2": "H", "u4": "I", "u8": "Q"}
"""Key of a compact array → type code: unsigned, so many bytes each, the lowest first."""


def _little(numbers: array[int]) -> array[int]:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


# --- unpacking: columns to rows, checked -----------------------------------------------------------------------------


def _change(table: str, said: Dict[str, Any]) -> Change:
    row = TABLES.get(table)
    if row is None:
        raise WireError(f"no table {_brief(table)}")
    ids = _numbers(said["id"])
    rows = dict(zip(ids, _unpack(row, said, len(ids))))
    if len(rows) != len(ids):
        raise WireError(f"{table} has two rows of one id")
    return Change(rows, _numbers(said["gone"]))


def _unpack(row: Type[Any], said: Dict[str, Any], count: int) -> List[Any]:
    if not count:
        return []
    columns = [_column(row, name, said[name], count) for name in row._fields]
    # what _make does, without a Python frame a row: the columns are as many as the row's, and checked
    return list(map(functools.partial(tuple.__new__, row), zip(*columns)))


def _column(row: Type[Any], name: str, said: Any, count: int) -> Sequence[Any]:
    """One column, `count` long, of the types its row declares."""
    form = said.keys() if isinstance(said, dict) else ()
    if "each" in form:
        values: List[Any] = _owners(said) if name == "holders" else _list(said)
    else:
        values = _checked(row, name, [said["all"]] if "all" in form else said["of"] if "of" in form else said)
    if "all" in form:
        return values * count
    if "of" in form:
        places = _numbers(said["at"])
        try:  # none is negative
            values = list(map(values.__getitem__, places))
        except IndexError:
            raise WireError(f"{row.__name__}.{name} refers to values that are not there") from None
    if len(values) != count:
        raise WireError(f"{row.__name__}.{name} has {len(values)} values for {count} rows")
    return values


def _checked(row: Type[Any], name: str, said: Any) -> List[Any]:
    """The values of a column, converted where they are lists; raises where one is not what the row declares."""
    allowed, convert = _TYPES[row][name]
    values = _list(said)
    if isinstance(said, dict) and int in allowed:
        return values  # compact: numbers, and in range
    found = set(map(type, values))
    if not found <= allowed:
        wrong = min(t.__name__ for t in found - allowed)
        raise WireError(f"{row.__name__}.{name} may not be {wrong}")
    if int in found:
        numbers = values if len(found) == 1 else list(filter(None, values))
        if numbers and not _LOWEST <= min(numbers) <= max(numbers) <= _HIGHEST:
            raise WireError(f"{row.__name__}.{name} is out of range")
    if float in found and not all(map(math.isfinite, filter(None, values))):
        raise WireError(f"{row.__name__}.{name} is not a number")
    if str in found and max(map(len, filter(None, values)), default=0) > MAX_TEXT:
        raise WireError(f"{row.__name__}.{name} is longer than {MAX_TEXT}")
    return values if convert is None else convert(values)


def _flatten(column: Sequence[Tuple[Owner, ...]]) -> Dict[str, Any]:
    """Tuples of owners: how many there are in each, and the columns of all of them."""
    owners = list(itertools.chain.from_iterable(column))
    turned = zip(*owners) if owners else ((),) * len(Owner._fields)
    fields = {name: _compact(list(values)) for name, values in zip(Owner._fields, turned)}
    return {"each": _compact(list(map(len, column))), **fields}


def _owners(said: Any) -> List[Tuple[Owner, ...]]:
    """What `_flatten` made, as it was."""
    said = _object(said)
    each, columns = _numbers(said["each"]), [_numbers(said[name]) for name in Owner._fields]
    if set(map(len, columns)) != {sum(each)}:
        raise WireError("not as many owners as are claimed")
    # one object for each number: the 20 sockets of a process share its pid and start time
    once = {number: number for number in itertools.chain.from_iterable(columns)}.__getitem__
    owners = map(functools.partial(tuple.__new__, Owner), zip(*(map(once, column) for column in columns)))
    if each.count(1) == len(each):  # nearly always
        return list(zip(owners))
    return [tuple(itertools.islice(owners, count)) for count in each]


def _texts(column: List[List[Any]]) -> List[Tuple[str, ...]]:
    texts = list(itertools.chain.from_iterable(column))
    if not (set(map(type, texts)) <= {str} and max(map(len, texts), default=0) <= MAX_TEXT):
        raise WireError("a list of texts is expected")
    return [tuple(texts) for texts in column]


_Checks = Mapping[str, Tuple[FrozenSet[type], Optional[Callable[[Any], Any]]]]
_LISTS: Mapping[str, Callable[[List[Any]], Any]] = {"addresses": _texts, "labels": _texts}


def _types(row: Type[Any]) -> _Checks:
    """Column → the types its values may have in JSON, exactly (a bool is no int), and how to convert a column."""
    checks = {}
    for name, hint in get_type_hints(row).items():
        options = hint.__args__ if getattr(hint, "__origin__", None) is Union else (hint,)
        allowed = {getattr(option, "__origin__", option) for option in options}
        if float in allowed:
            allowed.add(int)
        checks[name] = (frozenset(list if t is tuple else t for t in allowed), _LISTS.get(name))
    return checks


_TYPES: Mapping[Type[Any], _Checks] = {row: _types(row) for row in (*TABLES.values(), Event)}


def _object(said: Any) -> Dict[str, Any]:
    if not isinstance(said, dict):
        raise WireError("an object is expected")
    return said


def _list(said: Any) -> List[Any]:
    """A list, written out or compact."""
    if isinstance(said, dict):
        said = _expanded(said)
    if not isinstance(said, list):
        raise WireError("a list is expected")
    if len(said) > MAX_ROWS:
        raise WireError(f"a list of more than {MAX_ROWS}")
    return said


def _expanded(said: Dict[str, Any]) -> List[int]:
    """What `_compact` made of a list of numbers."""
    width, text = next(iter(said.items()), (None, None))
    if width not in _WIDTHS or not isinstance(text, str):
        raise WireError("a list is expected")
    numbers = array(_WIDTHS[width])
    try:
        numbers.frombytes(binascii.a2b_base64(text))
    except ValueError:
        raise WireError("a list is cut short") from None
    return _little(numbers).tolist()


def _numbers(said: Any) -> List[int]:
    numbers: List[int] = _list(said)
    if isinstance(said, dict):
        return numbers  # compact: they cannot be anything else
    if not set(map(type, numbers)) <= {int} or (numbers and not 0 <= min(numbers) <= max(numbers) <= _HIGHEST):
        raise WireError("a list of numbers from 0 on is expected")
    return numbers


def _flag(said: Any) -> bool:
    if not isinstance(said, bool):
        raise WireError("true or false is expected")
    return said


def _float(said: Any) -> float:
    if type(said) not in (int, float) or not -1e12 < said < 1e12:
        raise WireError("a time is expected")
    return float(said)


def _count(said: Any, most: int) -> int:
    if type(said) is not int or not 0 <= said <= most:
        raise WireError("a count is expected")
    return said


def _brief(said: Any) -> str:
    """The beginning of what was said instead, harmless to print."""
    return ascii(said)[:40]
