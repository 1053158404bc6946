"""The manual page, in the language of man(7)."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from nettop.manual import Command, Option, describe

_AFTERWARDS = (
    ("FILES", ("~/.config/nettop/config.toml: settings of the full screen; `nettop config` prints all of them.",)),
    (
        "EXIT STATUS",
        ("0: done.", "1: failed while running.", "2: wrong usage.", "3: nothing could be read here."),
    ),
    ("SEE ALSO", ("top(1), ss(8), ip-netns(8), sock_diag(7), conntrack(8)",)),
)


def page(parser: argparse.ArgumentParser, version: str) -> str:
    """The page of what the parser takes; it has no date, so that two builds are alike."""
    return "\n".join(_lines(describe(parser), version)) + "\n"


def _lines(nettop: Command, version: str) -> Iterator[str]:
    yield f'.TH NETTOP 1 "" "nettop {_plain(version)}" "User Commands"'
    yield from (".SH NAME", f"nettop \\- {_plain(nettop.help)}")
    yield from (".SH SYNOPSIS", ".B nettop", "[OPTION]...", ".br", ".B nettop", "COMMAND [OPTION]...")
    yield from (".SH DESCRIPTION", _plain(nettop.epilog))
    yield ".SH OPTIONS"
    yield from _options(nettop)
    yield ".SH COMMANDS"
    for command in nettop.commands:
        yield from (f".SS nettop {_plain(command.name)}", _plain(command.help) + ".")
        yield from _options(command)
    for title, sentences in _AFTERWARDS:
        yield f".SH {title}"
        for sentence in sentences:
            yield from (_plain(sentence), ".br")


def _options(command: Command) -> Iterator[str]:
    for option in command.options:
        yield from (".TP", _head(option), _plain(option.help))


def _head(option: Option) -> str:
    value = f"\\fI{_plain(option.value)}\\fR" if option.value else ""
    flags = ", ".join(f"\\fB{_plain(flag)}\\fR" for flag in option.flags)
    return f"{flags} {value}".strip()


def _plain(text: str) -> str:
    """Text that man(7) prints as it is: no escapes, no requests, and hyphens that can be copied."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
