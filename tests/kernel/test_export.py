"""`nettop export` on a real kernel: what it says is what the plain views print, and what a real Prometheus reads."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from nettop.export.account import Account
from nettop.fields import CONTAINERS, NAMESPACES, PROCESSES, View
from tests.support.metrics import Samples, exported, parse, total, value
from tests.support.prometheus import prometheus, query
from tests.support.restricted import PYTHON, UNPRIVILEGED, staged
from tests.support.serving import serving
from tests.support.sockets import SocketRoom
from tests.support.watching import DEADLINE, Watch, process

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]

ROOT = Path(__file__).parents[2]
NETTOP = (sys.executable, "-m", "nettop")
MOVED = 250_000
"""Bytes that go one way in the room."""

T = TypeVar("T")


def until(ask: Callable[[], T | None], seconds: float = 30.0) -> T:
    """What is answered at last; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)
    return answer


@contextlib.contextmanager
def running(*arguments: str, program: Sequence[str] = NETTOP) -> Iterator[subprocess.Popen[str]]:
    """`nettop export`, which must end by SIGTERM as if nothing had been."""
    with subprocess.Popen([*program, "export", *arguments], stderr=subprocess.PIPE, text=True, cwd=ROOT) as nettop:
        try:
            yield nettop
            nettop.send_signal(signal.SIGTERM)
            assert nettop.wait(DEADLINE) == 0
        finally:
            nettop.kill()


def address(nettop: subprocess.Popen[str]) -> tuple[str, int]:
    """Where it serves, as it says."""
    assert nettop.stderr is not None
    said = urllib.parse.urlsplit(nettop.stderr.readline().split()[-1])
    assert said.hostname is not None
    assert said.port is not None
    assert said.path == "/metrics"
    return said.hostname, said.port


def scrape(host: str, port: int) -> Samples | None:
    """What it says now; None before the first picture."""
    connection = http.client.HTTPConnection(host, port, timeout=DEADLINE)
    with contextlib.closing(connection):
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        text = answer.read().decode()
    return parse(text) if answer.status == 200 else None


def printed(view: str, *arguments: str) -> list[dict[str, Any]]:
    """The rows of a plain view."""
    command = [*NETTOP, view, "--json", "--no-rates", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, cwd=ROOT)
    return [json.loads(line) for line in done.stdout.splitlines()]


def transfer(near: socket.socket, far: socket.socket, size: int) -> None:
    """Move bytes from one end to the other, a piece at a time: nobody else reads."""
    for _ in range(0, size, 10_000):
        near.sendall(b"x" * 10_000)
        left = 10_000
        while left:
            left -= len(far.recv(left))


@pytest.fixture
def room() -> Iterator[SocketRoom]:
    """Connections at rest that have moved something."""
    with SocketRoom("export") as made:
        listener = made.listener(port=8080, backlog=4)
        ends = [made.connect(listener) for _ in range(5)]
        for near, far in ends:
            transfer(near, far, MOVED)
        made.queued(listener, 3)
        yield made


# --- what it says -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("view", "scope"),
    [(PROCESSES, ("program",)), (CONTAINERS, ("container", "unit")), (NAMESPACES, ("namespace",))],
    ids=lambda given: getattr(given, "name", None),
)
def test_the_sums_are_those_of_the_plain_views(room: SocketRoom, view: View, scope: tuple[str, ...]) -> None:
    with Watch() as watch:
        account = Account(1000)
        picture = watch.until(lambda shown: shown if process(shown, os.getpid()) else None)
        account.take(picture)
    samples = exported(account)
    rows: list[Any] = list(view.rows(picture))
    if view is CONTAINERS:  # programs are told of by the name of their processes
        rows = [row for row in rows if row.container.contained or row.container.unit]
    for name in ("rx_bytes", "tx_bytes", "opened", "accepted", "failed", "closed"):
        get: Callable[[Any, float], Any] = view.field(name).get
        assert sum(total(samples, f"{each}_{name}_total") for each in scope) == sum(get(row, 0.0) or 0 for row in rows)
    assert value(samples, "namespace_connections", namespace=room.name, state="ESTAB") == 2 * 5 + 2 * 3


def test_it_serves_what_the_plain_views_print_and_leaves_quietly(room: SocketRoom) -> None:
    with running("--listen", "127.0.0.1:0", "-d", "0.2") as nettop:
        host, port = address(nettop)
        assert host == "127.0.0.1"
        said = until(lambda: scrape(host, port))
        (row,) = printed("namespaces", "-f", f"netns={room.netns}")
        assert value(said, "namespace_rx_bytes_total", namespace=room.name) == row["rx_bytes"] == 5 * MOVED
        assert value(said, "namespace_tx_bytes_total", namespace=room.name) == row["tx_bytes"]
        assert value(said, "namespace_listening", namespace=room.name) == row["listening"] == 1
        (listener,) = printed("connections", "-f", f"netns={room.netns} state=LISTEN")
        at = {"namespace": room.name, "address": "127.0.0.1", "port": "8080", "program": listener["comm"]}
        assert value(said, "listener_queue", **at) == listener["recvq"] == 3
        assert value(said, "listener_queue_limit", **at) == listener["sendq"] == 4
        assert value(said, "listener_queue_fill_ratio", **at) == 0.75
        assert value(said, "listener_rx_bytes_total", **at) == 5 * MOVED
    with pytest.raises(ConnectionRefusedError):
        scrape(host, port)


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv (util-linux) is not installed")
def test_an_ordinary_user_exports_what_a_service_tells(room: SocketRoom) -> None:
    of_a_user = staged(*UNPRIVILEGED, PYTHON, "-s", "-m", "nettop", "--config", os.devnull)
    with (
        serving() as made,
        running("--listen", "127.0.0.1:0", "--connect", str(made.path), program=of_a_user) as nettop,
    ):
        host, port = address(nettop)
        said = until(lambda: scrape(host, port))
    assert value(said, "namespace_rx_bytes_total", namespace=room.name) == 5 * MOVED, "which only root can see"
    assert total(said, "listener_queue", namespace=room.name) == 3


