"""A lab on this kernel: processes, namespaces and sockets in exact numbers, idle but for a bounded share of traffic.

    with Lab(SMALL) as lab:
        ...

or, to look at one with nettop: `python -m tests.bench.lab --size A --hold`. Needs root and iproute2.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from tests.bench.lab_host import PREFIX
from tests.bench.lab_spec import SIZES, LabSpec, Share
from tests.support import netns

_ROOT = Path(__file__).parents[2]
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class LabNamespace(NamedTuple):
    """One namespace of a lab that stands."""

    name: str
    inode: int
    pids: tuple[int, ...]
    """Its processes; the first began it and holds no socket."""
    share: Share
    """What it holds, exactly."""


class Lab:
    """A lab while the `with` block runs. Afterwards nothing of it is left, and `RuntimeError` says if something is.

    It is held by a process of its own (`lab_host`), so it may be used from programs with threads; it ends also when
    the program that made it is killed.
    """

    def __init__(self, spec: LabSpec) -> None:
        self.spec = spec
        self.namespaces: tuple[LabNamespace, ...] = ()
        self.seconds = 0.0
        """What making it took."""

    def __enter__(self) -> Self:
        shares = self.spec.shares()
        _sweep()
        begun = time.monotonic()
        self._host = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.lab_host", json.dumps(self.spec)],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # an interrupt from the keyboard is for us; the host hears of it by our closing
        )
        assert self._host.stdout is not None
        line = self._host.stdout.readline()
        if not line:
            self._end()
            raise RuntimeError("the lab could not be made; see above")
        self.seconds = time.monotonic() - begun
        self.namespaces = tuple(
            LabNamespace(made["name"], made["inode"], tuple(made["pids"]), share)
            for made, share in zip(json.loads(line), shares, strict=True)
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        if left := self.leftovers():
            raise RuntimeError(f"the lab left {', '.join(left)}")

    @property
    def pids(self) -> list[int]:
        """Every process of the lab, without the one outside that holds it."""
        return [pid for namespace in self.namespaces for pid in namespace.pids]

    def traffic(self, lively: bool) -> None:
        """Stop the traffic of the active share, or let it go on. Takes hold within `spec.interval` seconds."""
        assert self._host.stdin is not None
        self._host.stdin.write("lively\n" if lively else "quiet\n")
        self._host.stdin.flush()

    def cpu_seconds(self) -> float:
        """Processor time its processes have used so far: two readings apart tell what the traffic costs."""
        ticks = 0
        for pid in self.pids:
            # /proc/PID/stat (proc(5)): utime and stime are the 12th and 13th field after the name
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / _CLOCK_TICKS

    def describe(self) -> str:
        """One line for people: what stands here."""
        spec = self.spec
        return (
            f"{spec.processes:,} processes in {spec.namespaces} namespaces, {spec.sockets:,} sockets "
            f"({2 * spec.tcp_pairs:,} established, {spec.listeners:,} listeners with {spec.workers} workers each, "
            f"{spec.udp:,} udp, {2 * spec.unix_pairs:,} unix), {spec.fds:,} descriptors, "
            f"{spec.active:.0%} of the pairs talk every {spec.interval:g} s; made in {self.seconds:.1f} s"
        )

    def leftovers(self) -> list[str]:
        """What of the lab still exists, in words: namespaces by name, processes by pid."""
        pids = [f"process {pid}" for pid in self.pids if Path(f"/proc/{pid}").exists()]
        return netns.named(f"{PREFIX}{self._host.pid}-") + pids

    def _end(self) -> None:
        assert self._host.stdin is not None
        assert self._host.stdout is not None
        self._host.stdin.close()
        self._host.stdout.close()
        try:
            self._host.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._host.kill()
            self._host.wait()
        _sweep()


def _sweep() -> None:
    """Delete namespaces of labs whose host is gone: only SIGKILL makes it leave any."""
    for name in netns.named(PREFIX):
        host = re.match(r"(\d+)-", name.removeprefix(PREFIX))
        if host and not Path(f"/proc/{host[1]}").exists():
            netns.delete(name)


def main() -> None:
    """Make a lab, say what it is and what its traffic costs; with --hold keep it until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.lab", description=main.__doc__)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--hold", action="store_true", help="keep it until Ctrl-C")
    options = parser.parse_args()
    with Lab(SIZES[options.size]) as lab:
        print(lab.describe())
        print(f"namespaces {lab.namespaces[0].name} to {lab.namespaces[-1].name}", flush=True)
        before = lab.cpu_seconds()
        time.sleep(3)
        print(f"its traffic costs {(lab.cpu_seconds() - before) / 3:.1%} of a processor")
        if options.hold:
            print("Ctrl-C ends the lab", flush=True)
            try:
                while True:
                    time.sleep(3600)
            except KeyboardInterrupt:
                print()


if __name__ == "__main__":
    main()
