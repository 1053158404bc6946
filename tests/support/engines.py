"""Real container engines for the tests, each in a network namespace and directories of its own."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
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

    def restart(self, name: str) -> None:
        self("restart", "-t", "0", name)

    def remove(self, *names: str) -> None:
        """Take containers away, whatever they do."""
        self("rm", "-f", *names)

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
    _need("dockerd", "docker", "busybox", "iptables", "setpriv")
    with _own_namespace() if netns_name is None else contextlib.nullcontext(netns_name) as name:
        engine = Docker(name, home)
        # nsenter, not `ip netns exec`: the latter's own /sys lacks the cgroups
        command = ["nsenter", f"--net=/run/netns/{name}", "dockerd", "--storage-driver=vfs"]
        command += ["--data-root", str(home / "data"), "--exec-root", str(engine.state)]
        command += ["--pidfile", str(home / "pid"), "-H", f"unix://{engine.socket}"]
        with _gone_again("docker"), _daemon(command, home, lambda: engine("version")):
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
                left = engine("ps", "-aq").split()
                if left:
                    engine.remove(*left)


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
        places = ("--runc-root", str(self._home / "runc"), "--fifo-dir", str(self._home / "fifo"))
        self("run", "-d", *places, *options, "--rootfs", str(rootfs(self._home)), name, *command)
        return int((self.state / "io.containerd.runtime.v2.task/default" / name / "init.pid").read_text())

    def remove(self, name: str) -> None:
        with contextlib.suppress(subprocess.SubprocessError):
            self("task", "rm", "-f", name)
            self("container", "rm", name)


@contextlib.contextmanager
def containerd(home: Path) -> Iterator[Containerd]:
    """A containerd, its directories in `home`; skips where it is not installed."""
    _need("containerd", "ctr", "runc", "busybox", "setpriv")
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
    with _gone_again("default"), _daemon(command, home, lambda: engine("version")):
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
        # conmon notes an out-of-memory kill in a file in the directory it was started in
        self.command = ["nsenter", f"--net=/run/netns/{netns}", f"--wd={home}"]
        self.command += ["podman", "--root", str(home / "root"), "--runroot", str(home / "run")]
        self.command += ["--tmpdir", str(home / "tmp"), "--network-config-dir", str(home / "networks")]
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

    def restart(self, name: str) -> None:
        # its own restart now and then begins the new one before the old one is cleared away, and fails
        self("stop", "-t", "0", name)
        self("start", name)

    def remove(self, *names: str) -> None:
        """Take containers away, whatever they do: podman gives up on one that ends, or starts again, at that moment."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self("rm", "--force", "--ignore", "--time", "0", *names)
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return

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
    _need("podman", "runc", "busybox", "iptables", "setpriv")
    home = Path(tempfile.mkdtemp(prefix="podman"))  # podman refuses paths of more than 50 characters
    with (
        _own_namespace() if netns_name is None else contextlib.nullcontext(netns_name) as name,
        _gone_again("libpod_parent"),
    ):
        engine = Podman(name, home)
        command = [*engine.command, "system", "service", "--time=0", f"unix://{engine.socket}"]
        try:
            with _daemon(command, home, lambda: _connect(engine.socket)):
                try:
                    yield engine
                finally:
                    left = engine("ps", "-aq").split()
                    if left:
                        engine.remove(*left)
        finally:
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
def _gone_again(name: str) -> Iterator[None]:
    """Cgroups of this name, which engines make for their containers and leave, are not there afterwards, except those
    in use; nor is what the network plugins remember, if it was not before."""
    remembered = CNI_STATE.exists()
    try:
        yield
    finally:
        if not remembered:
            shutil.rmtree(CNI_STATE, ignore_errors=True)
        for path in (*CGROUPS.glob(name), *CGROUPS.glob(f"*/{name}")):
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
def _daemon(command: list[str], home: Path, ready: Callable[[], object]) -> Iterator[None]:
    """An engine that lives in a directory. It ends with the block, or with this process, should that be killed."""
    log = home / "log"
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *command], stdout=output, stderr=output, start_new_session=True
            )
        try:
            deadline = time.monotonic() + PATIENCE
            while True:
                with contextlib.suppress(subprocess.SubprocessError):
                    ready()
                    break
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.skip(f"{home.name} does not start here: {log.read_text()[-300:]}")
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait(PATIENCE)
    finally:
        _clear(home)


def _clear(home: Path) -> None:
    """End what an engine that failed has left: those who look after its containers, with these; and its mounts."""
    for address in home.rglob("io.containerd.runtime.v2.task/*/*/address"):  # of the shims
        Path(address.read_text().removeprefix("unix://")).unlink(missing_ok=True)
    left: list[psutil.Process] = []
    for process in psutil.process_iter(["cmdline"]):
        if str(home) in " ".join(process.info["cmdline"] or ()):
            with contextlib.suppress(psutil.NoSuchProcess):
                left += [*process.children(recursive=True), process]
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, PATIENCE)
    mounts = [Path(each.mountpoint) for each in psutil.disk_partitions(all=True)]
    for mount in sorted((each for each in mounts if home in each.parents), reverse=True):
        subprocess.run(["umount", str(mount)], check=False, capture_output=True)


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
