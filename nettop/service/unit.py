"""The unit for systemd, as it runs this nettop."""

from __future__ import annotations

import os
import shutil
from importlib import resources

_PROGRAM = "/usr/local/bin/nettop"


def text(program: str) -> str:
    """The unit; `program` is the path or the name by which this nettop was started."""
    unit = (resources.files("nettop") / "service" / "nettop.service").read_text(encoding="utf-8")
    found = shutil.which(program)
    return unit.replace(_PROGRAM, os.path.abspath(found)) if found else unit
