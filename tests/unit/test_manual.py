"""The manual page and the completions: made of the parser, so they know every command, and their readers take them."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from nettop.arguments import parser
from nettop.fields import VIEWS
from nettop.manual import SHELLS, Command, describe
from nettop.manual.page import page
from nettop.manual.shells import completion

NETTOP = describe(parser())


def commands() -> list[Command]:
    return [NETTOP, *NETTOP.commands]


def run(*command: str, given: str = "", cwd: Path | None = None) -> str:
    """What a program prints that must succeed in silence."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=60, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def test_the_description_has_what_the_help_has() -> None:
    assert {*VIEWS, "export", "doctor", "completion"} <= {command.name for command in NETTOP.commands}
    assert all(command.help for command in commands())
    told = parser().format_help()
    for option in NETTOP.options:
        assert all(flag in told for flag in option.flags)
        assert option.help


def test_hidden_options_stay_hidden() -> None:
    assert "--no-header" not in {flag for option in NETTOP.options for flag in option.flags}


# --- the manual page --------------------------------------------------------------------------------------------------


@needs("man")
def test_man_reads_the_page_without_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "nettop.1"
    path.write_text(page(parser(), "1.2.3"))
    shown = run("man", "--warnings", "-l", "-P", "cat", str(path))
    for command in NETTOP.commands:
        assert f"nettop {command.name}" in shown
    for option in NETTOP.options:
        assert ", ".join(option.flags) in shown
    assert "nettop 1.2.3" in shown
    assert "EXIT STATUS" in shown


def test_no_line_of_the_page_is_taken_for_a_request() -> None:
    requests = {line.split()[0] for line in page(parser(), "1").splitlines() if line.startswith((".", "'"))}
    assert requests == {".TH", ".SH", ".SS", ".TP", ".B", ".br"}


# --- completions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_reads_its_completion(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    path = tmp_path / "completion"
    path.write_text(completion(parser(), shell))
    assert run(shell, "-n", str(path)) == ""


def in_bash(cwd: Path, *words: str) -> set[str]:
    """What bash offers for the last of these words."""
    ask = (
        f"COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; _nettop; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    return set(run("bash", "--norc", given=f"{completion(parser(), 'bash')}\n{ask}\n", cwd=cwd).split("\n")) - {""}


def in_fish(cwd: Path, *words: str) -> set[str]:
    """What fish offers for the last of these words."""
    ask = f"complete -C {shlex.quote(' '.join(words))}"
    shown = run("fish", "--no-config", given=f"{completion(parser(), 'fish')}\n{ask}\n", cwd=cwd)
    return {line.partition("\t")[0] for line in shown.splitlines()}


@pytest.mark.parametrize(
    "offered", [pytest.param(in_bash, marks=needs("bash")), pytest.param(in_fish, marks=needs("fish"))]
)
def test_what_is_offered(offered: Callable[..., set[str]], tmp_path: Path) -> None:
    def ask(*words: str) -> set[str]:
        return offered(tmp_path, "nettop", *words)

    (tmp_path / "a file").touch()
    assert ask("con") == {"connections", "containers", "config"}
    assert ask("--theme", "color") == {"colorblind"}
    assert ask("connections", "--no-h") == {"--no-header"}
    assert ask("connections", "-s", "min_") == {"min_rtt"}
    assert ask("processes", "-s", "min_") == set()
    assert ask("connections", "-c", "pid,comm,min_") == {"pid,comm,min_rtt"}
    assert ask("completion", "z") == {"zsh"}
    assert ask("-d", "") in (set(), {"a file"}), "any number may stand there"


@needs("bash")
def test_a_file_is_offered_where_one_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    assert in_bash(tmp_path, "nettop", "export", "--textfile", "a") == {"a file"}
