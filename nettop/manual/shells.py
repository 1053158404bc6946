"""Completions for bash, zsh and fish.

bash: https://www.gnu.org/software/bash/manual/html_node/Programmable-Completion.html; zsh: zshcompsys(1), `_arguments`;
fish: https://fishshell.com/docs/current/cmds/complete.html.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator

from nettop.manual import Command, Option, describe


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """What a shell, one of `manual.SHELLS`, reads to complete the arguments that the parser takes."""
    lines = {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]
    return "\n".join(lines(describe(parser))) + "\n"


# --- bash ------------------------------------------------------------------------------------------------------------


def _bash(nettop: Command) -> Iterator[str]:
    """A function that finds the command among the words so far, then what the word before wants."""
    names = " ".join(command.name for command in nettop.commands)
    yield "# bash completion for nettop"
    yield "_nettop() {"
    yield '  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command="" word words files=""'
    yield "  COMPREPLY=()"
    yield '  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do'
    yield f"    case $word in {names.replace(' ', '|')}) command=$word; break;; esac"
    yield "  done"
    yield '  case "$command $before" in'
    for command, where in ((nettop, ""), *((command, command.name) for command in nettop.commands)):
        for option in command.options:
            yield from _bash_value(option, where)
    yield "  esac"
    yield "  case $command in"
    for command, where in ((nettop, '""'), *((command, command.name) for command in nettop.commands)):
        arguments = [option.values for option in command.options if not option.flags]
        words = [*_flags(command), *(word for values in arguments for word in values.words)]
        files = " files=-f" if any(values.files for values in arguments) else ""
        yield f"    {where}) words={shlex.quote(' '.join((*words, names) if command is nettop else words))}{files};;"
    yield "  esac"
    yield '  mapfile -t COMPREPLY < <(compgen $files -W "$words" -- "$current")'
    yield "}"
    yield "complete -F _nettop nettop"


def _bash_value(option: Option, where: str) -> Iterator[str]:
    """What completes the value of an option: nothing where anything may stand there."""
    if not (option.flags and option.value):
        return
    pattern = "|".join(shlex.quote(f"{where} {flag}") for flag in option.flags)
    words = shlex.quote(" ".join(option.values.words))
    if option.values.files:
        reply = _bash_reply("-f", "$current")
    elif option.values.several:  # the last of the words between commas; those before it stay
        head = "local head=; [[ $current == *,* ]] && head=${current%,*},"
        last = _bash_reply(f'-P "$head" -W {words}', "${current##*,}")
        reply = f"{head}; {last}"
    elif option.values.words:
        reply = _bash_reply(f"-W {words}", "$current")
    else:
        reply = ":"
    yield f"    {pattern}) {reply}; return;;"


def _bash_reply(what: str, begun: str) -> str:
    """What compgen finds, a line each: names of files may have blanks."""
    return f'mapfile -t COMPREPLY < <(compgen {what} -- "{begun}")'


def _flags(command: Command) -> list[str]:
    return [flag for option in command.options for flag in option.flags]


# --- zsh -------------------------------------------------------------------------------------------------------------


def _zsh(nettop: Command) -> Iterator[str]:
    """`_arguments` of nettop, and those of its commands once one is there."""
    yield "#compdef nettop"
    yield "_nettop() {"
    yield "  local context state state_descr line"
    yield "  typeset -A opt_args"
    yield "  _arguments -C \\"
    yield from (f"    {spec} \\" for option in nettop.options for spec in _zsh_option(option))
    yield "    '1: :->command' '*:: :->rest'"
    yield "  case $state in"
    yield "    command)"
    yield "      local -a commands=("
    for command in nettop.commands:
        yield f"        {shlex.quote(f'{command.name}:{command.help}')}"
    yield "      )"
    yield "      _describe command commands;;"
    yield "    rest)"
    yield "      case $line[1] in"
    for command in nettop.commands:
        specs = " ".join(spec for option in command.options for spec in _zsh_option(option))
        yield f"        {command.name}) _arguments {specs};;"
    yield "      esac;;"
    yield "  esac"
    yield "}"
    yield '_nettop "$@"'


def _zsh_option(option: Option) -> Iterator[str]:
    """One specification a flag, with its explanation in brackets and what completes its value behind."""
    value = "".join(f":{word}:{_zsh_values(option)}" for word in option.value.split())
    if not option.flags:
        yield shlex.quote(f"1:{option.value}:{_zsh_values(option)}")
    explanation = option.help.translate({ord(c): f"\\{c}" for c in "[]\\:"})
    for flag in option.flags:
        attached = "=" if flag.startswith("--") and option.value else ""
        yield shlex.quote(f"{flag}{attached}[{explanation}]{value}")


def _zsh_values(option: Option) -> str:
    if option.values.files:
        return "_files"
    words = " ".join(option.values.words)
    if option.values.several:
        return f"_sequence compadd - {words}"
    return f"({words})" if words else " "


# --- fish ------------------------------------------------------------------------------------------------------------


def _fish(nettop: Command) -> Iterator[str]:
    """One `complete` an option, under the condition that its command is there."""
    yield "# fish completion for nettop"
    yield "complete -c nettop -f"
    names = " ".join(command.name for command in nettop.commands)
    none = f"not __fish_seen_subcommand_from {names}"
    for option in nettop.options:
        yield from _fish_option(option, none)
    for command in nettop.commands:
        yield f"complete -c nettop -n {shlex.quote(none)} -a {command.name} -d {shlex.quote(command.help)}"
        for option in command.options:
            yield from _fish_option(option, f"__fish_seen_subcommand_from {command.name}")


def _fish_option(option: Option, condition: str) -> Iterator[str]:
    words = [f"complete -c nettop -n {shlex.quote(condition)}"]
    for flag in option.flags:
        words.append(f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}")
    if option.value and option.flags:
        words.append("-rF" if option.values.files else "-x")
    elif option.values.files:
        words.append("-F")
    if option.values.words:
        choices = " ".join(option.values.words)
        listed = f'(__fish_complete_list , \'string split " " "{choices}"\')' if option.values.several else choices
        words.append(f"-a {shlex.quote(listed)}")
    words.append(f"-d {shlex.quote(option.help)}")
    yield " ".join(words)
