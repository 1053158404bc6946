"""Keys as a person writes them, and commands with the keys that the settings give them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from textual.keys import KEY_NAME_REPLACEMENTS, REPLACED_KEYS, key_to_character

from nettop.config import ConfigError
from nettop.tui.commands.command import Command

ALWAYS = {"ctrl+c": "quit", "ctrl+z": "suspend"}
"""Keys every program of a terminal knows and what they do, whatever the settings say."""

_NAMES = {
    "enter": "Enter",
    "escape": "Esc",
    "tab": "Tab",
    "space": "Space",
    "backspace": "Backspace",
    "delete": "Del",
    "insert": "Ins",
    "home": "Home",
    "end": "End",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
}
"""Textual's name of a key → as a person writes it."""

_SYNONYMS = {
    **{shown.lower(): key for key, shown in _NAMES.items()},
    **{key: key for key in _NAMES},
    "return": "enter",
    "page_up": "pageup",
    "page_down": "pagedown",
}

_MODIFIED = re.compile(r"(?:(?P<ctrl>ctrl|c)|(?P<shift>shift|s)|(?P<alt>alt|meta|m))[-+](?P<key>.+)", re.IGNORECASE)


def parse_key(written: str) -> str:
    """Textual's name of a key a person wrote: `K`, `F7`, `Ctrl-x`, `^X`, `Shift-Left`, `?`.

    ValueError says in one line why it can be no key.
    """
    if len(written) == 1 and written.isprintable():
        return "space" if written == " " else _SYNONYMS.get(written) or _character(written)
    if len(written) == 2 and written[0] == "^":
        return _control(written[1], written)
    modified = _MODIFIED.fullmatch(written)
    if modified is None:
        return _named(written)
    if modified["alt"]:
        raise ValueError(f"{written!r}: Alt does not get through every terminal; take another key")
    if modified["ctrl"]:
        return _control(modified["key"], written)
    key = parse_key(modified["key"])
    if len(key) == 1:
        return key.upper()
    return f"shift+{key}"


def _named(written: str) -> str:
    name = written.lower()
    if name in _SYNONYMS:
        return _SYNONYMS[name]
    if re.fullmatch(r"f([1-9]|1[0-9]|2[0-4])", name) or (len(name) > 1 and _sign(name)):
        return name
    raise ValueError(f"there is no key {written[:20]!r}; write K, F7, Ctrl-x, Shift-Left, Space ...")


def _control(key: str, written: str) -> str:
    if len(key) == 1 and key.isascii() and key.isalpha():
        # a terminal sends the same for these
        return {"i": "tab", "m": "enter"}.get(key.lower(), f"ctrl+{key.lower()}")
    if key.lower() in _SYNONYMS:
        return f"ctrl+{_SYNONYMS[key.lower()]}"
    raise ValueError(f"{written[:20]!r}: Ctrl goes with a letter or a key that moves")


def _character(character: str) -> str:
    if character.isalnum():
        return character
    name = unicodedata.name(character, "").lower().replace("-", "_").replace(" ", "_")
    return KEY_NAME_REPLACEMENTS.get(name, name or character)


def _sign(key: str) -> str | None:
    """The character a key of that name makes, such as ? for question_mark."""
    return key_to_character(REPLACED_KEYS.get(key, key))


def write_key(key: str) -> str:
    """How a person writes a key of Textual's name."""
    modifier, _, plain = key.rpartition("+")
    if modifier == "ctrl" and len(plain) == 1:
        return f"^{plain.upper()}"
    written = _NAMES.get(plain) or (plain.upper() if re.fullmatch(r"f\d+", plain) else _sign(plain) or plain)
    return f"{modifier.capitalize()}-{written}" if modifier else written


def write_keys(keys: str) -> str:
    """How a person writes the keys of a command."""
    return " ".join(map(write_key, keys.split(",")))


def remapped(
    commands: Iterable[Command], keys: Mapping[str, Sequence[str]], others: Iterable[Command] = ()
) -> tuple[Command, ...]:
    """The commands with the keys the settings give them by name; `others` have keys of their own, that may be the same.
    Raises ConfigError for those that cannot be."""
    known = {command.name: command for command in commands}
    elsewhere = {command.name for command in others}
    for name, written in keys.items():
        if name in elsewhere:
            continue
        if name not in known:
            raise ConfigError(f"keys: {_no_command(name, known)}")
        try:
            parsed = dict.fromkeys(map(parse_key, written))
        except ValueError as error:
            raise ConfigError(f"keys: {name}: {error}") from None
        always = [key for key, always in ALWAYS.items() if always == name]
        known[name] = replace(
            known[name], keys=",".join({**parsed, **dict.fromkeys(always)}), shown=write_keys(",".join(parsed))
        )
    _refuse_clashes(known.values(), keys)
    return tuple(known.values())


def _refuse_clashes(commands: Iterable[Command], asked: Mapping[str, Sequence[str]]) -> None:
    owners = dict(ALWAYS)
    for command in commands:
        for key in command.keys.split(","):
            other = owners.setdefault(key, command.name)
            if other != command.name:
                name, taken = (command.name, other) if command.name in asked else (other, command.name)
                raise ConfigError(f"keys: {name}: {write_key(key)} is the key of {taken}; give one of them another")


def _no_command(name: str, known: Mapping[str, Command]) -> str:
    import difflib  # only on the way to an error

    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else "`nettop config` lists them"
    return f"there is no command {name[:40]!r}; {hint}"
