"""Into a real network namespace and back, and nothing left behind that would hold it."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from nettop.kernel import netns
from nettop.kernel.net_dev import parse_counters
from nettop.kernel.net_files import NetFiles
from tests.support import netns as lab

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]


@pytest.fixture
def room() -> Iterator[str]:
    name = f"nettop-test-{os.getpid()}-netns"
    lab.add(name)
    yield name
    lab.delete(name)


def path_of(room: str) -> str:
    return f"/run/netns/{room}"


def test_a_named_namespace_is_found_with_the_identity_its_processes_have(room: str) -> None:
    with subprocess.Popen(["ip", "netns", "exec", room, "cat"], stdin=subprocess.PIPE) as process:
        deadline = time.monotonic() + 5
        while (identity := netns.of_process(process.pid)) == netns.current() and time.monotonic() < deadline:
            time.sleep(0.002)
        assert identity in [mount.identity for mount in netns.mounted() if mount.name == room]
        assert process.stdin is not None
        process.stdin.close()


def test_an_anonymous_namespace_is_known_by_its_process() -> None:
    with subprocess.Popen(["unshare", "-n", "cat"], stdin=subprocess.PIPE) as process:
        deadline = time.monotonic() + 5
        while netns.of_process(process.pid) == netns.current() and time.monotonic() < deadline:
            time.sleep(0.002)
        assert netns.of_process(process.pid) != netns.current()
        assert netns.of_process(process.pid)[0] == netns.current()[0]
        assert process.stdin is not None
        process.stdin.close()


def test_what_is_no_namespace_is_not_listed(tmp_path: Path, room: str) -> None:
    (tmp_path / "left-over").touch()
    (tmp_path / "dangling").symlink_to("/proc/0/ns/net")
    (tmp_path / "linked").symlink_to(path_of(room))
    (tmp_path / os.fsdecode(b"odd\xff")).symlink_to(path_of(room))
    found = netns.mounted([str(tmp_path), "/no/such/directory"])
    assert [mount.name for mount in found] == ["linked", "odd\ufffd"]
    assert {mount.identity for mount in found} == {netns.of_path(path_of(room))}


def test_the_body_runs_inside_and_the_thread_returns(room: str) -> None:
    home = netns.current()
    with netns.enter(path_of(room)):
        assert netns.current() == netns.of_path(path_of(room))
    assert netns.current() == home


def test_an_error_inside_still_returns(room: str) -> None:
    home = netns.current()
    with pytest.raises(ZeroDivisionError), netns.enter(path_of(room)):
        _ = 1 / 0
    assert netns.current() == home


def test_calls_nest_and_a_descriptor_will_do(room: str) -> None:
    home = netns.current()
    descriptor = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        with netns.enter(path_of(room)):
            assert netns.in_namespace(descriptor, netns.current) == home
            assert netns.current() == netns.of_path(path_of(room))
    finally:
        os.close(descriptor)


def test_only_the_calling_thread_moves(room: str) -> None:
    home = netns.current()
    inside, checked = threading.Event(), threading.Event()

    def visit() -> None:
        with netns.enter(path_of(room)):
            inside.set()
            checked.wait(5)

    visitor = threading.Thread(target=visit)
    visitor.start()
    assert inside.wait(5)
    assert netns.current() == home
    checked.set()
    visitor.join()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # it is what is asked for
def test_a_thread_that_cannot_return_ends(room: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reached: list[str] = []

    def visit() -> None:
        with netns.enter(path_of(room)):
            monkeypatch.setattr(netns, "_setns", refuse)
        reached.append("after")

    def refuse(_descriptor: int, name: str) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", name)

    visitor = threading.Thread(target=visit)
    visitor.start()
    visitor.join(5)
    assert not visitor.is_alive()
    assert reached == []


def test_a_missing_namespace_and_a_file_that_is_none_are_errors_with_their_path(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no-such-name"), netns.enter("/run/netns/no-such-name"):
        pass
    plain = tmp_path / "plain"
    plain.touch()
    with pytest.raises(OSError, match="plain") as caught, netns.enter(str(plain)):
        pass
    assert caught.value.errno == errno.EINVAL


def test_a_namespace_ends_with_its_name_once_our_socket_in_it_is_closed(room: str) -> None:
    ours, theirs = f"nt{os.getpid()}a", f"nt{os.getpid()}b"
    subprocess.run(["ip", "link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", room], check=True)
    inside = netns.in_namespace(path_of(room), lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4))
    lab.delete(room)
    # one end of a veth pair goes with the namespace of the other
    assert Path("/sys/class/net", ours).exists(), "an open socket holds the namespace"
    inside.close()
    deadline = time.monotonic() + 10
    while Path("/sys/class/net", ours).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not Path("/sys/class/net", ours).exists()


# --- what is kept between two looks ----------------------------------------------------------------------------------


def test_names_are_listed_again_when_one_comes_or_goes_and_not_before(
    room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[Sequence[str]] = []
    mounted = netns.mounted

    def count(directories: Sequence[str]) -> list[netns.Mount]:
        listed.append(directories)
        return mounted(directories)

    monkeypatch.setattr(netns, "mounted", count)
    watch = netns.MountWatch()
    try:
        assert watch.look(False)
        identity = netns.of_path(path_of(room))
        assert room in [mount.name for mount in watch.found[identity[1]]]
        other = f"{room}-other"
        lab.add(other)
        assert watch.look(False)
        assert other in [mount.name for mounts in watch.found.values() for mount in mounts]
        lab.delete(other)
        assert watch.look(False)
        assert other not in [mount.name for mounts in watch.found.values() for mount in mounts]
        assert len(listed) < 20, "others may make some meanwhile"
        del listed[:]
        looks = [watch.look(False) for _ in range(20)]
        assert len(listed) < 10, f"nothing comes or goes, or nearly nothing: {looks}"
    finally:
        watch.close()


def test_a_mount_over_a_name_that_was_there_is_noticed(room: str, tmp_path: Path) -> None:
    """`ip netns add` makes the file first and mounts later."""
    (tmp_path / "late").touch()
    watch = netns.MountWatch([str(tmp_path)])
    try:
        watch.look(False)
        assert not watch.found
        subprocess.run(["mount", "--bind", path_of(room), str(tmp_path / "late")], check=True)
        try:
            assert watch.look(False)
            assert list(watch.found) == [netns.of_path(path_of(room))[1]]
        finally:
            subprocess.run(["umount", str(tmp_path / "late")], check=True)
        assert watch.look(False)
        assert not watch.found
    finally:
        watch.close()


def test_a_link_that_leads_nowhere_any_more_is_noticed_when_processes_end(tmp_path: Path) -> None:
    watch = netns.MountWatch([str(tmp_path)])
    try:
        with subprocess.Popen(["unshare", "-n", "cat"], stdin=subprocess.PIPE) as process:
            (tmp_path / "linked").symlink_to(f"/proc/{process.pid}/ns/net")
            assert watch.look(False)
            assert process.stdin is not None
            process.stdin.close()
        assert watch.look(True)
        assert not watch.found
    finally:
        watch.close()


def counted(data: bytes) -> int:
    """Packets sent through lo."""
    return parse_counters(data)["lo"].tx_packets


def send_one() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"", ("127.0.0.1", 9))


def test_a_kept_file_tells_what_is_true_now_and_of_its_namespace_when_the_process_is_gone(room: str) -> None:
    with lab.entered(room):
        lab.loopback_up()
    files = NetFiles(netns.of_path(path_of(room))[1])
    try:
        with subprocess.Popen(["ip", "netns", "exec", room, "cat"], stdin=subprocess.PIPE) as process:
            deadline = time.monotonic() + 5
            while netns.of_process(process.pid) == netns.current() and time.monotonic() < deadline:
                time.sleep(0.002)
            files.lead(path_of(room), process.pid)
            before = counted(files.read("dev"))
            assert process.stdin is not None
            process.stdin.close()
        with lab.entered(room):
            send_one()
        assert counted(files.read("dev")) > before
        with pytest.raises((FileNotFoundError, ProcessLookupError)):
            files.read("snmp")
        files.lead(path_of(room), None)
        assert files.read("snmp").startswith(b"Ip:")
    finally:
        files.close()


def test_the_files_of_a_process_that_is_elsewhere_now_are_not_taken_for_those_of_the_namespace(room: str) -> None:
    files = NetFiles(netns.of_path(path_of(room))[1])
    files.lead(path_of(room), os.getpid())
    with pytest.raises(FileNotFoundError):
        files.read("dev")


def test_a_file_of_many_lines_is_read_to_its_end(room: str) -> None:
    links = [f"{end}{number}" for number in range(30) for end in ("near", "far")]
    commands = "".join(f"link add near{number} type veth peer name far{number}\n" for number in range(30))
    subprocess.run(["ip", "-n", room, "-batch", "-"], input=commands, text=True, check=True)
    files = NetFiles(netns.of_path(path_of(room))[1])
    try:
        files.lead(path_of(room), None)
        for _ in range(2):
            assert set(links) < set(parse_counters(files.read("dev")))
    finally:
        files.close()
