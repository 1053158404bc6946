"""Settings: a TOML file becomes a frozen `Config`. Each setting is described once, here, and `nettop config` prints it.

They are those of the full screen. The plain views read none: what a script prints depends on its arguments alone.
Without a file this costs next to nothing: what reads one is imported where there is one.

__init__.py  the settings and what each may be
files.py     where they are, also under sudo, and reading them
template.py  the commented default
session.py   what is remembered from one session to the next
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nettop.fields import VIEWS, unknown_field
from nettop.runtimes.places import PLACES

MAX_SIZE = 64 << 10
"""Bytes a configuration may have."""
MAX_LINE = 8 << 10
"""Bytes in one line: tomllib takes time by the square of the dots in a key."""
MAX_ENTRIES = 100
"""Entries a table may have: far more filters than anybody would look through."""
MAX_NAME = 40
"""Characters in the name of a filter."""
MAX_PLACES = 16
"""Places where a runtime is looked for."""
MAX_WORDS = 100
"""Words of a command."""
MAX_PATH = 255
"""Characters in one of them; the path of a socket has 107 at most (unix(7))."""

SHORTEST, LONGEST = 0.1, 3600.0
"""Seconds between two pictures, at least and at most."""

LEAST_CPU, MOST_CPU = 1.0, 1000.0
"""Percent of one processor that nettop may be told to keep to."""

THEMES = ("auto", "dark", "light", "colorblind", "ansi", "mono")


class ConfigError(Exception):
    """The settings cannot be understood; the message is one line: the file, where in it, and what to do."""


# --- what a setting may be -------------------------------------------------------------------------------------------

_Reader = Callable[[Any], Any]
"""Raw TOML value → the setting; ValueError says what it should be, after its name."""


def _setting(default: Any, help: str, read: _Reader, example: Mapping[str, Any] | None = None) -> Any:  # noqa: A002
    """A setting with its help; a table, which is empty by default, shows an `example`."""
    metadata = {"help": help, "read": read, "example": example}
    if isinstance(default, Mapping):
        return dataclasses.field(default_factory=dict, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def _number(least: float, most: float) -> _Reader:
    def read(raw: Any) -> float:
        if isinstance(raw, (int, float)) and not isinstance(raw, bool) and least <= raw <= most:
            return float(raw)
        raise ValueError(f"write a number from {least:g} to {most:g}")

    return read


def _one_of(*words: str) -> _Reader:
    def read(raw: Any) -> str:
        if isinstance(raw, str) and raw in words:
            return raw
        raise ValueError(_instead(raw, words, "write one of " + ", ".join(words)))

    return read


def _switch(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    raise ValueError("write true or false")


def _table(read: Callable[[str, Any], Any], names: Iterable[str] | None = None, what: str = "view") -> _Reader:
    """A table; `read` makes something of one entry, and where `names` are given, each of a `what`, no others may be in
    it."""
    known = None if names is None else tuple(names)

    def read_all(raw: Any) -> dict[str, Any]:
        if not isinstance(raw, dict):
            raise ValueError("write a table")
        if len(raw) > MAX_ENTRIES:
            raise ValueError(f"has more than {MAX_ENTRIES} entries; leave some out")
        entries = {}
        for name, value in raw.items():
            if known is not None and name not in known:
                raise ValueError(
                    f"no {what} is called {_quoted(name)}; {_instead(name, known, 'there are ' + ', '.join(known))}"
                )
            try:
                entries[name] = read(name, value)
            except ValueError as error:
                raise ValueError(f"{_quoted(name)}: {error}") from None
        return entries

    return read_all


def read_columns(view: str, raw: Any) -> tuple[str, ...]:
    """The names of fields of that view, each once; ValueError says what is wrong with `raw`."""
    names = _texts(raw)
    for name in names:
        if name not in VIEWS[view].fields:
            raise ValueError(unknown_field(name, VIEWS[view]))
    return tuple(dict.fromkeys(names))


def read_sort(view: str, raw: Any) -> str:
    """What rows of that view are sorted by, as `-s` takes it; ValueError says what is wrong with `raw`."""
    from nettop.order import parse_sort

    return str(parse_sort(_text(raw), VIEWS[view]))


def _filter(name: str, raw: Any) -> str:
    from nettop.query import QueryError, parse

    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise ValueError(f"a name has 1 to {MAX_NAME} characters that can be printed")
    expression = _text(raw)
    fault: QueryError | None = None
    for view in VIEWS.values():
        try:
            parse(expression, view)
        except QueryError as error:
            # the view that understands most of it is the one that was meant
            if fault is None or error.column > fault.column:
                fault = error
        else:
            return expression
    assert fault is not None, "there is a view"
    raise ValueError(f"column {fault.column + 1}: {fault}")


def _places(_runtime: str, raw: Any) -> tuple[str, ...]:
    paths = _texts([raw] if isinstance(raw, str) else raw)
    if len(paths) > MAX_PLACES:
        raise ValueError(f"has more than {MAX_PLACES} places; leave some out")
    for path in paths:
        if not path.startswith("/") or len(path) > MAX_PATH or not path.isprintable():
            raise ValueError(f"write paths that begin with / and have {MAX_PATH} characters at most")
    return paths


def _command(raw: Any) -> tuple[str, ...]:
    words = _texts([raw] if isinstance(raw, str) else raw)
    if len(words) > MAX_WORDS or not words[0] or "\0" in "".join(words):
        raise ValueError(f'write a command and its options, at most {MAX_WORDS} of them, ["ssh", "-F", "FILE"]')
    return words


def _keys(_command: str, raw: Any) -> tuple[str, ...]:
    return _texts([raw] if isinstance(raw, str) else raw)


def _text(raw: Any) -> str:
    if isinstance(raw, str):
        return raw
    raise ValueError('write a text in quotation marks, "..."')


def _texts(raw: Any) -> tuple[str, ...]:
    if isinstance(raw, list) and raw and all(isinstance(item, str) for item in raw):
        return tuple(raw)
    raise ValueError('write a list of texts, ["...", "..."]')


# --- the settings ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting; without a file, the defaults."""

    interval: float = _setting(
        1.0, "Seconds between two pictures, from 0.1 to 3600. `-d` overrules it.", _number(SHORTEST, LONGEST)
    )
    pane: str = _setting("processes", f"What to look at first: {', '.join(VIEWS)}.", _one_of(*VIEWS))
    theme: str = _setting(
        "auto",
        "Colours: dark, light, colorblind (256 of them, on their own background), ansi (the terminal's own 16),\n"
        "mono (none: bold, underlined, reversed). auto: dark, or what the terminal can show. `--theme` overrules it.",
        _one_of(*THEMES),
    )
    unicode: str = _setting(
        "auto", "Characters beyond ASCII: yes, no; auto: if the locale is a UTF-8 one.", _one_of("auto", "yes", "no")
    )
    mouse: str = _setting(
        "auto",
        "Whether the mouse moves the cursor: yes, no; auto: not over ssh, where each of its motions is sent.",
        _one_of("auto", "yes", "no"),
    )
    names: bool = _setting(False, "Begin with the names of services instead of port numbers.", _switch)
    resolve: bool = _setting(
        False,
        "Show the names of hosts, too, where names are shown: from /etc/hosts, and from name servers, which are\n"
        "asked for every address on the screen. `--resolve` begins with them.",
        _switch,
    )
    max_cpu: float = _setting(
        25.0,
        "Percent of one processor that nettop may use, from 1 to 1000: where pictures would take more they come more\n"
        "rarely, and the line above the table says so. `--max-cpu` overrules it.",
        _number(LEAST_CPU, MOST_CPU),
    )
    read_only: bool = _setting(
        False, "Look only: no signals, no closing of sockets. `--read-only` is the same.", _switch
    )
    remember: bool = _setting(
        False,
        "Begin where the last session ended: its pane, and the filter, columns and order of each. They are kept in\n"
        "$XDG_STATE_HOME/nettop/session.json, which is ~/.local/state/nettop/session.json if that is not set.",
        _switch,
    )
    ssh: tuple[str, ...] = _setting(
        ("ssh",), "What leads to another machine (`--host`): ssh, or a command that takes its arguments.", _command
    )
    columns: Mapping[str, tuple[str, ...]] = _setting(
        {},
        "Fields to show, for each view (`nettop fields` lists them). Unset, they are chosen for the width at hand.",
        _table(read_columns, VIEWS),
        {"connections": ["state", "local", "lport", "remote", "rport", "rx_rate", "tx_rate", "limit", "pid", "comm"]},
    )
    sort: Mapping[str, str] = _setting(
        {},
        "What each view is sorted by at first; a leading - is from the highest down.",
        _table(read_sort, VIEWS),
        {view.name: view.sort for view in VIEWS.values()},
    )
    filters: Mapping[str, str] = _setting(
        {},
        "Filters to choose by name, in the palette and while a filter is typed.",
        _table(_filter),
        {"slow": "rtt>200ms or retrans>0", "web": "port=80,443,8080", "not mine": "!user:root !comm:sshd"},
    )
    runtimes: Mapping[str, tuple[str, ...]] = _setting(
        {},
        "Where to ask what containers are called, instead of these places: sockets, for containerd its state\n"
        "directory; several as a list. * stands for any part of a name.",
        _table(_places, PLACES, "runtime"),
        {runtime: list(places) for runtime, places in PLACES.items()},
    )
    keys: Mapping[str, tuple[str, ...]] = _setting(
        {},
        "Keys of commands, instead of these: K, F7, Ctrl-x, Shift-Left, Space; several as a list.",
        _table(_keys),
    )


