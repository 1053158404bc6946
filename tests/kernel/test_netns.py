"""Into a real network namespace and back, and nothing left behind that would hold it."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nettop.kernel import netns
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
