"""Network namespaces: which there are, what to call them, and how to step into one and back.

A namespace is known by (st_dev, st_ino) of any file that refers to it, for as long as something holds it: a process
(/proc/PID/ns/net), a bind mount (`ip netns add` makes one in /run/netns, Docker in /run/docker/netns) or an open
socket. The numbers are used again afterwards. See namespaces(7), network_namespaces(7), setns(2), ip-netns(8).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import sys
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, TypeVar, Union

from nettop.kernel import privileges

Identity = Tuple[int, int]
"""(st_dev, st_ino) of a namespace file; st_ino is the number everybody shows, as in net:[4026531840]."""

T = TypeVar("T")

MOUNT_DIRECTORIES = ("/run/netns", "/run/docker/netns")

# What container engines call the mounts they make for themselves: CNI's cni-UUID, podman's netns-UUID, Docker's
# twelve hexadecimal digits. No name anybody would look for.
_GENERATED = re.compile(r"(cni|netns)-[0-9a-f-]{36}|[0-9a-f]{12}")


_SIOCGSKNS = 0x894C  # Linux 4.10, linux/sockios.h


class Mount(NamedTuple):
    """A file system entry that refers to a namespace."""

    path: str
    """To open or enter it."""
    name: str
    """Last part of the path, safe to encode."""
    identity: Identity


class NamespaceLost(SystemExit):
    """The calling thread is in a foreign namespace and cannot return: it must end.

    Everything it would read from now on would be attributed to the wrong namespace. As a SystemExit it passes every
    `except Exception` and ends the thread, or the process from the main thread, with this message."""


def current() -> Identity:
    """Identity of the calling thread's namespace. Raises OSError where /proc is not mounted."""
    return of_path("/proc/thread-self/ns/net")


_INITIAL = 0xEFFFFFF9
"""Inode of the network namespace the machine started with, since Linux 6.18 (linux/nsfs.h); before, one like others."""


def initial(own: int) -> Optional[int]:
    """Inode of the network namespace the machine started with: since 6.18 always the same, before that of init. Where
    that may not be read it is `own`, ours, as nothing speaks against it; None in a pid namespace with an init of its
    own."""
    if privileges.kernel_version(os.uname().release) >= (6, 18):
        return _INITIAL
    if "pid" in privileges.foreign_namespaces():
        return None
    try:
        return of_process(1)[1]
    except OSError:
        return own


def of_process(pid: int) -> Identity:
    """Identity of a process's namespace.

    Raises FileNotFoundError or ProcessLookupError when it is gone, PermissionError where it may not be traced."""
    return of_path(f"/proc/{pid}/ns/net")


def of_path(path: str) -> Identity:
    """Identity of the namespace a path refers to. Raises OSError where it is gone or may not be read."""
    status = os.stat(path)
    return status.st_dev, status.st_ino


def open_of_socket(socket: int) -> int:
    """A descriptor, the caller's to close, of the namespace that a socket is in, whoever made it there.

    Raises OSError where it is no socket, and without CAP_NET_ADMIN there."""
    return fcntl.ioctl(socket, _SIOCGSKNS)


def mounted(directories: Sequence[str] = MOUNT_DIRECTORIES) -> List[Mount]:
    """Every namespace mounted or linked in these directories, in the order of their paths.

    What is no namespace is left out: the plain file an interrupted `ip netns add` leaves behind, a dangling link. A
    directory that is missing, or not ours to read, holds none."""
    device = current()[0]  # every namespace of every type lives on the one nsfs
    found = []
    for directory in directories:
        with contextlib.suppress(OSError):
            for entry in sorted(os.listdir(directory)):
                path = os.path.join(directory, entry)
                with contextlib.suppress(OSError):
                    identity = of_path(path)
                    if identity[0] == device:
                        found.append(Mount(path, os.fsencode(entry).decode(errors="replace"), identity))
    return found


class MountWatch:
    """The same by inode, listed again when it may be different: 3 µs a name.

    Whether a directory changed tells its time of change; whether something was mounted, the kernel to whoever polls
    /proc/PID/mountinfo (proc_pid_mounts(5)); and where a link leads, nothing: with links, tell it of processes."""

    def __init__(self, directories: Sequence[str] = MOUNT_DIRECTORIES) -> None:
        self.found: Dict[int, List[Mount]] = {}
        self._directories = directories
        self._times: Optional[List[int]] = None
        self._linked = False
        self._mountinfo = os.open("/proc/thread-self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._mountinfo, select.POLLPRI)

    def look(self, moved: bool) -> bool:
        """Whether `found` is different from before. `moved`: a process came, went or changed its namespace."""
        times = [_changed(directory) for directory in self._directories]
        mounts = self._poll.poll(0)
        if times == self._times and not mounts and not (moved and self._linked):
            return False
        self._times, before, self.found = times, self.found, {}
        for mount in mounted(self._directories):
            self.found.setdefault(mount.identity[1], []).append(mount)
        self._linked = any(os.path.islink(mount.path) for mounts in self.found.values() for mount in mounts)
        return self.found != before

    def close(self) -> None:
        os.close(self._mountinfo)


def _changed(directory: str) -> int:
    try:
        return os.stat(directory).st_mtime_ns
    except OSError:
        return 0


def describe(
    initial: bool, mounts: Sequence[Mount], holder: Optional[int], container: Optional[str]
) -> Tuple[Optional[str], str]:
    """(name, kind) of a namespace, as in `model.Namespace`.

    `initial`: it is the one the machine started with; `mounts`: those of this namespace; `holder`: a process inside,
    if any; `container`: what the cgroup of that process says. A name somebody gave it goes before that of its
    container, and that before one an engine generated."""
    if initial:
        return "host", "host"
    names = [mount.name for mount in mounts if not _GENERATED.fullmatch(mount.name)]
    names += [container] if container else []
    names += [mount.name for mount in mounts]
    name = names[0] if names else None
    if holder is None:
        return name, "orphan"
    if container:
        return name, "container"
    return name, "named" if mounts else "anonymous"


@contextlib.contextmanager
def enter(target: Union[str, int]) -> Iterator[None]:
    """Run the body in the namespace `target` refers to, a path or a file descriptor; the calling thread alone moves.

    Open sockets there and leave: they stay in that namespace, and hold it, until closed. The way there and back takes
    8 µs. Raises OSError with the path when `target` is gone, is no network namespace (EINVAL) or may not be entered
    (EPERM, CAP_SYS_ADMIN), and `NamespaceLost` when the thread cannot return."""
    # opened each time, 3 µs, and not kept: a kept one would be wrong in another thread, and nested calls need their own
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if isinstance(target, int):
            _setns(target, f"file descriptor {target}")
        else:
            there = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
            try:
                _setns(there, target)
            finally:
                os.close(there)
        try:
            yield
        finally:
            try:
                _setns(home, "/proc/thread-self/ns/net")
            except OSError as error:
                raise NamespaceLost(f"cannot return from network namespace {target}: {error}") from error
    finally:
        os.close(home)


def in_namespace(target: Union[str, int], function: Callable[[], T]) -> T:
    """What `function` returns when called inside the namespace; errors as `enter`, and those of `function`."""
    with enter(target):
        return function()


if sys.version_info >= (3, 12):

    def _setns(descriptor: int, name: str) -> None:
        try:
            os.setns(descriptor, os.CLONE_NEWNET)
        except OSError as error:
            raise OSError(error.errno, error.strerror, name) from None

else:
    import ctypes

    _libc = ctypes.CDLL(None, use_errno=True)
    _CLONE_NEWNET = 0x40000000

    def _setns(descriptor: int, name: str) -> None:
        if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), name)