DEFAULTS = Config()


def parse_config(data: bytes, name: str) -> Config:
    """The settings in a TOML file of that name; what it does not set keeps its default. Raises ConfigError."""
    config, error = understand(data, name)
    if error is not None:
        raise error
    return config


def understand(data: bytes, name: str) -> tuple[Config, ConfigError | None]:
    """The settings of such a file as far as they can be understood, and the first thing that cannot: that keeps its
    default, and where the file is no TOML all do."""
    try:
        text, raw = _read_toml(data, name)
    except ConfigError as error:
        return Config(), error
    settings = {field.name: field for field in dataclasses.fields(Config)}
    values, first = {}, None
    for key, value in raw.items():
        try:
            if key not in settings:
                hint = _instead(key, settings, "`nettop config` lists the settings")
                raise ValueError(f"there is no setting {_quoted(key)}; {hint}")
            try:
                values[key] = settings[key].metadata["read"](value)
            except ValueError as error:
                raise ValueError(f"{key}: {_one_line(error)}") from None
        except ValueError as error:
            first = first or ConfigError(f"{name}{_line_of(key, text)}: {error}")
    return Config(**values), first


def _read_toml(data: bytes, name: str) -> tuple[str, Mapping[str, Any]]:
    """The text and what it says. Raises ConfigError."""
    import tomllib

    if len(data) > MAX_SIZE:
        raise ConfigError(f"{name}: more than {MAX_SIZE >> 10} KiB; settings need far less, is it the right file?")
    for number, line in enumerate(data.split(b"\n"), 1):
        if len(line) > MAX_LINE:
            raise ConfigError(f"{name}: line {number} is longer than {MAX_LINE >> 10} KiB; no setting needs that")
    try:
        text = data.decode()
        return text, tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name}: byte {error.start} is not UTF-8; save it as UTF-8") from None
    except RecursionError:
        raise ConfigError(f"{name}: nested too deeply; no setting needs that") from None
    except ValueError as error:  # TOMLDecodeError, or a number of thousands of digits
        what, _, where = _one_line(error).removesuffix(")").partition(" (at ")
        place = f", {where}" if where else ""
        raise ConfigError(f"{name}{place}: {what}; `nettop config` shows how it is written") from None


def _line_of(key: str, text: str) -> str:
    """Where a setting is written, to stand behind the name of the file; nothing where that is not plain to see."""
    found = re.search(rf"""^[ \t]*\[?[ \t]*["']?{re.escape(key)}["']?[ \t]*[\].=]""", text, re.MULTILINE)
    return f", line {text.count(chr(10), 0, found.start()) + 1}" if found else ""


def _instead(wrong: Any, words: Iterable[str], otherwise: str) -> str:
    import difflib  # only on the way to an error

    near = difflib.get_close_matches(wrong, words, n=1) if isinstance(wrong, str) else []
    return f"did you mean {near[0]}?" if near else otherwise


def _quoted(text: str) -> str:
    return repr(text if len(text) <= MAX_NAME else text[:MAX_NAME] + "...")


def _one_line(error: Exception) -> str:
    """What it says, harmless wherever it is printed: it may quote the file."""
    return "".join(c if c.isprintable() else "?" for c in str(error)[:300])
