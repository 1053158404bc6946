"""The lab holds exactly what its spec says, and leaves nothing, however it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bench.lab import Lab, LabNamespace
from tests.bench.lab_host import PREFIX
from tests.bench.lab_spec import LAB_A, SMALL, LabSpec
from tests.support import netns

needs_kernel = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="making namespaces needs root"),
    pytest.mark.skipif(shutil.which("ss") is None, reason="ss (iproute2) is not installed"),
]

TINY = LabSpec(processes=11, namespaces=2, tcp_pairs=9, listeners=2, udp=5, unix_pairs=3, active=0.5, interval=0.05)


def until(condition: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    """Wait for a condition; fail with its name at the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def ss(namespace: LabNamespace, options: str) -> list[list[str]]:
    """The table `ss` prints in a namespace, split at blanks."""
    done = subprocess.run(["ss", "-N", namespace.name, "-naH", options], capture_output=True, text=True, check=True)
    return [line.split() for line in done.stdout.splitlines()]


@pytest.mark.parametrize("spec", [LAB_A, SMALL, TINY])
def test_the_shares_of_the_namespaces_add_up_to_the_spec(spec: LabSpec) -> None:
    shares = spec.shares()
    assert len(shares) == spec.namespaces
    for field in ("processes", "tcp_pairs", "listeners", "udp", "unix_pairs", "sockets"):
        assert sum(getattr(share, field) for share in shares) == getattr(spec, field)


def test_a_spec_with_too_few_processes_is_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        SMALL._replace(processes=10).shares()


class TestStandingLab:
    pytestmark = needs_kernel

    @pytest.fixture(scope="class")
    def lab(self) -> Iterator[Lab]:
        with Lab(SMALL) as lab:
            yield lab

    def test_ss_counts_in_each_namespace_what_the_spec_says(self, lab: Lab) -> None:
        for namespace in lab.namespaces:
            states = Counter(row[0] for row in ss(namespace, "-t"))
            assert states == {"ESTAB": 2 * namespace.share.tcp_pairs, "LISTEN": namespace.share.listeners}
            assert len(ss(namespace, "-u")) == namespace.share.udp
            assert len(ss(namespace, "-x")) == 2 * namespace.share.unix_pairs

    def test_its_processes_live_in_its_namespaces(self, lab: Lab) -> None:
        assert len(set(lab.pids)) == SMALL.processes
        for namespace in lab.namespaces:
            assert namespace.inode == netns.inode(namespace.name)
            assert {os.stat(f"/proc/{pid}/ns/net").st_ino for pid in namespace.pids} == {namespace.inode}

    def test_it_has_the_descriptors_the_spec_says(self, lab: Lab) -> None:
        links = [os.readlink(fd) for pid in lab.pids for fd in Path(f"/proc/{pid}/fd").iterdir()]
        assert len([link for link in links if link != "anon_inode:[eventpoll]"]) == SMALL.fds

    def test_workers_share_each_listener(self, lab: Lab) -> None:
        for namespace in lab.namespaces:
            for row in ss(namespace, "-tlp"):
                assert row[-1].count("pid=") == SMALL.workers

    def test_a_quarter_of_the_listeners_is_ipv6(self, lab: Lab) -> None:
        rows = [row for namespace in lab.namespaces for row in ss(namespace, "-tl")]
        assert sum("[::1]" in row[3] for row in rows) == SMALL.listeners * SMALL.ipv6


class TestTraffic:
    pytestmark = needs_kernel

    @staticmethod
    def sent(lab: Lab) -> dict[tuple[str, str, str], int]:
        """Bytes the remote end acknowledged, by namespace and both ends, of connections that talked."""
        counts = {}
        for namespace in lab.namespaces:
            for row in ss(namespace, "-tiO"):
                for word in row:
                    if word.startswith("bytes_acked:") and (sent := int(word.partition(":")[2])) > 1:
                        counts[namespace.name, row[3], row[4]] = sent
        return counts

    def test_only_the_active_share_talks_and_it_can_be_stopped(self) -> None:
        with Lab(TINY) as lab:
            talking = 2 * sum(namespace.share.active_pairs for namespace in lab.namespaces)
            until(lambda: len(self.sent(lab)) >= talking, "both ends of every active pair have sent")
            lab.traffic(lively=False)

            def still() -> bool:
                before = self.sent(lab)
                time.sleep(3 * TINY.interval)
                return before == self.sent(lab)

            until(still, "no counter moves")
            assert len(self.sent(lab)) == talking
            stopped = self.sent(lab)
            lab.traffic(lively=True)
            until(lambda: self.sent(lab) != stopped, "counters move again")


class TestNothingIsLeft:
    pytestmark = needs_kernel

    def test_after_the_block(self) -> None:
        with Lab(TINY) as lab:
            assert len(lab.leftovers()) == TINY.namespaces + TINY.processes
        assert lab.leftovers() == []

    def test_after_an_exception(self) -> None:
        lab = Lab(TINY)
        with pytest.raises(LookupError), lab:
            raise LookupError
        assert lab.leftovers() == []

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
    def test_after_its_user_is_ended_by(self, number: signal.Signals) -> None:
        command = [sys.executable, "-u", "-m", "tests.bench.lab", "--hold"]
        user = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)
        assert user.stdout is not None
        told = next(line for line in user.stdout if PREFIX in line)
        user.send_signal(number)
        user.wait(timeout=10)
        host = told.partition(PREFIX)[2].partition("-")[0]
        until(lambda: not netns.named(f"{PREFIX}{host}-"), "its namespaces are gone")
        until(lambda: not Path(f"/proc/{host}").exists(), "its host is gone")
