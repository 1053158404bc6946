"""Events are told with the names that processes had then, and who started them, also when that one is gone."""

from __future__ import annotations

from nettop.collector.lineage import Lineage, Parent
from nettop.kernel.cn_proc import ProcEvent
from nettop.model import Event, Process
from tests.support.rows import process_row

NOW = 1.7e9


class Known:
    """What has been read of processes, and the lineage built on it."""

    def __init__(self) -> None:
        self.processes: dict[int, Process] = {}
        self.read_at: dict[int, float] = {}
        self.lineage = Lineage(self.processes.get, lambda pid: self.read_at.get(pid, 0.0))

    def read(self, pid: int, comm: str, at: float = 0.0, ppid: int = 1) -> None:
        shown = process_row(pid=pid, comm=comm, command=f"/bin/{comm} -x", ppid=ppid)
        self.processes[pid], self.read_at[pid] = shown.process, at

    def tell(self, event: ProcEvent) -> Event:
        return self.lineage.describe(event, self.processes.get(event.pid))


def event(kind: str, pid: int, time: float, ppid: int | None = None, detail: str = "") -> ProcEvent:
    return ProcEvent(kind, time, pid, pid, ppid, None, detail)


def test_a_process_nobody_could_look_at_has_no_name_but_a_parent() -> None:
    known = Known()
    known.read(10, "bash")
    fork, exit_ = event("fork", 11, NOW, 10), event("exit", 11, NOW + 0.001, 10, "code 0")
    known.lineage.hear([fork, exit_])
    for told in (known.tell(fork), known.tell(exit_)):
        assert (told.comm, told.ppid, told.parent) == (None, 10, "bash")


def test_a_name_that_was_read_before_the_exec_is_not_that_of_the_new_program() -> None:
    known = Known()
    known.read(10, "bash")
    known.read(11, "bash", at=NOW + 0.001, ppid=10)
    fork, exec_ = event("fork", 11, NOW, 10), event("exec", 11, NOW + 0.002)
    known.lineage.hear([fork, exec_])
    assert (known.tell(exec_).comm, known.tell(exec_).detail) == (None, "")
    known.read(11, "curl", at=NOW + 0.003, ppid=10)
    assert (known.tell(exec_).comm, known.tell(exec_).detail) == ("curl", "/bin/curl -x")
    assert known.tell(fork).comm is None, "it was another program then"


def test_a_process_that_takes_another_name_is_known_by_it_without_a_look() -> None:
    known = Known()
    renamed, ended = event("comm", 11, NOW, detail="worker"), event("exit", 11, NOW + 1)
    known.lineage.hear([event("fork", 11, NOW - 1, 10), renamed, ended])
    assert (known.tell(renamed).comm, known.tell(ended).comm) == ("worker", "worker")


def test_the_name_of_one_thread_is_not_that_of_its_process() -> None:
    known = Known()
    known.read(10, "java")
    thread = ProcEvent("comm", NOW, 10, 17, None, None, "GC")
    known.lineage.hear([thread])
    assert known.tell(thread).comm == "java"


def test_who_started_a_process_is_told_after_it_is_gone() -> None:
    known = Known()
    known.read(10, "cron")
    known.lineage.hear([event("fork", 11, NOW, 10)])
    del known.processes[10]
    known.read(11, "backup", at=NOW + 1, ppid=1)  # the kernel gave it to init
    known.lineage.hear([event("exit", 10, NOW + 2, 1)])
    for _ in range(3):
        known.lineage.age()
    assert known.lineage.parent(11) == Parent(10, "cron")
    assert known.tell(event("exit", 11, NOW + 9, 1)).parent == "cron"


def test_the_parent_of_one_that_is_older_than_nettop_is_its_parent_of_now() -> None:
    known = Known()
    known.read(1, "systemd")
    known.read(10, "sshd", ppid=1)
    assert known.lineage.parent(10) == Parent(1, "systemd")
    assert known.lineage.parent(99) == Parent(None, None)


def test_what_has_ended_is_forgotten_a_tick_later() -> None:
    known = Known()
    known.read(10, "bash")
    known.lineage.hear([event("fork", 11, NOW, 10), event("exit", 11, NOW + 1)])
    known.lineage.age()
    assert known.lineage.parent(11).pid == 10, "a socket of it may end a moment later"
    known.lineage.age()
    assert known.lineage.parent(11).pid is None
