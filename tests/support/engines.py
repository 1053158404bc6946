"""Real container engines for the tests, each in a network namespace and directories of its own."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import netns
from tests.support.cgroups import remove_tree

PATIENCE = 60.0
"""Seconds an engine may take to start, or to do what it was asked."""
LIMITS = ("--ulimit", "nofile=1024:1024")
CNI_STATE = Path("/var/lib/cni")
"""Where the plugins that make podman's networks remember addresses, whatever one tells podman."""
CGROUPS = Path("/sys/fs/cgroup")
_numbers = itertools.count()


class Docker:
    """A Docker Engine."""

    kind = "docker"

    def __init__(self, netns: str, home: Path) -> None:
        self.netns = netns
        """Name of the namespace it lives in: its bridges and published ports are there."""
        self.socket = home / "docker.sock"
        self.state = home / "run"
        self.image = "nettop-test:1"

    def __call__(self, *arguments: str) -> str:
        """What `docker` prints."""
        return _output(["docker", "-H", f"unix://{self.socket}", *arguments])

    def run(self, name: str, *options: str, command: tuple[str, ...] = ("/bin/sleep", "600")) -> str:
        """Start a container; its id in full."""
        return self("run", "-d", "--name", name, *LIMITS, *options, self.image, *command).strip()

    def inspect(self, name: str) -> Any:
        return json.loads(self("inspect", name))[0]

    def pid(self, name: str) -> int:
        """The first process of a container, as the host numbers it."""
        return int(self.inspect(name)["State"]["Pid"])

    def address(self, name: str) -> str:
        """That of a container in the network containers are put into."""
        return str(self.inspect(name)["NetworkSettings"]["IPAddress"])

    def inside(self, *command: str) -> str:
        """What a command prints that runs beside the engine, where its ports are published."""
        return _output(["nsenter", f"--net=/run/netns/{self.netns}", *command])


@contextlib.contextmanager
def docker(home: Path, netns_name: str | None = None) -> Iterator[Docker]:
    """A Docker Engine with a busybox image, its directories in `home`, in a namespace of that name or one of its own;
    skips where Docker is not installed."""
    _need("dockerd", "docker", "busybox", "iptables")
    with _own_namespace() if netns_name is None else contextlib.nullcontext(netns_name) as name:
        engine = Docker(name, home)
        # nsenter, not `ip netns exec`: the latter's own /sys lacks the cgroups
        command = ["nsenter", f"--net=/run/netns/{name}", "dockerd", "--storage-driver=vfs"]
        command += ["--data-root", str(home / "data"), "--exec-root", str(engine.state)]
        command += ["--pidfile", str(home / "pid"), "-H", f"unix://{engine.socket}"]
        with (
            _gone_again("docker"),
            _unmounted(engine.state / "netns"),
            _daemon(command, home / "log", lambda: engine("version")),
        ):
            tar = subprocess.run(["tar", "-C", str(rootfs(home)), "-c", "."], check=True, capture_output=True).stdout
            subprocess.run(
                ["docker", "-H", f"unix://{engine.socket}", "import", "-", engine.image],
                input=tar,
                check=True,
                capture_output=True,
                timeout=PATIENCE,
            )
            try:
                yield engine
            finally:
                running = engine("ps", "-aq").split()
                if running:
                    engine("rm", "-f", *running)


class Containerd:
    """A containerd without Kubernetes' plugin."""

    def __init__(self, home: Path) -> None:
        self.state = home / "state"
        self._home = home

    def __call__(self, *arguments: str) -> str:
        """What `ctr` prints."""
        return _output(["ctr", "-a", str(self._home / "containerd.sock"), *arguments])

    def run(self, name: str, *options: str, command: tuple[str, ...] = ("/bin/sleep", "600")) -> int:
        """Start a container; its first process."""
        self("run", "-d", *options, "--rootfs", str(rootfs(self._home)), name, *command)
        return int((self.state / "io.containerd.runtime.v2.task/default" / name / "init.pid").read_text())

    def remove(self, name: str) -> None:
        with contextlib.suppress(subprocess.SubprocessError):
            self("task", "rm", "-f", name)
            self("container", "rm", name)


@contextlib.contextmanager
def containerd(home: Path) -> Iterator[Containerd]:
    """A containerd, its directories in `home`; skips where it is not installed."""
    _need("containerd", "ctr", "runc", "busybox")
    engine = Containerd(home)
    (home / "config.toml").write_text(
        f"""version = 2
root = "{home}/root"
state = "{engine.state}"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{home}/containerd.sock"
[ttrpc]
address = "{home}/ttrpc.sock"
"""
    )
    command = ["containerd", "-c", str(home / "config.toml")]
    with _gone_again("default"), _daemon(command, home / "log", lambda: engine("version")):
        try:
            yield engine
        finally:
            for name in engine("container", "ls", "-q").split():
                engine.remove(name)


