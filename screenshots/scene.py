"""A small web shop on this kernel, for the pictures: `python -m screenshots.scene`, started by `screenshots.make`.

Every process, namespace, socket and byte is real; only the names the programs go by are borrowed. Load comes in from
`wan` over a slow line, `edge` spreads it, `web` answers with the help of `cache` and `db`, and `jobs` works beside it;
in `docker` containers may run (see `screenshots.boxes`).
Some of it is in trouble, so that there is something to find: an accept queue that fills up, a program that does not
read, a line that loses packets.

It prints a line when everything runs, holds until standard input closes, and takes everything away again.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import pwd
import selectors
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple, NoReturn

from screenshots import slowline
from tests.support import netns
from tests.support.forks import die_with

BRIDGE = "br-shop"
"""In the namespace of the host; all others are plugged into it."""
HOST = "10.0.3.1"
WAN = ("203.0.113.9", "203.0.113.51", "203.0.113.77")
"""Clients somewhere out there (of TEST-NET-3, RFC 5737)."""
WAN6 = "2001:db8::9"
FRONT, FRONT6 = "203.0.113.1", "2001:db8::1"
NAMED = ("edge", "web", "db", "cache", "jobs", "docker")
ADDRESSES = {name: f"10.0.3.{10 * number}" for number, name in enumerate(NAMED, 1)}
EDGE, WEB, DB, CACHE, JOBS, DOCKER = ADDRESSES.values()
USERS = ("haproxy", "www-data", "postgres", "redis", "shop")
"""Who the programs run as; `screenshots.make` sees to it that they exist."""

_PR_SET_NAME = 15  # <linux/prctl.h>
_ZEROS = bytes(1 << 18)
_RESET, _LINGER = struct.pack("ii", 1, 0), struct.pack("ii", 0, 0)
"""SO_LINGER: what ends with its program does so at once, as a connection in mid-air would hold its namespace; or as
usual."""

_libc = ctypes.CDLL(None)


class Serve(NamedTuple):
    """Listen on every address of a family and answer each byte with `factor` bytes; or never accept."""

    port: int
    factor: int = 1
    backlog: int = 128
    accepts: bool = True
    address: str = "0.0.0.0"


class Ask(NamedTuple):
    """Connections to a server: `size` bytes on each every `every` seconds, 0 to keep them idle."""

    address: str
    port: int
    connections: int = 1
    size: int = 0
    every: float = 0.25
    reads: bool = True
    closes: bool = False
    """Each request has a connection of its own, which leaves TIME-WAIT behind."""
    sources: tuple[str, ...] = ()
    """Addresses to connect from, in turn."""
    kind: socket.SocketKind = socket.SOCK_STREAM


class Program(NamedTuple):
    """A process, or a master that shares its listeners with pre-forked workers, who then do its work."""

    netns: str
    user: str
    title: str
    """Its command line; the first word without its path is its name."""
    serves: tuple[Serve, ...] = ()
    asks: tuple[Ask, ...] = ()
    workers: tuple[str, ...] = ()
    """Their command lines."""
    worker_user: str = ""
    """Where it is another."""
    udp: tuple[tuple[str, int], ...] = ()
    unix: tuple[str, ...] = ()
    """Abstract addresses it listens on."""
    errand: str = ""
    """What it has a shell do over and over; it does nothing else then."""


NAMES = Ask(HOST, 53, kind=socket.SOCK_DGRAM)
FEED, SESSIONS, SEARCH = 8081, 8082, 8083
"""Ports of the containers in `screenshots.boxes`."""
CHECK = f"exec 3<>/dev/tcp/{WEB}/80; head -c 200 /dev/zero >&3; head -c 6000 <&3 >/dev/null; sleep 0.4"
"""Asks the web server something."""
SYSLOG = ("127.0.0.1", 514)

# fmt: off
PROGRAMS = (
    Program("", "root", "sshd: /usr/sbin/sshd -D [listener]", (Serve(22),)),
    Program("", "root", "/usr/bin/node_exporter", (Serve(9100, 60),)),
    Program("", "root", "/usr/sbin/dnsmasq --keep-in-foreground",
            udp=((HOST, 53), ("127.0.0.1", 53)), unix=("@dnsmasq",)),
    Program("", "root", "/usr/sbin/cron -f", errand=CHECK),
    Program("edge", "haproxy", "haproxy -W -f /etc/haproxy.cfg",
            (Serve(443, 40), Serve(443, 40, address="::"), Serve(8404)),
            (Ask(WEB, 80, 3, 900, 0.2), Ask(WEB, 80, 2, 300, 0.3), Ask(WEB, 80, 2)),
            ("haproxy -W -f /etc/haproxy.cfg",) * 2),
    Program("web", "root", "nginx: master process /usr/sbin/nginx", (Serve(80, 30),),
            (Ask(WEB, 8000, 2, 500), Ask(CACHE, 11211, 1, 240, 0.1)),
            ("nginx: worker process",) * 4, "www-data", udp=(SYSLOG,)),
    Program("web", "shop", "gunicorn: master [shop]", (Serve(8000, 22),),
            (Ask(DB, 5432, 1, 700, 0.2), Ask(DB, 5432), Ask(CACHE, 6379, 1, 350, 0.1)),
            ("gunicorn: worker [shop]",) * 4),
    Program("web", "www-data", "php-fpm: pool legacy", (Serve(9000, backlog=16, accepts=False),)),
    Program("web", "www-data", "nginx: cache manager process", asks=(Ask(WEB, 9000, 15),)),
    Program("db", "postgres", "postgres -D /var/lib/postgresql/15", (Serve(5432, 12),), (),
            ("postgres: shop 10.0.3.20(41872) SELECT", "postgres: shop 10.0.3.20(41886) SELECT",
             "postgres: shop 10.0.3.20(41890) idle", "postgres: shop 10.0.3.20(41904) UPDATE",
             "postgres: jobs 10.0.3.50(53310) INSERT", "postgres: jobs 10.0.3.50(53324) COPY"),
            unix=("@/postgresql/.s.PGSQL.5432",)),
    Program("db", "postgres", "postgres: checkpointer"),
    Program("db", "postgres", "postgres: background writer"),
    Program("db", "postgres", "postgres: walwriter"),
    Program("cache", "redis", "/usr/bin/redis-server *:6379", (Serve(6379, 9),), unix=("@/redis/redis.sock",)),
    Program("cache", "redis", "/usr/bin/memcached -m 512 -p 11211", (Serve(11211, 14),)),
    Program("jobs", "shop", "python3 worker.py --queue mail",
            asks=(Ask(CACHE, 6379, 1, 120), Ask(DB, 5432, 1, 90, 0.5), NAMES)),
    Program("jobs", "shop", "python3 worker.py --queue invoices",
            asks=(Ask(CACHE, 6379, 1, 80), Ask(DB, 5432, 1, 400, 0.2), NAMES)),
    Program("jobs", "shop", "python3 worker.py --queue thumbnails",
            asks=(Ask(CACHE, 6379, 1, 60), Ask(WEB, 80, 1, 2600))),
    Program("jobs", "shop", "python3 worker.py --queue index",
            asks=(Ask(DOCKER, SEARCH, 1, 90_000, 0.2), Ask(DOCKER, SESSIONS, 2, 12_000, 0.1))),
    Program("jobs", "shop", "python3 worker.py --queue feeds", asks=(Ask(DOCKER, FEED, 2, 6000, 0.3),)),
    Program("jobs", "postgres", "pg_dump --host=db --format=c shop",
            asks=(Ask(DB, 5432, 1, 20_000, 0.2, reads=False),)),
    Program("jobs", "root", "prometheus --config.file=/etc/shop.yml", (Serve(9090),),
            (Ask(HOST, 9100, 1, 60, 0.5), Ask(EDGE, 8404, 1, 90, 4.0, closes=True))),
    Program("wan", "shop", "wrk -t2 -c6 https://shop.example/",
            asks=(Ask(FRONT, 443, 4, 450, 0.2, sources=WAN), Ask(FRONT6, 443, 2, 700, 0.2))),
    Program("wan", "shop", "curl -O https://shop.example/all.csv",
            asks=(Ask(FRONT, 443, 1, 6000, 0.2, sources=WAN[1:]),)),
    Program("wan", "shop", "curl -O https://shop.example/all.zip", asks=(Ask(FRONT6, 443, 1, 2500, 0.2),)),
)
# fmt: on


def build() -> None:
    """Make the namespaces and the bridge between them."""
    names = (*ADDRESSES, "wan")
    netns.add(*names)
    for name in names:
        with netns.entered(name):
            netns.loopback_up()
    _ip([f"link add name {BRIDGE} type bridge", f"address add {HOST}/24 dev {BRIDGE}", *_up(BRIDGE)])
    for name, address in ADDRESSES.items():
        veth = f"veth-{name}"
        pair = f"link add name {veth} type veth peer name eth0 netns {name}"
        _ip([pair, f"link set {veth} master {BRIDGE}", *_up(veth)])
        _ip([f"address add {address}/24 dev eth0", *_up("eth0")], name)


def connect_wan() -> int:
    """Lay the slow line between `edge` and `wan`; the pid of the process that carries it."""
    lines = (("edge", "wan0", (FRONT,), FRONT6), ("wan", "eth0", WAN, WAN6))
    ends = []
    for name, device, ipv4, ipv6 in lines:
        ends.append(slowline.device(name, device))
        addresses = [*(f"{each}/24" for each in ipv4), f"{ipv6}/64"]
        _ip([*(f"address add {each} dev {device}" for each in addresses), *_up(device)], name)
    parent = os.getpid()
    if not (pid := os.fork()):
        _become("slowline", "root", parent)
        slowline.carry((ends[0], ends[1]))
    for end in ends:
        os.close(end)
    return pid


def _up(device: str) -> tuple[str, str]:
    """Bring up a device; without the link-local address that says nothing here."""
    return f"link set {device} addrgenmode none", f"link set {device} up"


def clear() -> None:
    """Take away what `build` made."""
    netns.delete(*ADDRESSES, "wan")
    subprocess.run(["ip", "link", "delete", BRIDGE], check=False, capture_output=True)


def _ip(lines: list[str], name: str | None = None) -> None:
    where = ["-n", name] if name else []
    subprocess.run(["ip", *where, "-batch", "-"], input="\n".join(lines), text=True, check=True)


# --- programs --------------------------------------------------------------------------------------------------------


def start(program: Program) -> int:
    """Fork a program; its pid. It ends with the process that forked it."""
    parent = os.getpid()
    pid = os.fork()
    if not pid:
        try:
            if program.netns:
                netns.enter(program.netns)
            _run(program, parent)
        except ConnectionError:
            pass  # the other end was the first to be taken away
        except BaseException as error:
            print(f"{program.title}: {error!r}", file=sys.stderr)
        os._exit(1)
    return pid


def _run(program: Program, parent: int) -> NoReturn:
    listeners = [(_listen(serve), serve) for serve in program.serves]
    idle: list[socket.socket] = []
    for address in program.udp:
        idle.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        idle[-1].bind(address)
    for path in program.unix:
        idle.append(socket.socket(socket.AF_UNIX))
        idle[-1].bind(f"\0{path[1:]}")
        idle[-1].listen()
    _become(program.title, program.user, parent)
    for title in program.workers:
        master = os.getpid()
        if not os.fork():
            for held in idle:
                held.close()
            _become(title, program.worker_user or program.user, master)
            _work(listeners, program.asks)
    if program.workers:
        _sleep()
    if program.errand:
        _run_errands(program.errand)
    _work(listeners, program.asks)


def _run_errands(command: str) -> NoReturn:
    while True:
        time.sleep(2.0)
        subprocess.run(["/bin/bash", "-c", command], check=False)


def _become(title: str, user: str, parent: int) -> None:
    """Take a name, a command line and a user, and end with the parent (a change of user forgets that)."""
    name = title.split(maxsplit=1)[0].rpartition("/")[2].rstrip(":")
    _libc.prctl(_PR_SET_NAME, name.encode())
    # arg_start and arg_end, fields 48 and 49 of /proc/PID/stat (proc(5)): the memory /proc/PID/cmdline shows
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    begin, end = int(fields[45]), int(fields[46])
    ctypes.memset(begin, 0, end - begin)
    ctypes.memmove(begin, title.encode(), min(len(title), end - begin - 1))
    os.setuid(pwd.getpwnam(user).pw_uid)
    os.chdir("/")
    die_with(parent)


def _listen(serve: Serve) -> socket.socket:
    family = socket.AF_INET6 if ":" in serve.address else socket.AF_INET
    listener = socket.create_server((serve.address, serve.port), family=family, backlog=serve.backlog)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    listener.setblocking(False)
    return listener


def _work(listeners: list[tuple[socket.socket, Serve]], asks: tuple[Ask, ...]) -> NoReturn:
    """Serve and ask for good. What a full send buffer does not take is dropped: rates bound themselves."""
    poll = selectors.DefaultSelector()
    for listener, serve in listeners:
        if serve.accepts:
            poll.register(listener, selectors.EVENT_READ, serve)
    asking: list[tuple[float, Ask, socket.socket]] = []
    now = time.monotonic()
    for ask in asks:
        for number in range(ask.connections):
            made = _connect(ask, number)
            if ask.reads:
                poll.register(made, selectors.EVENT_READ, 0)
            asking.append((now + ask.every * (1 + number / ask.connections), ask, made))
    while True:
        due = min((at for at, ask, _ in asking if ask.size), default=None)
        for key, _ in poll.select(None if due is None else max(0.0, due - time.monotonic())):
            _answer(poll, key)
        now = time.monotonic()
        for place, (at, ask, made) in enumerate(asking):
            if ask.size and now >= at:
                asking[place] = (at + ask.every, ask, _request(poll, ask, made))


def _answer(poll: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    """Accept a connection, or read what arrived and answer it."""
    sock = key.fileobj
    assert isinstance(sock, socket.socket)
    with contextlib.suppress(BlockingIOError):
        if isinstance(key.data, Serve):
            accepted, _ = sock.accept()
            accepted.setblocking(False)
            poll.register(accepted, selectors.EVENT_READ, key.data.factor)
        elif data := _received(sock, client=bool(key.data)):
            if key.data:
                sock.send(_ZEROS[: len(data) * key.data])
        else:
            poll.unregister(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)  # whoever closes first is not reset
            sock.close()
            if not key.data:
                raise ConnectionAbortedError("the other end has gone")


def _received(sock: socket.socket, *, client: bool) -> bytes:
    """What has arrived; of a client that left without a word, nothing more. Any other end of a connection goes only
    when the scene does."""
    try:
        return sock.recv(1 << 16)
    except ConnectionError:
        if client:
            return b""
        raise


def _request(poll: selectors.BaseSelector, ask: Ask, sock: socket.socket) -> socket.socket:
    """Send one request, over a connection of its own where it is to be closed again; the connection to use next."""
    if ask.closes:
        poll.unregister(sock)
        sock.close()
        sock = _connect(ask, 0)
        poll.register(sock, selectors.EVENT_READ, 0)
    with contextlib.suppress(BlockingIOError):
        tide = 0.75 + 0.25 * math.sin(time.monotonic() / 2) * math.sin(time.monotonic() / 1.3)
        sock.send(_ZEROS[: int(ask.size * tide)])
    return sock


def _connect(ask: Ask, number: int, patience: float = 60.0) -> socket.socket:
    """A connection, as soon as somebody listens."""
    deadline = time.monotonic() + patience
    while True:
        made = socket.socket(socket.AF_INET6 if ":" in ask.address else socket.AF_INET, ask.kind)
        if ask.sources:
            made.bind((ask.sources[number % len(ask.sources)], 0))
        if not ask.closes:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        try:
            made.connect((ask.address, ask.port))
        except OSError:
            made.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            made.setblocking(False)
            return made


def _sleep() -> NoReturn:
    while True:
        signal.pause()


def main() -> None:
    pids: list[int] = []
    clear()
    try:
        build()
        pids.append(connect_wan())
        pids += [start(program) for program in PROGRAMS]
        print("ready", flush=True)
        sys.stdin.read()
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            os.waitpid(pid, 0)
        clear()


if __name__ == "__main__":
    main()
