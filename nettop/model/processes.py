"""Processes, what they use, and what they belong to."""

from __future__ import annotations

from typing import NamedTuple, Optional, Tuple


class ProcessKey(NamedTuple):
    """A process for as long as the machine runs: a pid alone is reused."""

    pid: int
    start_time: int
    """Clock ticks after boot, field 22 of /proc/PID/stat."""


class Owner(NamedTuple):
    """One open file descriptor that refers to a socket."""

    pid: int
    start_time: int
    fd: int

    @property
    def process(self) -> ProcessKey:
        return ProcessKey(self.pid, self.start_time)


class Process(NamedTuple):
    """Who a process is. comm and command are whatever the process says: print them through `format.safe`.

    One that is told without its `Usage` is over, and not listed: a key frame tells it for the sockets that it held
    last."""

    pid: int
    start_time: int
    ppid: int
    uid: int
    user: Optional[str]
    comm: str
    command: str
    """Arguments joined by spaces; for kernel threads and zombies the comm in brackets."""
    started: float
    """Seconds since the epoch."""
    netns: Optional[int]
    """None where the namespace link may not be read."""
    cgroup: Optional[str]
    container: Optional[str]
    """Name of the container it runs in; its short id until a runtime has told the name."""
    unit: Optional[str]
    """systemd unit its cgroup names."""
    belongs: Optional[int]
    """Row id of its container, unit or program in `containers`; None of kernel threads, and where its cgroup may not
    be read."""
    kernel: bool
    """A kernel thread."""

    @property
    def key(self) -> ProcessKey:
        return ProcessKey(self.pid, self.start_time)


class Usage(NamedTuple):
    """What a process uses."""

    state: str
    """The letter of /proc/PID/stat: R S D Z T I ...; X of a process that has ended, and is shown for a while still."""
    cpu_time: float
    """User and system seconds since it started."""
    rss: int
    """Bytes."""
    threads: int
    nice: int
    fds: Optional[int]
    """Open file descriptors (Linux 6.2), None where not readable."""


class Container(NamedTuple):
    """What processes belong to: a container, a systemd unit, or a program that is neither. What a runtime says of it is
    None until that has answered."""

    kind: str
    """container; sandbox, which only holds the namespaces of a pod; pod, where the container is not told; service,
    scope, session, slice and other kinds of units; vm; monitor, which watches a container; program."""
    container_id: Optional[str]
    """Of a container, in full; of a pod its uid."""
    name: str
    """Of a container what its runtime calls it, in a pod POD/CONTAINER, the short id until that is known; of a unit and
    a program its name."""
    runtime: Optional[str]
    """docker, containerd, crio, podman, lxc, nspawn; kubernetes where it is in a pod and nobody says more."""
    image: Optional[str]
    pod: Optional[str]
    k8s_namespace: Optional[str]
    k8s_container: Optional[str]
    service: Optional[str]
    """Of Swarm or Compose: STACK/SERVICE."""
    task: Optional[str]
    """Which one of that service: its number, or in a global service the id of the node."""
    state: Optional[str]
    """created, running, paused, exited ..., in the runtime's words; where that does not say, running, paused or exited
    as the kernel does."""
    unit: Optional[str]
    """The systemd unit it is."""
    cgroup: Optional[str]
    """Path of the cgroup that all of it is in; None of a program."""
    labels: Tuple[str, ...]
    """NAME=VALUE."""
    pid: Optional[int]
    """Its oldest process."""
    netns: Optional[int]
    """Of that process."""
    started: Optional[float]
    """Seconds since the epoch: when its runtime started it, and where that does not say its oldest process."""
    restarts: Optional[int]
    oom_kills: Optional[int]
    """Processes in its cgroup that the kernel ended for want of memory."""

    @property
    def contained(self) -> bool:
        """It is a container, and neither a unit nor a program."""
        return self.runtime is not None


class Cgroup(NamedTuple):
    """A cgroup by the id that sockets carry."""

    cgroup: int
    """Inode of its version 2 directory, as in `Socket`."""
    container: int
    """Row id of what it belongs to."""