class Podman:
    """podman's containers, and its service."""

    kind = "podman"
    image = None
    """Its containers are made of a directory."""

    def __init__(self, netns: str, home: Path) -> None:
        self.netns = netns
        """Name of the namespace it lives in, as of `Docker`."""
        self.socket = home / "podman.sock"
        self.command = ["nsenter", f"--net=/run/netns/{netns}"]
        self.command += ["podman", "--root", str(home / "root"), "--runroot", str(home / "run")]
        self.command += ["--network-config-dir", str(home / "networks")]
        # crun, the usual one, refuses machines that have version 1 and version 2 of cgroups
        self.command += ["--runtime", str(shutil.which("runc")), "--cgroup-manager=cgroupfs"]
        self._rootfs = rootfs(home)

    def __call__(self, *arguments: str) -> str:
        """What `podman` prints."""
        return _output([*self.command, *arguments])

    def run(self, name: str, *options: str, command: tuple[str, ...] = ("/bin/sleep", "600")) -> str:
        """Start a container; its id in full."""
        limits = (*LIMITS, "--ulimit", "nproc=1000:1000")
        return self("run", "-d", "--name", name, *limits, *options, "--rootfs", str(self._rootfs), *command).strip()

    def inspect(self, name: str) -> Any:
        return json.loads(self("inspect", name))[0]

    def pid(self, name: str) -> int:
        """The first process of a container."""
        return int(self.inspect(name)["State"]["Pid"])

    def address(self, name: str) -> str:
        """That of a container in the network containers are put into."""
        return str(self.inspect(name)["NetworkSettings"]["IPAddress"])

    def inside(self, *command: str) -> str:
        """What a command prints that runs beside the engine, where its ports are published."""
        return _output(["nsenter", f"--net=/run/netns/{self.netns}", *command])


@contextlib.contextmanager
def podman(netns_name: str | None = None) -> Iterator[Podman]:
    """podman's service, in a namespace of that name or one of its own; skips where it is not installed."""
    _need("podman", "runc", "busybox", "iptables")
    home = Path(tempfile.mkdtemp(prefix="podman"))  # podman refuses paths of more than 50 characters
    with (
        _own_namespace() if netns_name is None else contextlib.nullcontext(netns_name) as name,
        _gone_again("libpod_parent"),
        _unmounted(home),
    ):
        engine = Podman(name, home)
        command = [*engine.command, "system", "service", "--time=0", f"unix://{engine.socket}"]
        with _daemon(command, home / "log", lambda: _connect(engine.socket)):
            try:
                yield engine
            finally:
                for container in engine("ps", "-aq").split():
                    engine("rm", "-f", "-t", "0", container)
        shutil.rmtree(home, ignore_errors=True)


def rootfs(home: Path) -> Path:
    """A file system of nothing but busybox."""
    root = home / "rootfs"
    if not root.exists():
        (root / "bin").mkdir(parents=True)
        busybox = shutil.which("busybox")
        assert busybox is not None
        shutil.copy(busybox, root / "bin/busybox")
        for applet in ("sh", "sleep", "httpd", "nc", "dd", "wget"):
            (root / "bin" / applet).symlink_to("busybox")
    return root


@contextlib.contextmanager
def _unmounted(directory: Path) -> Iterator[None]:
    """What an engine leaves mounted in a directory is gone afterwards."""
    try:
        yield
    finally:
        for mount in directory.glob("*"):
            subprocess.run(["umount", str(mount)], check=False, capture_output=True)


@contextlib.contextmanager
def _gone_again(*names: str) -> Iterator[None]:
    """Cgroups of these names, which engines make for their containers and leave, and what the network plugins remember
    are not there afterwards if they were not before."""
    cgroups = [path for name in names for pattern in (name, f"*/{name}") for path in CGROUPS.glob(pattern)]
    remembered = CNI_STATE.exists()
    try:
        yield
    finally:
        if not remembered:
            shutil.rmtree(CNI_STATE, ignore_errors=True)
        for name in names:
            for path in {*CGROUPS.glob(name), *CGROUPS.glob(f"*/{name}")}.difference(cgroups):
                remove_tree(path)


@contextlib.contextmanager
def _own_namespace() -> Iterator[str]:
    name = f"nettop-engine-{os.getpid()}-{next(_numbers)}"
    netns.add(name)
    try:
        with netns.entered(name):
            netns.loopback_up()
        yield name
    finally:
        netns.delete(name)


@contextlib.contextmanager
def _daemon(command: list[str], log: Path, ready: Callable[[], object]) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(subprocess.SubprocessError):
                ready()
                break
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.skip(f"{log.parent.name} does not start here: {log.read_text()[-300:]}")
            time.sleep(0.1)
        yield
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


def _connect(path: Path) -> None:
    """Raises SubprocessError until somebody listens there."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError as error:
            raise subprocess.SubprocessError(str(error)) from None


def _need(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root and: {', '.join(missing or programs)}")


def _output(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE).stdout
