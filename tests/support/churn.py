"""Short connections of known sizes, and the truth about them: who made which, how many bytes went where.

    with Churn(["ns-a", "ns-b"]) as churn:
        truth = churn.run(short=20, long=2, each=40, failures=2)

Servers and clients are processes of their own in namespaces that exist already. Needs root and iproute2.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import NamedTuple, Self

_SERVER = """
import json, socket, sys, threading
listener = socket.socket(); listener.bind(("127.0.0.1", 0)); listener.listen(512)
closed = socket.socket(); closed.bind(("127.0.0.1", 0))  # a port that nobody listens at, and nobody else gets
print(json.dumps([listener.getsockname()[1], closed.getsockname()[1]]), flush=True)
def serve(peer):
    with peer:
        said = b""
        while len(said) < 8: said += peer.recv(8 - len(said))
        more, answer = int.from_bytes(said[:4], "big"), int.from_bytes(said[4:], "big")
        while more: more -= len(peer.recv(min(more, 65536)))
        peer.sendall(bytes(answer))
while True: threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()
"""

_CLIENT = """
import json, os, random, socket, sys, time
server, closed, connections, failures, hold, seed = json.loads(sys.argv[1])
dice, made, failed, sent, received = random.Random(seed), [], [], 0, 0
plan = [True] * connections + [False] * failures
dice.shuffle(plan)
for works in plan:
    near = socket.socket()
    if dice.random() < 0.5: near.settimeout(10)
    try:
        near.connect(("127.0.0.1", server if works else closed))
    except ConnectionRefusedError:
        failed.append(1); near.close(); continue
    ask, answer = dice.randrange(1, 20000), dice.randrange(0, 20000)
    near.sendall(ask.to_bytes(4, "big") + answer.to_bytes(4, "big") + bytes(ask))
    sent += 8 + ask
    left = answer
    while left: left -= len(near.recv(min(left, 65536)))
    received += answer
    time.sleep(dice.random() * hold)
    made.append(near.getsockname()[1])
    if dice.random() < 0.5: near.recv(1)  # the end of the answer: the other end closes first
    near.close()
print(json.dumps([os.getpid(), made, len(failed), sent, received]), flush=True)
sys.stdin.read()
"""


class Client(NamedTuple):
    """What one client did."""

    netns: str
    """Name of its namespace."""
    server: int
    """Port."""
    pid: int
    ports: list[int]
    """Its own end of each connection that was made."""
    failed: int
    sent: int
    """Bytes of payload."""
    received: int


def ends_of(clients: Sequence[Client], servers: Mapping[str, int]) -> dict[tuple[str, int, int], int]:
    """Whose each end of each connection was: namespace, own port and the other one → pid. `servers` as in `Churn`. Of
    two connections with the same ends, one after the other, neither is told."""
    made = [(client.netns, port, client.server) for client in clients for port in client.ports]
    twice = {ends for ends, times in Counter(made).items() if times > 1}
    near = {
        ends: client.pid
        for client in clients
        for port in client.ports
        if (ends := (client.netns, port, client.server)) not in twice
    }
    far = {(name, server, port): servers[name] for name, port, server in near}
    return {**near, **far}


class Churn:
    """A server in each of some namespaces, and clients as they are asked for."""

    def __init__(self, names: Sequence[str]) -> None:
        self.servers: dict[str, int] = {}
        """Pid of the server in each namespace, by its name."""
        self._names = names
        self._ports: dict[str, list[int]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for name in self._names:
            running = self._begin(name, _SERVER, None)
            assert running.stdout is not None
            self._ports[name] = json.loads(running.stdout.readline())
            self.servers[name] = running.pid
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def run(
        self,
        meanwhile: Callable[[], object],
        *,
        short: int,
        long: int,
        connections: int,
        failures: int,
        hold: float = 0.02,
    ) -> list[Client]:
        """Let `short` clients end when they are done and `long` ones stay, spread over the namespaces, `connections`
        and `failures` each. `meanwhile` is called until all are done, and should take a moment."""
        running = []
        for number in range(short + long):
            name = self._names[number % len(self._names)]
            plan = [*self._ports[name], connections, failures, hold, number]
            client = self._begin(name, _CLIENT, plan)
            assert client.stdin is not None
            if number < short:
                client.stdin.close()
            running.append((name, client))
        clients = []
        for name, client in running:
            assert client.stdout is not None
            while not _readable(client):
                meanwhile()
            clients.append(Client(name, self._ports[name][0], *json.loads(client.stdout.readline())))
        return clients

    def _begin(self, name: str, program: str, plan: object) -> subprocess.Popen[str]:
        arguments = [] if plan is None else [json.dumps(plan)]
        command = ["ip", "netns", "exec", name, sys.executable, "-I", "-S", "-c", program, *arguments]
        running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._stack.callback(_end, running)
        return running


def _readable(client: subprocess.Popen[str]) -> bool:
    assert client.stdout is not None
    waiting = select.poll()  # a collector in this process may hold more descriptors than select() can number
    waiting.register(client.stdout, select.POLLIN)
    return bool(waiting.poll(0))


def _end(running: subprocess.Popen[str]) -> None:
    with running:  # which closes its pipes and waits
        running.kill()
