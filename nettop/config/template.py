"""The default configuration as a file to begin with."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nettop.config import Config


def default_text(path: Path, commands: Iterable[tuple[str, str, str]]) -> str:
    """A configuration with every setting explained and none changed: each line to be used loses its `#`.

    `commands` are (name, keys as a person writes them, help) of all there are.
    """
    lines = [
        f"# Settings of nettop's full screen: {path}",
        "# Lines that begin with # and a blank explain; to change a setting, take the # before it away.",
    ]
    for setting in dataclasses.fields(Config):
        help, example = setting.metadata["help"], setting.metadata["example"]  # noqa: A001
        lines += ["", *(f"# {line}" for line in help.splitlines())]
        if setting.name == "keys":
            lines.append("[keys]")
            lines += [f"#{name} = {_toml(keys.split())}  # {what}" for name, keys, what in commands]
        elif example is not None:
            lines.append(f"[{setting.name}]")
            lines += [f"#{_toml_key(name)} = {_toml(value)}" for name, value in example.items()]
        else:
            lines.append(f"#{setting.name} = {_toml(setting.default)}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, (list, tuple)):
        return _toml(value[0]) if len(value) == 1 else "[" + ", ".join(map(_toml, value)) + "]"
    return str(value)


def _toml_key(name: str) -> str:
    return name if name.isidentifier() else _toml(name)
