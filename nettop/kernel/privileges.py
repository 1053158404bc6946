"""What this process is allowed, and what is kept from it: capabilities, namespaces, what /proc hides.

Rests on capabilities(7), user_namespaces(7), pid_namespaces(7), proc(5) ("hidepid") and proc_pid_mountinfo(5).
"""

from __future__ import annotations

import os
import re
import socket
from typing import List, Mapping, NamedTuple, Optional, Sequence, Tuple


class Capability(NamedTuple):
    """A capability nettop can use."""

    name: str
    number: int
    """linux/capability.h."""
    purpose: str
    """What there is none of without it."""


NET_ADMIN = Capability(
    "CAP_NET_ADMIN", 12, "connection tracking, closing of sockets, long queues for the kernel's messages"
)

SEEING = (
    Capability("CAP_SYS_PTRACE", 19, "open files and namespaces of other users' processes"),
    Capability("CAP_DAC_READ_SEARCH", 2, "lists of their open files"),
    Capability("CAP_SYS_ADMIN", 21, "way into other network namespaces"),
    NET_ADMIN,
)
"""What seeing everything takes."""

ACTING = (
    Capability("CAP_KILL", 5, "signals to other users' processes"),
    Capability("CAP_SYS_NICE", 23, "nice values below the present one, and those of other users' processes"),
)
"""What acting on everything takes, besides."""

_IMPLIED: Mapping[int, int] = {2: 1}
"""CAP_DAC_OVERRIDE grants what CAP_DAC_READ_SEARCH does."""

_HIDING: Mapping[str, str] = {"0": "off", "1": "noaccess", "2": "invisible", "4": "ptraceable"}
"""Values of hidepid before Linux 5.8, and since."""


class HidePid(NamedTuple):
    """The option of a mount of /proc that keeps other users' processes from view."""

    mode: str
    """off; noaccess: they are listed and not told of; invisible: not listed; ptraceable: the same, and `gid` does not
    help."""
    gid: Optional[int]
    """The group it does not concern."""


def effective() -> int:
    """The effective capabilities of the calling thread, as bits. Raises OSError where /proc is not mounted."""
    with open("/proc/thread-self/status", "rb") as status:
        return parse_effective(status.read())


def parse_effective(data: bytes) -> int:
    """CapEff of /proc/PID/status; 0 where it does not say."""
    word = data.partition(b"\nCapEff:")[2].split(None, 1)
    return int(word[0], 16) if word else 0


def missing(capabilities: Sequence[Capability], bits: int) -> List[Capability]:
    """Those of `capabilities` that are neither in `bits` nor implied by one that is."""
    return [
        each
        for each in capabilities
        if not bits >> each.number & 1 and not bits >> _IMPLIED.get(each.number, each.number) & 1
    ]


def describe_missing(capabilities: Sequence[Capability]) -> str:
    """Which are missing, and what there is none of for that, as a sentence."""
    *names, last = (each.name for each in capabilities)
    listed = f"{', '.join(names)} and {last}" if names else last
    return f"without {listed}: no {', no '.join(each.purpose for each in capabilities)}"


def hidepid(root: str = "/proc") -> HidePid:
    """What the mount of /proc at `root` hides. Raises OSError."""
    with open("/proc/thread-self/mountinfo", "rb") as mounts:
        return parse_hidepid(mounts.read(), root)


def parse_hidepid(data: bytes, root: str) -> HidePid:
    """The option of the topmost mount at `root`, from /proc/PID/mountinfo."""
    found = HidePid("off", None)
    for line in data.decode(errors="replace").splitlines():
        mount, _, system = line.partition(" - ")
        fields, told = mount.split(" "), system.split(" ")
        if len(fields) < 5 or len(told) < 3 or fields[4] != root:
            continue
        options = dict(option.partition("=")[::2] for option in told[2].split(","))
        value, gid = options.get("hidepid", "off"), options.get("gid", "")
        found = HidePid(_HIDING.get(value, value), int(gid) if gid.isdecimal() and gid.isascii() else None)
    return found


def hides(option: HidePid, bits: int, groups: Sequence[int]) -> bool:
    """Whether that keeps processes from one with these capabilities and groups."""
    if option.mode == "off" or bits >> 19 & 1:  # CAP_SYS_PTRACE
        return False
    return option.mode == "ptraceable" or (option.gid or 0) not in groups


INITIAL_NAMESPACES = (("pid", 0xEFFFFFFC), ("user", 0xEFFFFFFD))
"""Inode numbers of the initial namespaces: linux/proc_ns.h, part of the interface since linux/nsfs.h of 6.18."""


def foreign_namespaces() -> List[str]:
    """Of pid and user, the namespaces this process is in that are not the initial ones."""
    foreign = []
    for name, initial in INITIAL_NAMESPACES:
        try:
            if os.stat(f"/proc/self/ns/{name}").st_ino != initial:
                foreign.append(name)
        except OSError:  # built without that kind of namespace, so there is only the initial one
            continue
    return foreign


NETLINK_REMEDY = "run nettop on the host, or its container with --security-opt seccomp=unconfined"


def netlink_refusal() -> Optional[str]:
    """What the kernel, or a seccomp(2) filter before it, answers who wants a netlink(7) socket; None where it gives
    one."""
    try:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE).close()
    except OSError as error:
        return error.strerror
    return None


def same_pids(root: str = "/proc") -> bool:
    """Whether the pids under `root` mean the same processes as in system calls: else it was mounted in another pid
    namespace, and a signal would hit a stranger. Raises OSError."""
    return os.readlink(f"{root}/self") == str(os.getpid())


def kernel_version(release: str) -> Tuple[int, int]:
    """(major, minor) of what `uname -r` prints; (0, 0) where that is no version."""
    numbers = re.match(r"([0-9]{1,9})\.([0-9]{1,9})", release)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
