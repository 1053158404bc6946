"""Processes as /proc tells them: who they are, what they use, which sockets they hold.

Rests on Documentation/filesystems/proc.rst and proc_pid_stat(5). Paths are built whole and opened one by one: measured,
the `dir_fd` form of os.open costs 1.6 µs more than the kernel's walk through /proc saves (readlink of fds is the
exception: there the directory is open already).

Every reader raises `Gone` for a process that is no more, PermissionError for one that may not be read (another user's,
or /proc mounted with hidepid), and any other OSError as it came, with its path.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

CLK_TCK = os.sysconf("SC_CLK_TCK")
"""Clock ticks a second: the unit of utime, stime and start_time."""

PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")
"""Bytes: the unit of rss_pages."""

PF_KTHREAD = 0x00200000  # linux/sched.h

STAT_BYTES = 1024  # a usual line has 300; 52 numbers and a name cannot exceed it in practice
COMMAND_BYTES = 4096
CGROUP_BYTES = 16384  # a line for each hierarchy, a dozen of them at most
_SCHEDSTAT_BYTES = 128  # three numbers


class Gone(ProcessLookupError):
    """The process has ended (or is hidden from us as if it had: hidepid=2)."""


class Stat(NamedTuple):
    """What nettop uses of /proc/PID/stat."""

    pid: int
    comm: str
    """Whatever the process calls itself: print it through `format.safe`."""
    state: str
    """One letter: R S D Z T t I X."""
    ppid: int
    flags: int
    """PF_* bits of linux/sched.h."""
    utime: int
    """Clock ticks in user mode, all threads."""
    stime: int
    nice: int
    threads: int
    start_time: int
    """Clock ticks after boot."""
    vsize: int
    """Bytes."""
    rss_pages: int
    """Resident pages; the kernel batches it per thread, so it may lag by some."""

    @property
    def kernel(self) -> bool:
        """Whether it is a kernel thread."""
        return bool(self.flags & PF_KTHREAD)


class Descriptors(NamedTuple):
    """The open files of a process, as far as they have to do with networks. Of this very process, the reading adds
    two."""

    sockets: List[Tuple[int, int]]
    """(fd, inode of the socket)."""
    total: int
    """Open files of every kind."""
    namespaces: Sequence[Tuple[int, int]] = ()
    """(fd, inode of the network namespace)."""


def parse_stat(data: bytes) -> Stat:
    """Decode one /proc/PID/stat. The name may hold spaces and parentheses. Raises ValueError for anything else."""
    head, _, tail = data.rpartition(b") ")
    pid, _, comm = head.partition(b" (")
    field = tail.split(b" ", 22)
    if len(field) < 22:
        raise ValueError(f"not a /proc/PID/stat line: {data[:80]!r}")
    return Stat(
        int(pid),
        comm.decode("utf-8", "replace"),
        field[0].decode("ascii", "replace"),
        int(field[1]),
        int(field[6]),
        int(field[11]),
        int(field[12]),
        int(field[16]),
        int(field[17]),
        int(field[19]),
        int(field[20]),
        int(field[21]),
    )


def parse_command(data: bytes) -> Optional[str]:
    """Join the arguments of /proc/PID/cmdline by spaces; None if there are none: kernel threads, zombies."""
    return data.rstrip(b"\0 ").replace(b"\0", b" ").decode("utf-8", "replace") or None


def failure(error: OSError, path: str) -> OSError:
    """The error to raise instead of `error`: see the module's contract."""
    number = error.errno or 0
    text = os.strerror(number)
    if number in (errno.ENOENT, errno.ESRCH):
        return Gone(number, text, path)
    return OSError(
        number, text, path
    )  # of the subclass that goes with the number: PermissionError for EPERM and EACCES


