"""The manual page and the completions, made of the argument parser when a wheel is built, and installed by it.

pip and pipx put what stands under share/ of a wheel into share/ of the environment; pipx shows manual pages and
completions of what it installs to the rest of the system.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_INSTALLED = {
    ("man",): "share/man/man1/nettop.1",
    ("completion", "bash"): "share/bash-completion/completions/nettop",
    ("completion", "zsh"): "share/zsh/site-functions/_nettop",
    ("completion", "fish"): "share/fish/vendor_completions.d/nettop.fish",
}


class ManualHook(BuildHookInterface):  # type: ignore[type-arg]
    """Writes what `nettop man` and `nettop completion` print into the wheel; an editable one does without."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before the wheel is put together. It takes what the standard library can run of nettop, and no more."""
        if version != "standard":
            return
        self._made = tempfile.TemporaryDirectory()
        for number, (arguments, place) in enumerate(_INSTALLED.items()):
            path = Path(self._made.name, str(number))
            path.write_bytes(subprocess.check_output([sys.executable, "-m", "nettop", *arguments], cwd=self.root))
            build_data["shared_data"][str(path)] = place

    def finalize(self, version: str, _build_data: dict[str, Any], _artifact_path: str) -> None:
        """The wheel holds them now."""
        if version == "standard":
            self._made.cleanup()
