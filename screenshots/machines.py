"""Two machines for one of the pictures: an application on `web-01`, what it keeps its data in on `db-1`.

They are hosts as far as the kernel goes (see `tests.support.hosts`). nettop comes to them by its setting `ssh`: this
module is the command, and as over ssh the collector is sent along and runs there.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from screenshots.beside import NETTOP
from screenshots.scene import Ask, Program, Serve, start
from tests.support.hosts import Pair

WEB, DB = Pair.ADDRESSES
POSTGRES, REDIS, APP, EXPORTER = 5432, 6379, 8000, 9100
SELECT = Ask(DB, POSTGRES, 1, 2400, 0.1)
# fmt: off
PROGRAMS = {
    "web-01": (
        Program("", "root", "nginx: master process /usr/sbin/nginx", (Serve(443),),
                (Ask("127.0.0.1", APP, 1, 550, 0.1),), ("nginx: worker process",) * 2, "www-data"),
        Program("", "shop", "gunicorn: master [shop]", (Serve(APP, 22),),
                (SELECT, Ask(DB, REDIS, 1, 350, 0.05)), ("gunicorn: worker [shop]",) * 3),
        Program("", "shop", "celery -A shop worker",
                asks=(Ask(DB, REDIS, 1, 120), SELECT._replace(size=900, every=0.3))),
        Program("", "shop", "pg_dump --host=db-1 --format=c shop",
                asks=(Ask(DB, POSTGRES, 1, 20_000, 0.2, reads=False),)),
        Program("", "root", "/usr/bin/node_exporter", (Serve(EXPORTER, 60),)),
    ),
    "db-1": (
        Program("", "postgres", "postgres -D /var/lib/postgresql/15", (Serve(POSTGRES, 9),),
                workers=("postgres: shop 10.77.0.1 SELECT",) * 5),
        Program("", "redis", "/usr/bin/redis-server *:6379", (Serve(REDIS, 9),)),
        Program("", "shop", "prometheus --config.file=/etc/shop.yml", asks=(Ask(WEB, EXPORTER, 1, 60, 0.5),)),
    ),
}
# fmt: on
_FIRST_PID = {"web-01": 1170, "db-1": 805}
"""As on machines that have been up for a while."""
_SETTINGS = Path("/run/machines.toml")
COMMAND = (*NETTOP, "--config", str(_SETTINGS), *(word for name in PROGRAMS for word in ("--host", name)))
_COLUMNS = "machine comm pid lport remote rport rx_rate tx_rate rtt limit peer"
_RUN = "import sys; sys.path.insert(0, sys.argv[1]); from screenshots import machines; machines.run(sys.argv[2])"


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """The two run, and `COMMAND` finds the way to them."""
    ssh = [sys.executable, "-m", "screenshots.machines"]
    _SETTINGS.write_text(f"ssh = {ssh}\n[columns]\nconnections = {_COLUMNS.split()}\n")
    with Pair(*PROGRAMS) as hosts:
        for host in hosts:
            _first(host.name).write_text(str(host.init))
            output = host.start(_RUN, str(Path(__file__).parents[1]), host.name).stdout
            assert output is not None
            if not output.readline():
                raise RuntimeError(f"the programs of {host.name} could not be started")
        yield


def run(name: str) -> None:
    """The programs of a machine, on it, until standard input closes; prints a line when they are started."""
    Path("/proc/sys/kernel/ns_last_pid").write_text(str(_FIRST_PID[name] - 1))
    for program in PROGRAMS[name]:
        start(program)
    print("ready", flush=True)
    sys.stdin.read()


def main(arguments: list[str]) -> int:
    """As ssh: run a command on a machine, which are the last two arguments; its exit code. What comes from nettop comes
    by a socket of this machine, which must not get there: the command reads from a pipe, as sshd would have it."""
    name, command = arguments[-2:]
    inside = ["nsenter", f"--target={_first(name).read_text()}", "--mount", "--net", "--pid", "--uts"]
    there = [*inside, "env", "PATH=/usr/bin:/bin", "sh", "-c", command]
    with subprocess.Popen(there, stdin=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin is not None
        while select.select([0], [], []) and (data := os.read(0, 1 << 16)):
            process.stdin.write(data)
    return process.returncode


def _first(name: str) -> Path:
    """Where the pid of the first process of a machine is kept."""
    return Path(f"/run/{name}.pid")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