class ProcFS:
    """The /proc of a pid namespace, mounted at `root`."""

    def __init__(self, root: str = "/proc") -> None:
        self.root = root
        # Linux 6.2 put the number of open files there; before, it was 0 for everyone. We have one open at least.
        with open("/proc/self/stat", "rb"):
            self._counts_fds = os.stat("/proc/self/fd").st_size > 0

    def pids(self) -> List[int]:
        """Every process that may be seen, in the kernel's order: ascending."""
        return [int(name) for name in os.listdir(self.root) if name.isdigit()]

    def boot_time(self) -> int:
        """When the machine started, in seconds since the epoch (btime of /proc/stat)."""
        with open(f"{self.root}/stat", "rb") as stat:
            return int(stat.read().partition(b"\nbtime ")[2].split(None, 1)[0])

    def open_stat(self, pid: int) -> int:
        """A file descriptor of /proc/PID/stat, for os.pread. It stays this process's: ESRCH once it is gone."""
        return self._open(f"{self.root}/{pid}/stat")

    def read_stat(self, pid: int) -> bytes:
        """/proc/PID/stat: see `parse_stat`."""
        return self._read(f"{self.root}/{pid}/stat", STAT_BYTES)

    def command(self, pid: int) -> Optional[str]:
        """The command line, at most `COMMAND_BYTES` of it.

        None for kernel threads and zombies, and for an instant within an exec, before the exec event is sent.
        """
        return parse_command(self._read(f"{self.root}/{pid}/cmdline", COMMAND_BYTES))

    def uid(self, pid: int) -> int:
        """The effective user id: the owner of /proc/PID, of an undumpable process too (task_dump_owner,
        fs/proc/base.c). A sixth of the time that /proc/PID/status takes."""
        return self._stat(f"{self.root}/{pid}").st_uid

    def cgroup(self, pid: int) -> str:
        """/proc/PID/cgroup as it is, `CGROUP_BYTES` at most: see `cgroup.parse_cgroup`."""
        return self._read(f"{self.root}/{pid}/cgroup", CGROUP_BYTES).decode("utf-8", "replace")

    def netns(self, pid: int) -> Tuple[int, int]:
        """(st_dev, st_ino) of the network namespace it is in."""
        status = self._stat(f"{self.root}/{pid}/ns/net")
        return status.st_dev, status.st_ino

    def read(self, pid: int, name: str, size: int) -> bytes:
        """/proc/PID/name, at most `size` bytes of it."""
        return self._read(f"{self.root}/{pid}/{name}", size)

    def link(self, pid: int, name: str) -> str:
        """What the link /proc/PID/name leads to, a path or the kernel's own word: exe, cwd, root, fd/0 ..."""
        path = f"{self.root}/{pid}/{name}"
        try:
            return os.readlink(path.encode()).decode("utf-8", "replace")
        except OSError as error:
            raise failure(error, path) from None

    def fd_count(self, pid: int) -> Optional[int]:
        """How many files it has open; None before Linux 6.2."""
        if not self._counts_fds:
            return None
        return self._stat(f"{self.root}/{pid}/fd").st_size

    def threads(self, pid: int) -> List[int]:
        """The ids of its threads, the process's own among them."""
        path = f"{self.root}/{pid}/task"
        try:
            return [int(name) for name in os.listdir(path)]
        except OSError as error:
            raise failure(error, path) from None

    def run_times(self, pid: int, most: int) -> Optional[Tuple[bytes, ...]]:
        """How long each thread has run, as /proc/PID/task/TID/schedstat tells it: nanoseconds run, nanoseconds waited,
        times it was given a processor (Documentation/scheduler/sched-stats.rst). What has not changed has not run.
        None of more than `most` threads; a kernel without CONFIG_SCHED_INFO raises `Gone`."""
        threads = self.threads(pid)
        if len(threads) > most:
            return None
        return tuple(self._read(f"{self.root}/{pid}/task/{tid}/schedstat", _SCHEDSTAT_BYTES) for tid in threads)

    def sockets(self, pid: int) -> Descriptors:
        """Every socket and every network namespace it has open. Files opened or closed meanwhile may or may not be
        among them."""
        path = f"{self.root}/{pid}/fd"
        sockets: List[Tuple[int, int]] = []
        namespaces: List[Tuple[int, int]] = []
        append, readlink = sockets.append, os.readlink
        directory = self._open(path, os.O_DIRECTORY)
        try:
            names = os.listdir(directory)
            for name in names:
                try:
                    link = readlink(name, dir_fd=directory)
                except FileNotFoundError:  # closed since the directory was read
                    continue
                if link.startswith("socket:["):
                    append((int(name), int(link[8:-1])))
                elif link.startswith("net:["):
                    namespaces.append((int(name), int(link[5:-1])))
        except OSError as error:
            raise failure(error, path) from None
        finally:
            os.close(directory)
        return Descriptors(sockets, len(names), namespaces)

    @staticmethod
    def _open(path: str, flags: int = 0) -> int:
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
        except OSError as error:
            raise failure(error, path) from None

    @staticmethod
    def _read(path: str, size: int) -> bytes:
        """One read of at most `size` bytes."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return os.read(fd, size)
            finally:
                os.close(fd)
        except OSError as error:
            raise failure(error, path) from None

    @staticmethod
    def _stat(path: str) -> os.stat_result:
        try:
            return os.stat(path)
        except OSError as error:
            raise failure(error, path) from None


MAX_DESCRIPTORS = 65536
"""Files we ask to be allowed at most, however many the hard limit grants."""


def raise_descriptor_limit() -> int:
    """Lift the soft limit of open files towards the hard one, to `MAX_DESCRIPTORS`. Returns the limit in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return MAX_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


