"""What a machine is called on the command line, for ssh."""

from __future__ import annotations

import re

_PART = r"[^\x00-\x20\x7f-\x9f'\"`$\\;&<>|(){}@]+"
"""Nothing that a shell, through which a ProxyCommand of ssh_config(5) goes, could take for more than a name."""
_NAME = re.compile(rf"(?!-)(?:(?:ssh://)?{_PART}@)?(?!-){_PART}")
_LONGEST = 255


def check_host(text: str) -> None:
    """Raises ValueError where it could not be a host, with or without a user before it: what begins with a `-` would be
    an option of ssh, and what a shell takes for a command may reach one."""
    if len(text) > _LONGEST or not text.isprintable() or not _NAME.fullmatch(text):
        raise ValueError(f"{text[:40]!a} is no [user@]host")
