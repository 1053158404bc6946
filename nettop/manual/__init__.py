"""The command line as data: what the manual page and the completions of shells are made of.

page.py    man(7)
shells.py  bash, zsh, fish

Everything comes from the argument parser, so that neither can tell of an option that there is not.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

from nettop.fields import VIEWS

SHELLS = ("bash", "zsh", "fish")


class Values(NamedTuple):
    """What may stand as the value of an option or argument."""

    words: tuple[str, ...] = ()
    """One of these; empty where anything may."""
    files: bool = False
    """A path."""
    several: bool = False
    """Words with commas between them."""


class Option(NamedTuple):
    """One option, or an argument without a flag."""

    flags: tuple[str, ...]
    """Short and long; empty of an argument."""
    value: str
    """The word for its value, or a word for each of several; empty of a switch."""
    help: str
    values: Values


class Command(NamedTuple):
    """A command, or nettop itself."""

    name: str
    help: str
    epilog: str
    options: tuple[Option, ...]
    commands: tuple[Command, ...]


def describe(parser: argparse.ArgumentParser, name: str = "nettop", summary: str = "") -> Command:
    """What a parser takes; options and commands that it does not mention in its help are left out."""
    options, commands = [], []
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to ask
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}  # noqa: SLF001
            commands = [describe(sub, word, helps[word]) for word, sub in action.choices.items() if word in helps]
        elif action.help != argparse.SUPPRESS:
            options.append(_option(action, name))
    return Command(name, summary or parser.description or "", parser.epilog or "", tuple(options), tuple(commands))


def _option(action: argparse.Action, command: str) -> Option:
    metavar = action.metavar or action.dest.upper()
    value = "" if action.nargs == 0 else metavar if isinstance(metavar, str) else " ".join(metavar)
    return Option(tuple(action.option_strings), value, action.help or "", _values(action, value, command))


def _values(action: argparse.Action, value: str, command: str) -> Values:
    if action.choices is not None:
        return Values(tuple(map(str, action.choices)))
    if value == "FILE":
        return Values(files=True)
    if value in ("FIELD", "A,B,C") and command in VIEWS:
        return Values(tuple(VIEWS[command].fields), several=value != "FIELD")
    return Values()