ROOM = 16384
"""Descriptors that `make_room` provides for at most: 128 KB of the kernel's memory."""


def make_room(count: int) -> None:
    """Have the kernel make its table of our descriptors large enough for so many, up to `ROOM`. Call it before there is
    a second thread: from then on, each time the table grows the kernel waits until no processor uses the old one
    (fs/file.c, expand_fdtable), which takes 15 ms, and on the way to 2,000 descriptors it does so six times."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = ROOM if soft == resource.RLIM_INFINITY else min(ROOM, soft)
    some = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        os.close(fcntl.fcntl(some, fcntl.F_DUPFD_CLOEXEC, min(count, most - 1)))
    finally:
        os.close(some)


class StatReader:
    """Reads /proc/PID/stat of the same processes again and again, through files kept open.

    A kept file costs half of opening anew, and can never answer for another process that got the same pid. Compare the
    bytes with the last ones: most processes slept, and need no parsing.
    """

    def __init__(self, procfs: ProcFS, keep: Optional[int] = None) -> None:
        """Keep at most `keep` files open: by default half of what the process may, and the limit is raised first."""
        self._procfs = procfs
        self._keep = raise_descriptor_limit() // 2 if keep is None else keep
        make_room(self._keep)
        self._files: Dict[int, int] = {}

    def read(self, pid: int) -> bytes:
        """The line of `pid` now: see `parse_stat`. Once it raised `Gone`, the pid is free for a new process."""
        fd = self._files.get(pid)
        if fd is None:
            if len(self._files) >= self._keep:
                return self._procfs.read_stat(pid)
            fd = self._files[pid] = self._procfs.open_stat(pid)
        try:
            return os.pread(fd, STAT_BYTES, 0)
        except OSError as error:
            self.forget(pid)
            raise failure(error, f"{self._procfs.root}/{pid}/stat") from None

    def forget(self, pid: int) -> None:
        """Close what is kept of `pid`, if anything."""
        fd = self._files.pop(pid, None)
        if fd is not None:
            os.close(fd)

    def close(self) -> None:
        """Forget every process."""
        for pid in list(self._files):
            self.forget(pid)
