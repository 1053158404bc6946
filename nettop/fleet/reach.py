"""The machines that were named, and the first connections to them, while the terminal is still the person's."""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from nettop.errors import NothingReadableError, UsageError
from nettop.origin import Origin

_ASKS = ("Permission denied", "Host key verification failed")
"""What ssh says where it would have asked somebody, and was told not to."""


MOST = 32
"""Machines at once: each is a connection, and a store of its own."""


class Asking(Origin, Protocol):
    """An origin that may have to ask somebody for the first time: see `remote.origin.Remote`."""

    host: str

    def connect(self) -> object:
        """Ask what has to be asked. Raises NothingReadableError with the reason."""


def reach(hosts: Sequence[str], make: Callable[[str], Asking], say: Callable[[str], object]) -> dict[str, Origin]:
    """The origins that `make` makes of these [user@]hosts, by what their machines are called: connected all at once,
    then those that have to ask somebody one after the other.

    `say` is told who cannot be reached: that is tried again later. Raises NothingReadableError where that is everybody,
    and UsageError where they cannot be watched together."""
    origins = {machine_name(host): make(host) for host in hosts}
    if len(origins) < len(hosts):
        twice = [name for name, times in collections.Counter(map(machine_name, hosts)).items() if times > 1]
        raise UsageError(f"--host: {', '.join(twice)} is named more than once")
    if len(hosts) > MOST:
        raise UsageError(
            f"--host: {len(hosts)} machines are more than {MOST}, which is how many can be watched together"
        )
    failed = asyncio.run(_open(origins))
    for name in [name for name, reason in failed.items() if any(words in reason for words in _ASKS)]:
        try:
            origins[name].connect()
            del failed[name]
        except NothingReadableError as error:
            failed[name] = str(error).removeprefix(f"{origins[name].host}: ")
    if len(failed) == len(origins):
        raise NothingReadableError("; ".join(f"{name}: {reason}" for name, reason in failed.items()))
    for name, reason in failed.items():
        say(f"{name}: {reason}")
    return dict(origins)


def machine_name(host: str) -> str:
    """What a machine is called that ssh calls [user@]host."""
    return host.removeprefix("ssh://").rpartition("@")[2]


async def _open(origins: Mapping[str, Origin]) -> dict[str, str]:
    """Those that cannot be reached without a question, and why."""
    found = await asyncio.gather(*(origin.open() for origin in origins.values()), return_exceptions=True)
    failed = {}
    for name, error in zip(origins, found, strict=True):
        if isinstance(error, OSError):
            failed[name] = error.strerror or str(error)
        elif isinstance(error, BaseException):
            raise error
    return failed
