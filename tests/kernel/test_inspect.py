"""What is read of one process or namespace on request, against what the kernel and iproute2 say of the same."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyroute2 import IPRoute

from nettop.collector import inspect
from nettop.kernel import proc_details, routes
from nettop.kernel.netns import in_namespace
from nettop.kernel.procfs import Gone, ProcFS, parse_stat
from nettop.requests import InspectEnvironment, InspectNamespace, InspectProcess, Reply, answer_fields, parse_reply
from tests.support.sockets import SocketRoom

needs_root = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces, and giving up privileges, need root"),
]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def proc() -> ProcFS:
    return ProcFS()


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process with a known environment and directory, and a file, a pipe and a device open."""
    program = "import sys; f = open('notes.txt', 'w'); print('ready', flush=True); sys.stdin.read()"
    environment = {"TOKEN": "s3cret", "EMPTY": "", "ODD": "a=b\nc"}
    with subprocess.Popen(
        [sys.executable, "-I", "-c", program],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process
        process.kill()


def born(proc: ProcFS, pid: int) -> int:
    return parse_stat(proc.read_stat(pid)).start_time


def facts_of(proc: ProcFS, pid: int) -> dict[str, Any]:
    answer = inspect.inspect_process(proc, InspectProcess(pid, born(proc, pid)))
    assert answer.ok
    assert isinstance(answer.facts, dict)
    return answer.facts


# --- processes -------------------------------------------------------------------------------------------------------


def test_a_process_is_told_with_its_paths_files_and_memory(
    proc: ProcFS, sleeper: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    facts = facts_of(proc, sleeper.pid)
    assert facts["exe"] == os.path.realpath(sys.executable)
    assert facts["cwd"] == str(tmp_path)
    assert facts["root"] == "/"
    assert facts["pids"][0] == sleeper.pid
    assert facts["files"]["kinds"] == {"pipe": 2, "file": 1, "device": 1}
    assert facts["files"]["paths"] == [[2, "/dev/null"], [3, str(tmp_path / "notes.txt")]]
    assert facts["files"]["more"] is False
    assert sum(facts["threads"].values()) == 1
    assert facts["memory"]["peak"] > 1 << 20
    assert facts["io"]["written"] >= len("ready\n")
    assert facts["unreadable"] == {}


def test_limits_are_those_of_getrlimit(proc: ProcFS) -> None:
    limits = {name: (soft, hard) for name, soft, hard, _ in facts_of(proc, os.getpid())["limits"]}
    for name, number in (
        ("open files", resource.RLIMIT_NOFILE),
        ("stack size", resource.RLIMIT_STACK),
        ("core file size", resource.RLIMIT_CORE),
        ("cpu time", resource.RLIMIT_CPU),
    ):
        said = tuple(None if value == resource.RLIM_INFINITY else value for value in resource.getrlimit(number))
        assert limits[name] == said


def test_the_environment_is_told_only_when_asked_for(proc: ProcFS, sleeper: subprocess.Popen[bytes]) -> None:
    assert "s3cret" not in json.dumps(facts_of(proc, sleeper.pid))
    answer = inspect.inspect_environment(proc, InspectEnvironment(sleeper.pid, born(proc, sleeper.pid)))
    assert isinstance(answer.facts, dict)
    assert answer.facts["variables"] == [["TOKEN", "s3cret"], ["EMPTY", ""], ["ODD", "a=b\nc"]]
    assert answer.facts["more"] is False


def test_a_pid_that_belongs_to_another_process_now_is_refused(proc: ProcFS, sleeper: subprocess.Popen[bytes]) -> None:
    other = born(proc, sleeper.pid) + 1
    with pytest.raises(Gone):
        inspect.inspect_process(proc, InspectProcess(sleeper.pid, other))
    with pytest.raises(Gone):
        inspect.inspect_environment(proc, InspectEnvironment(sleeper.pid, other))


def test_a_process_that_has_ended_is_gone_and_a_zombie_has_no_files(
    proc: ProcFS, sleeper: subprocess.Popen[bytes]
) -> None:
    start_time = born(proc, sleeper.pid)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    facts = facts_of(proc, sleeper.pid)
    assert facts["exe"] is None
    assert facts["limits"]
    sleeper.wait()
    with pytest.raises(Gone):
        inspect.inspect_process(proc, InspectProcess(sleeper.pid, start_time))


def test_threads_are_counted_by_their_names(proc: ProcFS) -> None:
    done = threading.Event()
    names = proc_details.read_threads(proc, os.getpid())
    threads = [threading.Thread(target=done.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        more = proc_details.read_threads(proc, os.getpid())
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert sum(more.values()) == sum(names.values()) + 3


def test_of_very_many_files_the_first_are_looked_at(proc: ProcFS) -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < proc_details.FILES + 100:
        pytest.skip(f"a process may open only {soft} files here")
    held = [os.dup(0) for _ in range(proc_details.FILES)]
    try:
        files = proc_details.read_files(proc, os.getpid())
    finally:
        for fd in held:
            os.close(fd)
    assert files.more
    assert sum(files.kinds.values()) == proc_details.FILES
    assert len(files.paths) <= proc_details.PATHS


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="giving up privileges needs root")
def test_without_privilege_what_may_not_be_read_is_named_with_the_reason(sleeper: subprocess.Popen[bytes]) -> None:
    program = """
import json, os, sys
from nettop.collector import inspect
from nettop.kernel.procfs import ProcFS, parse_stat
from nettop.requests import InspectEnvironment, InspectProcess
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
proc, pid = ProcFS(), int(sys.argv[1])
start_time = parse_stat(proc.read_stat(pid)).start_time
print(json.dumps(inspect.inspect_process(proc, InspectProcess(pid, start_time)).facts))
try:
    inspect.inspect_environment(proc, InspectEnvironment(pid, start_time))
except PermissionError as error:
    print(error.strerror)
"""
    command = [sys.executable, "-c", program, str(sleeper.pid)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    told, refused = done.stdout.splitlines()
    facts = json.loads(told)
    assert facts["unreadable"].keys() == {"exe", "cwd", "root", "io", "files"}
    assert set(facts["unreadable"].values()) == {os.strerror(errno.EACCES)}
    assert facts["limits"]
    assert refused == os.strerror(errno.EACCES)


def test_the_facts_survive_the_way_to_the_screen(proc: ProcFS) -> None:
    answer = inspect.inspect_process(proc, InspectProcess(os.getpid(), born(proc, os.getpid())))
    line = json.dumps(answer_fields(Reply(1, answer)))
    assert parse_reply(json.loads(line), len(line)).answer == answer


# --- namespaces ------------------------------------------------------------------------------------------------------


@pytest.fixture
def room() -> Iterator[SocketRoom]:
    with SocketRoom("ways") as made:
        for command in (
            "link add inner type veth peer name outer",
            "link set inner up",
            "link set outer up",
            "address add 10.7.0.1/24 dev inner",
            "address add 2001:db8::1/64 dev inner nodad",
            "route add default via 10.7.0.254 metric 7",
            "route add 192.0.2.0/24 nexthop via 10.7.0.2 nexthop via 10.7.0.3",
            "route add unreachable 198.51.100.0/24",
            "route add 203.0.113.0/24 dev inner table 100",
            "-6 route add default via 2001:db8::fe",
            "neigh add 10.7.0.2 lladdr 02:00:00:00:00:02 dev inner nud permanent",
            "neigh add 2001:db8::2 lladdr 02:00:00:00:00:06 dev inner nud stale",
        ):
            made.run("ip", *command.split())
        yield made


def path_of(room: SocketRoom) -> str:
    return f"/run/netns/{room.name}"


class TestWays:
    pytestmark = needs_root

    def test_routes_are_what_ip_shows(self, room: SocketRoom) -> None:
        ways = routes.read_ways(path_of(room))
        shown = set()
        for family in ("-4", "-6"):
            for entry in json.loads(room.run("ip", family, "-j", "-d", "route", "show", "table", "all")):
                if entry.get("table") == "local":
                    continue
                for hop in entry.get("nexthops", [entry]):
                    shown.add((entry["dst"], hop.get("gateway"), hop.get("dev"), entry["type"], entry["protocol"]))
        assert {
            (r.to, r.via, ways.interfaces[r.interface] if r.interface else None, r.kind, r.origin)
            for r in ways.routes
            if r.interface != 1  # ip leaves lo's unreachable default of IPv6 out, or says lo
        } >= {row for row in shown if row[2] != "lo"}
        assert len(ways.routes) >= len(shown)
        of_table = {r.to: r.table for r in ways.routes}
        assert (of_table["203.0.113.0/24"], of_table["198.51.100.0/24"]) == ("100", "main")
        assert {r.metric for r in ways.routes if r.via == "10.7.0.254"} == {7}

    def test_every_hop_of_a_route_is_a_row(self, room: SocketRoom) -> None:
        hops = [r.via for r in routes.read_ways(path_of(room)).routes if r.to == "192.0.2.0/24"]
        assert sorted(filter(None, hops)) == ["10.7.0.2", "10.7.0.3"]

    def test_pyroute2_reads_the_same_destinations(self, room: SocketRoom) -> None:
        def ask() -> set[tuple[str | None, str | None]]:
            with IPRoute() as route:
                return {
                    (message.get_attr("RTA_DST"), message.get_attr("RTA_GATEWAY"))
                    for message in route.get_routes()
                    if message.get_attr("RTA_TABLE") != 255 and not message.get_attr("RTA_MULTIPATH")
                }

        ours = {
            (None if r.to == "default" else r.to.partition("/")[0], r.via)
            for r in routes.read_ways(path_of(room)).routes
            if r.to != "192.0.2.0/24"
        }
        assert ours == in_namespace(path_of(room), ask)

    def test_neighbours_are_what_ip_shows(self, room: SocketRoom) -> None:
        ways = routes.read_ways(path_of(room))
        shown = {
            (entry["dst"], entry["dev"], entry.get("lladdr"), entry["state"][0].lower())
            for entry in json.loads(room.run("ip", "-j", "neigh"))
        }
        assert {(n.address, ways.interfaces[n.interface], n.link, n.state) for n in ways.neighbours} == shown
        assert ("10.7.0.2", "inner", "02:00:00:00:00:02", "permanent") in shown

    def test_of_very_many_routes_the_first_are_read(self, room: SocketRoom, tmp_path: Path) -> None:
        batch = tmp_path / "routes"
        batch.write_text("".join(f"route add blackhole 172.16.{n >> 8}.{n & 255}\n" for n in range(routes.MOST + 200)))
        room.run("ip", "-batch", str(batch))
        ways = routes.read_ways(path_of(room))
        assert ways.more
        assert len(ways.routes) == routes.MOST
        assert ways.neighbours, "they are read all the same"

    def test_the_answer_names_interfaces(self, room: SocketRoom) -> None:
        answer = inspect.inspect_namespace(path_of(room), InspectNamespace(room.netns))
        assert isinstance(answer.facts, dict)
        assert ["10.7.0.2", "inner", "02:00:00:00:00:02", "permanent"] in answer.facts["neighbours"]
        assert ["198.51.100.0/24", None, None, None, None, "unreachable", "boot", "main"] in answer.facts["routes"]
        line = json.dumps(answer_fields(Reply(1, answer)))
        assert parse_reply(json.loads(line), len(line)).answer == answer

    def test_a_namespace_that_is_gone_or_may_not_be_entered_is_an_error(self, room: SocketRoom) -> None:
        with pytest.raises(FileNotFoundError):
            inspect.inspect_namespace("/run/netns/no-such-name", InspectNamespace(1))
        program = "import sys; from nettop.kernel import routes; routes.read_ways(sys.argv[1])"
        bare = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-c", program, path_of(room)]
        done = subprocess.run(bare, cwd=ROOT, capture_output=True, text=True, check=False)
        assert "PermissionError" in done.stderr


def test_our_own_namespace_needs_no_privilege() -> None:
    assert routes.read_ways(None).interfaces[1] == "lo"


def test_a_namespace_nobody_knows_is_refused_in_words() -> None:
    answer = inspect.inspect_namespace(None, InspectNamespace(7))
    assert not answer.ok
    assert "7" in answer.text
