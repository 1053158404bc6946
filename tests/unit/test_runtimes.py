"""What runtimes say of containers is read, bounded and never trusted; and none of them keeps nettop waiting."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop.runtimes import containerd, crio, engine, unix_http
from nettop.runtimes.facts import LABELS, TEXT, ContainerFacts, RuntimeTrouble, timestamp
from nettop.runtimes.runtimes import Key, Runtimes

ID = "f" * 64
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
)
NAMES = st.sampled_from(["Name", "Config", "State", "Labels", "Image", "Status", "Pid", "RestartCount", "StartedAt"])
SHAPED = st.recursive(
    JSON, lambda children: st.dictionaries(NAMES, children, min_size=1), max_leaves=20
)  # JSON that has the right names in the wrong places


class TestAnswers:
    def test_docker_tells_name_image_state_and_restarts(self) -> None:
        answer = {
            "Id": ID,
            "Name": "/web",
            "RestartCount": 2,
            "State": {"Status": "running", "Pid": 4711, "StartedAt": "2026-03-01T12:00:00.5+01:00"},
            "Config": {"Image": "nginx:1.27", "Labels": {"role": "front"}},
        }
        facts = engine.parse_inspect("docker", ID, answer)
        assert (facts.name, facts.image, facts.state, facts.restarts) == ("web", "nginx:1.27", "running", 2)
        assert (facts.pid, facts.started, facts.labels) == (4711, 1772362800.5, (("role", "front"),))

    def test_a_container_of_a_pod_goes_by_its_name_there(self) -> None:
        labels = {"io.kubernetes.container.name": "nginx", "io.kubernetes.pod.name": "web-0"}
        answer = {"Name": "/k8s_nginx_web-0_shop_1b4e28ba_0", "Config": {"Labels": labels}}
        assert engine.parse_inspect("docker", ID, answer).name == "nginx"

    def test_crio_tells_name_and_pod(self) -> None:
        answer = {
            "name": "k8s_nginx_web-0_shop_1b4e28ba_0",
            "pid": 4711,
            "image": "docker.io/library/nginx:1.27",
            "created_time": 1772362800000000000,
            "labels": {"io.kubernetes.container.name": "nginx", "io.kubernetes.pod.name": "web-0"},
            "annotations": {"io.kubernetes.pod.namespace": "shop"},
            "sandbox": "e" * 64,
        }
        facts = crio.parse_container(ID, answer)
        assert (facts.name, facts.pod, facts.k8s_namespace, facts.pid) == ("nginx", "web-0", "shop", 4711)
        assert facts.started == 1772362800.0

    def test_a_bundle_of_containerd_tells_pod_and_image(self, tmp_path: Path) -> None:
        bundle = tmp_path / "io.containerd.runtime.v2.task/k8s.io" / ID
        bundle.mkdir(parents=True)
        marks = {"io.kubernetes.cri.container-name": "nginx", "io.kubernetes.cri.image-name": "nginx:1.27"}
        (bundle / "config.json").write_text(json.dumps({"annotations": marks}))
        (bundle / "init.pid").write_text("4711")
        facts = containerd.ask(str(tmp_path), ID)
        assert facts is not None
        assert (facts.name, facts.image, facts.pid) == ("nginx", "nginx:1.27", 4711)
        assert containerd.ask(str(tmp_path), "e" * 64) is None

    def test_crio_tells_which_container_only_holds_a_pod(self) -> None:
        answer = {
            "name": "k8s_POD_web-0_shop_1b4e28ba_0",
            "labels": {"io.kubernetes.pod.name": "web-0"},
            "annotations": {"io.kubernetes.pod.namespace": "shop"},
            "crio_annotations": {"io.kubernetes.cri-o.ContainerType": "sandbox"},
        }
        facts = crio.parse_container(ID, answer)
        assert (facts.sandbox, facts.pod, facts.k8s_container) == (True, "web-0", None)

    def test_an_engine_that_answers_about_another_container_is_not_believed(self) -> None:
        with pytest.raises(RuntimeTrouble, match="another container"):
            engine.parse_inspect("docker", ID, {"Id": "f" * 63 + "e", "Name": "/web"})

    @given(SHAPED)
    def test_whatever_a_runtime_says_facts_are_bounded(self, answer: Any) -> None:
        for facts in (engine.parse_inspect("docker", ID, answer), crio.parse_container(ID, answer)):
            for value in facts:
                assert not isinstance(value, str) or len(value) <= TEXT
            assert len(facts.labels) <= LABELS

    @given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
    def test_a_bundle_makes_facts_or_trouble(self, data: bytes) -> None:
        with contextlib.suppress(RuntimeTrouble):
            assert isinstance(containerd.parse_bundle(ID, data, None), ContainerFacts)

    @pytest.mark.parametrize(
        ("said", "seconds"),
        [
            ("1970-01-01T00:00:10Z", 10.0),
            ("1970-01-01T01:00:10.25+01:00", 10.25),
            ("0001-01-01T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("yesterday", None),
            (12, None),
        ],
    )
    def test_times(self, said: Any, seconds: float | None) -> None:
        assert timestamp(said) == seconds


# --- servers that behave, and servers that do not -------------------------------------------------------------------


Behaviour = Callable[[socket.socket], None]


@contextlib.contextmanager
def served(path: Path, behave: Behaviour) -> Iterator[str]:
    """A server on a unix socket that treats every connection like that."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        over = threading.Event()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while not over.is_set():
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.recv(65536)
                        behave(connection)

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield str(path)
        finally:
            over.set()
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def answer(document: Any, status: str = "200 OK") -> Behaviour:
    body = json.dumps(document).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    return lambda connection: connection.sendall(head + body)


