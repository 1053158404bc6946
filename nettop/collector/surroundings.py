"""What the place nettop runs in keeps from it, whatever it reads: missing capabilities, hidden processes, other pid and
user namespaces, a sandbox without netlink. Told as the health of the sources `capabilities`, `hidepid`, `netlink`,
`pidns`, `procfs` and `userns`."""

from __future__ import annotations

import os

from nettop.collector.health import HealthBook
from nettop.kernel import privileges
from nettop.kernel.cn_proc import HOST_REMEDY

EVERY = 10.0
"""Seconds between two looks: /proc may be mounted anew meanwhile. One takes 0.1 ms."""


class Surroundings:
    """Looks around every now and then."""

    def __init__(self, health: HealthBook, root: str) -> None:
        """`root` is where /proc is mounted."""
        self._health = health
        self._root = root
        self._due = 0.0

    def look(self, clock: float) -> None:
        """Tell what is in the way, where it is time to; `clock` is monotonic."""
        if clock < self._due:
            return
        self._due = clock + EVERY
        bits = privileges.effective()
        foreign = privileges.foreign_namespaces()
        self._check_capabilities(bits)
        self._check_user_namespace("user" in foreign)
        self._check_pids("pid" in foreign)
        self._check_hidepid(0 if "user" in foreign else bits)
        self._check_netlink()

    def _check_capabilities(self, bits: int) -> None:
        missing = privileges.missing(privileges.SEEING, bits)
        if not missing:
            self._health.heal("capabilities")
            return
        added = " ".join(f"--cap-add={each.name[4:]}" for each in missing)
        remedy = "sudo nettop" if os.geteuid() else f"run the container with {added}"
        self._health.report("capabilities", "degraded", privileges.describe_missing(missing), remedy, len(missing))

    def _check_user_namespace(self, foreign: bool) -> None:
        reason = "in another user namespace than the machine's: capabilities do not count outside it"
        self._say("userns", foreign, reason, HOST_REMEDY)

    def _check_pids(self, foreign: bool) -> None:
        same = privileges.same_pids(self._root)
        reason = "in another pid namespace than the machine's: processes outside it are not seen"
        self._say("pidns", foreign and same, reason, HOST_REMEDY)
        reason = f"{self._root} is of another pid namespace than nettop: no signals, no nice values"
        self._say("procfs", not same, reason, f"unshare --mount --propagation slave mount -t proc proc {self._root}")

    def _check_hidepid(self, bits: int) -> None:
        option = privileges.hidepid(self._root)
        hides = privileges.hides(option, bits, [*os.getgroups(), os.getegid()])
        reason = f"{self._root} is mounted with hidepid={option.mode}: other users' processes are not seen"
        self._say("hidepid", hides, reason, f"sudo mount -o remount,hidepid=0 {self._root}")

    def _check_netlink(self) -> None:
        refusal = privileges.netlink_refusal()
        reason = f"netlink is refused here ({refusal}): sockets are read from /proc, without byte counts"
        self._say("netlink", refusal is not None, reason, privileges.NETLINK_REMEDY)

    def _say(self, source: str, degraded: bool, reason: str, remedy: str) -> None:
        if degraded:
            self._health.report(source, "degraded", reason, remedy)
        else:
            self._health.heal(source)
