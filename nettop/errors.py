"""What ends a command, for the person who gave it: each says in one line why."""

from __future__ import annotations


class UsageError(Exception):
    """What was asked cannot be understood; the message is one line."""


class NothingReadableError(Exception):
    """Neither processes nor sockets can be seen; the message is one line."""


class UnavailableError(Exception):
    """What was asked needs something that is not installed; the message is one line and says what to do."""