def hang(connection: socket.socket) -> None:
    connection.settimeout(20)
    connection.recv(1)


def drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.02)


def flood(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n[")
    for _ in range(100):
        connection.sendall(b" " * (1 << 20))


def half(connection: socket.socket) -> None:
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"Name": ')


def noise(connection: socket.socket) -> None:
    connection.sendall(b"\x00\xff" * 500 + b"\r\n\r\n")


def deep(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000)


MISBEHAVIOUR = {
    "hangs": (hang, "in time"),
    "drips": (drip, "in time"),
    "floods": (flood, "larger than 1 MB"),
    "closes half-way": (half, "no sense"),
    "speaks no http": (noise, "cannot be asked"),
    "nests": (deep, "no sense"),
    "refuses": (answer({}, "500 Internal Server Error"), "status 500"),
}


class TestServers:
    def test_a_document_is_read(self, tmp_path: Path) -> None:
        with served(tmp_path / "s", answer({"Name": "/web"})) as path:
            assert unix_http.get(path, "/containers/x/json") == {"Name": "/web"}

    def test_what_a_server_does_not_know_is_none(self, tmp_path: Path) -> None:
        with served(tmp_path / "s", answer({}, "404 Not Found")) as path:
            assert unix_http.get(path, "/containers/x/json") is None

    @pytest.mark.parametrize("behaviour", list(MISBEHAVIOUR))
    def test_a_server_that_misbehaves_is_trouble_and_soon(self, behaviour: str, tmp_path: Path) -> None:
        behave, reason = MISBEHAVIOUR[behaviour]
        began = time.monotonic()
        with served(tmp_path / "s", behave) as path, pytest.raises(RuntimeTrouble, match=reason):
            unix_http.get(path, "/", patience=0.5)
        assert time.monotonic() - began < 5

    def test_no_server_is_trouble(self, tmp_path: Path) -> None:
        with pytest.raises(RuntimeTrouble, match="does not run here"):
            unix_http.get(str(tmp_path / "none"), "/")


def wait_for(runtimes: Runtimes, key: Key) -> ContainerFacts | None:
    """The answer to a question; fails after 20 seconds."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        answers = runtimes.take()
        if key in answers:
            return answers[key]
        time.sleep(0.01)
    raise AssertionError(f"no answer about {key}")


def wait_for_name(runtimes: Runtimes, key: Key, name: str) -> None:
    """An answer that tells this name; fails as `wait_for`, or where nobody knows the container."""
    told = None
    while told != name:
        facts = wait_for(runtimes, key)
        assert facts is not None, runtimes.troubles()
        told = facts.name


class TestRuntimes:
    def test_asking_never_waits(self, tmp_path: Path) -> None:
        with served(tmp_path / "docker", hang) as path:
            runtimes = Runtimes({"docker": (path,)})
            began = time.monotonic()
            for _ in range(10_000):
                runtimes.ask("docker", ID)
            assert runtimes.take() == {}
            assert time.monotonic() - began < 1
            runtimes.close()

    def test_a_runtime_that_hangs_keeps_no_other_waiting(self, tmp_path: Path) -> None:
        with (
            served(tmp_path / "docker", hang) as docker,
            served(tmp_path / "podman", answer({"Name": "db"})) as podman,
        ):
            runtimes = Runtimes({"docker": (docker,), "podman": (podman,)})
            runtimes.ask("docker", ID)
            runtimes.ask("podman", ID)
            facts = wait_for(runtimes, ("podman", ID))
            assert facts is not None
            assert facts.name == "db"
            assert wait_for(runtimes, ("docker", ID)) is None
            assert runtimes.troubles() == {"docker": "it does not answer in time"}
            runtimes.close()

    def test_where_the_cgroup_does_not_tell_the_runtime_all_are_asked(self, tmp_path: Path) -> None:
        with (
            served(tmp_path / "docker", answer({}, "404 Not Found")) as docker,
            served(tmp_path / "crio", answer({"name": "nginx"})) as crio_socket,
        ):
            runtimes = Runtimes({"docker": (docker,), "crio": (crio_socket,)})
            runtimes.ask("kubernetes", ID)
            facts = wait_for(runtimes, ("kubernetes", ID))
            assert facts is not None
            assert (facts.name, facts.runtime) == ("nginx", "crio")
            runtimes.close()

    def test_without_a_runtime_the_answer_is_none(self, tmp_path: Path) -> None:
        before = threading.active_count()
        runtimes = Runtimes({"docker": (str(tmp_path / "none"),)})
        runtimes.ask("docker", ID)
        assert wait_for(runtimes, ("docker", ID)) is None
        assert threading.active_count() <= before

    def test_that_there_is_nobody_to_ask_is_told_until_there_is(self, tmp_path: Path) -> None:
        runtimes = Runtimes({"docker": (str(tmp_path / "docker"),)})
        runtimes.ask("docker", ID)
        assert runtimes.troubles() == {"docker": "none is found where it usually is"}
        with served(tmp_path / "docker", answer({"Name": "/web"})):
            runtimes.ask("docker", ID)
            assert runtimes.troubles() == {}
            runtimes.close()

    def test_who_is_not_asked_any_more_is_missed_no_more(self) -> None:
        runtimes = Runtimes({})
        for kind, container_id in (("kubernetes", ID), ("container", ID)):
            runtimes.ask(kind, container_id)
            assert list(runtimes.troubles()) == ["an unknown runtime"]
            runtimes.forget(kind, container_id)
            assert runtimes.troubles() == {}

    def test_two_runtimes_whose_containers_begin_with_the_same_digits_are_not_mixed_up(self, tmp_path: Path) -> None:
        one, other = "ab" * 6 + "0" * 52, "ab" * 6 + "1" * 52
        with (
            served(tmp_path / "docker", answer({"Id": one, "Name": "/web"})) as docker,
            served(tmp_path / "podman", answer({"Id": other, "Name": "db"})) as podman,
        ):
            runtimes = Runtimes({"docker": (docker,), "podman": (podman,)})
            for key, name in ((("docker", one), "web"), (("podman", other), "db")):
                runtimes.ask(*key)
                facts = wait_for(runtimes, key)
                assert facts is not None
                assert facts.name == name
            runtimes.ask("podman", one)  # the same digits, and not its own
            assert wait_for(runtimes, ("podman", one)) is None
            assert runtimes.troubles() == {"podman": "it answers about another container"}
            runtimes.close()

    def test_what_happened_while_an_engine_was_away_is_asked_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("nettop.runtimes.runtimes.PAUSE", 0.05)
        listening, stopped, back = threading.Event(), threading.Event(), threading.Event()

        def behave(connection: socket.socket, request: bytes) -> None:
            if b"/events" not in request:
                answer({"Name": "/after" if back.is_set() else "/before"})(connection)
            elif not listening.is_set():
                listening.set()
                stopped.wait(20)  # then the stream ends, and another begins
            else:
                back.set()
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                hang(connection)

        with concurrently_served(tmp_path / "docker", behave) as path:
            runtimes = Runtimes({"docker": (path,)})
            runtimes.ask("docker", ID)
            wait_for_name(runtimes, ("docker", ID), "before")
            assert listening.wait(20)
            stopped.set()
            wait_for_name(runtimes, ("docker", ID), "after")
            runtimes.close()

    def test_a_change_is_answered_without_a_question(self, tmp_path: Path) -> None:
        changed = threading.Event()

        def behave(connection: socket.socket, request: bytes) -> None:
            if b"/events" in request:
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                changed.wait(20)
                connection.sendall(json.dumps({"Actor": {"ID": ID}, "Action": "rename"}).encode() + b"\n")
                hang(connection)
            else:
                answer({"Name": "/after" if changed.is_set() else "/before"})(connection)

        with concurrently_served(tmp_path / "docker", behave) as path:
            runtimes = Runtimes({"docker": (path,)})
            runtimes.ask("docker", ID)
            wait_for_name(runtimes, ("docker", ID), "before")
            changed.set()
            wait_for_name(runtimes, ("docker", ID), "after")
            runtimes.close()


@contextlib.contextmanager
def concurrently_served(path: Path, behave: Callable[[socket.socket, bytes], None]) -> Iterator[str]:
    """As `served`, a thread a connection, with what the client asked."""
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            behave(connection, connection.recv(65536))

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    thread = threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True)
                    threads.append(thread)
                    thread.start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield os.fspath(path)
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
