"""A real sshd for tests, with keys and settings of its own, on a port of the loopback or in a namespace.

    with sshd(python=Path("/usr/bin/python3")) as server:
        Remote(server.host, 1.0, ssh=server.ssh).connect()

Whoever logs in is root, and finds that Python, /usr/bin and /bin on the PATH, no nettop, an empty home, and an empty
/tmp and /dev/shm of their own.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil

DEADLINE = 20.0
"""Seconds until something that should happen is missed."""
SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin")
_PRIVSEP = Path("/run/sshd")
"""sshd insists on it."""
_ALONE = 'mount -t tmpfs tmpfs /tmp && mount -t tmpfs tmpfs /dev/shm && exec "$@"'


class Sshd:
    """A server, and how to get there."""

    host = "web-01"
    """What it is called in the settings of ssh."""

    def __init__(self, home: Path, port: int, address: str, inside: tuple[str, ...]) -> None:
        """`inside` is a command that runs another one elsewhere."""
        self.home = home
        """Where its files are; `user` in there is the home of whoever logs in."""
        self._inside = (*inside, "unshare", "--mount", "--propagation=slave", "sh", "-c", _ALONE, "sh")
        self._mark = f"NETTOP_TEST={secrets.token_hex(8)}"
        home.chmod(0o755)  # others than root may log in
        (home / "user").mkdir()
        for name in ("host", "key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / name)]
            subprocess.run(command, check=True)
        public = (home / "host.pub").read_text()
        (home / "known_hosts").write_text(f"{self.host} {public}")
        shutil.copy(home / "key.pub", home / "authorized_keys")
        (home / "sshd_config").write_text(
            f"ListenAddress {address}:{port}\n"
            f"HostKey {home}/host\n"
            f"AuthorizedKeysFile {home}/authorized_keys\n"
            f"PidFile {home}/pid\n"
            "StrictModes no\nUsePAM no\nPermitRootLogin yes\nPrintMotd no\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            f"SetEnv PATH={home}/bin:/usr/bin:/bin HOME={home}/user {self._mark}\n"
        )
        (home / "ssh_config").write_text(
            f"Host {self.host}\n"
            f"HostName {address}\nPort {port}\nHostKeyAlias {self.host}\n"
            f"IdentityFile {home}/key\nIdentitiesOnly yes\nIdentityAgent none\n"
            f"UserKnownHostsFile {home}/known_hosts\nGlobalKnownHostsFile /dev/null\n"
        )
        self.ssh = ("ssh", "-F", str(home / "ssh_config"))
        """The command that leads there."""
        self._address = address, port
        self.start()

    def start(self) -> None:
        """Listen; returns when it does."""
        assert SSHD is not None
        command = [*self._inside, SSHD, "-D", "-e", "-f", str(self.home / "sshd_config")]
        self._log = (self.home / "log").open("ab")
        self._process = subprocess.Popen(command, stderr=self._log)
        deadline = time.monotonic() + DEADLINE
        while not (self.home / "pid").exists():
            assert self._process.poll() is None, (self.home / "log").read_text()
            assert time.monotonic() < deadline, "sshd does not start"
            time.sleep(0.01)

    def stop(self) -> None:
        """End every session, and listen no more."""
        sessions = psutil.Process(self._process.pid).children()
        self._process.terminate()
        self._process.wait()
        for session in sessions:
            with contextlib.suppress(psutil.NoSuchProcess):
                session.kill()
        self._log.close()
        (self.home / "pid").unlink(missing_ok=True)

    def config(self, text: str = "") -> Path:
        """A file of nettop's settings that leads there."""
        words = ", ".join(f'"{word}"' for word in self.ssh)
        path = self.home / "config.toml"
        path.write_text(f"ssh = [{words}]\n{text}")
        return path

    def processes(self) -> dict[int, str]:
        """Pid → command of everything that runs for who is logged in."""
        found = {}
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdecimal() and self._mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    def files(self) -> list[Path]:
        """Every file that whoever logged in has left."""
        root = Path(f"/proc/{self._process.pid}/root")
        places = [self.home / "user", root / "tmp", root / "dev" / "shm"]
        return [path for place in places for path in place.rglob("*")]

    def cut(self) -> None:
        """End every session, as if the machine had gone."""
        for session in psutil.Process(self._process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                session.kill()


@contextlib.contextmanager
def sshd(
    python: Path | None = None,
    programs: Mapping[str, str] = {},
    address: str = "127.0.0.1",
    inside: tuple[str, ...] = (),
) -> Iterator[Sshd]:
    """A server whose users find `python` as python3, and `programs`, scripts by name."""
    home = Path(tempfile.mkdtemp(prefix="nettop-sshd-", dir="/var/tmp"))
    made = not _PRIVSEP.exists()
    _PRIVSEP.mkdir(mode=0o755, exist_ok=True)
    try:
        (home / "bin").mkdir()
        if python is not None:
            (home / "bin" / "python3").symlink_to(python)
        for name, text in programs.items():
            (home / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
            (home / "bin" / name).chmod(0o755)
        server = Sshd(home, _free_port() if not inside else 22, address, inside)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(home)
        if made:
            _PRIVSEP.rmdir()


@contextlib.contextmanager
def stranger() -> Iterator[str]:
    """The name of a user of this machine who is not root, and may do nothing."""
    name = f"nettop{os.getpid()}"
    subprocess.run(["useradd", "--no-create-home", "--shell", "/bin/sh", "--password", "*", name], check=True)
    try:
        yield name
    finally:
        subprocess.run(["userdel", name], check=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def pythons() -> list[Path]:
    """One of each version from 3.9 on that is installed, the oldest first."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found: dict[int, Path] = {}
    for minor in range(9, 15):
        pyenvs = pyenv.glob(f"versions/3.{minor}.*/bin")
        for place in (*pyenvs, Path("/usr/local/bin"), Path("/usr/bin"), Path(sys.base_prefix, "bin")):
            if (place / f"python3.{minor}").exists():
                found.setdefault(minor, place / f"python3.{minor}")
    return list(found.values())


def until(condition: Callable[[], object], seconds: float = DEADLINE) -> None:
    """Wait until it is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


PYTHONS = pythons()
"""What a far end may be run by."""