def test_a_connection_that_comes_and_goes_counts_for_the_listener(room: SocketRoom) -> None:
    with room.listener(port=9090) as listener, Watch() as watch:
        account = Account(1000)
        account.take(watch.tick())
        near, far = room.connect(listener)
        transfer(near, far, MOVED)
        near.close()
        far.close()

        def counted() -> bool:
            account.take(watch.tick())
            said = exported(account)
            return (
                total(said, "listener_rx_bytes_total", port="9090") == MOVED
                and total(said, "listener_accepted_total", port="9090") == 1
            )

        until(counted)
        for _ in range(3):
            assert counted(), "and only once, whatever becomes of its row"


def test_round_trips_are_observed_for_everybody_they_concern(room: SocketRoom) -> None:
    with room.listener(port=9091) as listener, Watch() as watch:
        near, far = room.connect(listener)
        account = Account(1000)
        account.take(watch.tick())
        transfer(near, far, MOVED)
        account.take(
            watch.until(lambda shown: shown if any(row.rx_rate for row in shown.connections.values()) else None)
        )
    said = exported(account)
    seen = total(said, "namespace_rtt_seconds_count", namespace=room.name)
    assert seen > 0
    assert total(said, "listener_rtt_seconds_count", port="9091") > 0
    assert total(said, "rtt_seconds_count") >= seen
    assert total(said, "namespace_rtt_seconds_bucket", namespace=room.name, le="+Inf") == seen


def test_the_file_is_replaced_as_a_whole(room: SocketRoom, tmp_path: Path) -> None:
    path = tmp_path / "nettop.prom"
    with running("--textfile", str(path), "-d", "0.2"):
        until(path.exists)
        said = parse(path.read_text())
        assert value(said, "namespace_rx_bytes_total", namespace=room.name) == 5 * MOVED
    assert list(tmp_path.iterdir()) == [path], "nothing is left behind"


def test_a_file_that_cannot_be_written_is_said_once_and_ends_nothing(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "nettop.prom"
    with running("--textfile", str(path), "--listen", "127.0.0.1:0", "-d", "0.2") as nettop:
        host, port = address(nettop)
        assert nettop.stderr is not None
        assert "the file is not written" in nettop.stderr.readline()
        until(lambda: scrape(host, port))


# --- what is asked of it ----------------------------------------------------------------------------------------------


def complaint(*arguments: str, code: int, **environment: str) -> str:
    """The one line of an export that cannot be."""
    done = subprocess.run(
        [*NETTOP, "export", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    return done.stderr


@pytest.mark.parametrize("text", ["", "9090", ":9090", "localhost", "localhost:http", "localhost:70000"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    assert "is no ADDR:PORT" in complaint("--listen", text, code=2)


def test_an_address_that_is_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "address already in use" in complaint("--listen", f"127.0.0.1:{taken.getsockname()[1]}", code=1)


def test_without_prometheus_client_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['prometheus_client'] = None\n")
    assert "pip install 'nettop[metrics]'" in complaint(code=1, PYTHONPATH=str(tmp_path))


# --- a real Prometheus ------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed")
def test_a_real_prometheus_reads_what_the_plain_views_print(room: SocketRoom, tmp_path: Path) -> None:
    with running("--listen", "127.0.0.1:0", "-d", "0.5") as nettop:
        host, port = address(nettop)
        with prometheus(tmp_path, f"{host}:{port}") as listen:

            def sum_of(name: str) -> float | None:
                found = query(listen, "query", query=f'sum(last_over_time({name}{{namespace="{room.name}"}}[1m]))')
                return float(found["result"][0]["value"][1]) if found and found["result"] else None

            until(lambda: sum_of("nettop_namespace_rx_bytes_total"))
            (row,) = printed("namespaces", "-f", f"netns={room.netns}")
            assert sum_of("nettop_namespace_rx_bytes_total") == row["rx_bytes"] == 5 * MOVED
            assert sum_of("nettop_namespace_tx_bytes_total") == row["tx_bytes"]
            rows = printed("connections", "-f", f"netns={room.netns} proto=tcp")
            assert sum_of("nettop_namespace_connections") == len(rows)
            assert sum_of("nettop_listener_rx_bytes_total") == sum(
                row["rx_bytes"] or 0 for row in rows if row["lport"] == 8080
            )
            assert until(lambda: query(listen, "targets")["activeTargets"][0]["health"] == "up")
            groups = until(
                lambda: [g for g in query(listen, "rules")["groups"] if all(r["health"] == "ok" for r in g["rules"])]
            )
            assert len(groups[0]["rules"]) == 10
