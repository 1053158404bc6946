"""What processes belong to: containers, systemd units, and programs that are neither.

A process's cgroup tells, by its path (`kernel.cgroup`); what a container is called tells its runtime (`runtimes`), some
ticks later: until then it goes by its short id. A socket whose process may not be seen carries the id of its cgroup:
that is looked up among the cgroups of the processes there are, and where it is none of these in the whole tree.

    process ── /proc/PID/cgroup ──► Identity ──► row ◄── name, image, state ── runtime
    socket ── cgroup id ──► path ──► Identity ────┘

A row goes with the last process that is listed; two containers of one name are two rows.
"""

from __future__ import annotations

from time import monotonic
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Set, Tuple

from nettop.collector.health import HealthBook
from nettop.collector.outbox import Outbox
from nettop.kernel import cgroup_fs
from nettop.kernel.cgroup import Identity, parse_cgroup
from nettop.model import Cgroup, Container, Process
from nettop.runtimes.facts import ContainerFacts
from nettop.runtimes.runtimes import Runtimes

ASK_AGAIN = 10.0
"""Seconds until a runtime is asked again about a container it did not know; each time twice as long, up to
`ASK_RARELY`."""
ASK_RARELY = 120.0
RENEW = 60.0
"""Seconds until a runtime that does not tell by itself what happens is asked again about a container it knows."""
LOOK_EVERY = 10
"""Ticks between two looks for processes that the OOM killer ended and that were never seen: where one is, one looks at
once."""
FROZEN_EVERY = 2
"""Ticks between two looks whether a container is paused, of those whose runtime does not tell: 5 µs each."""
PATIENCE = 120.0
"""Seconds a container stays listed while its runtime says that it will start it again: Docker waits up to 60."""
WALK_EVERY = 30.0
"""Seconds between two walks through all cgroups: 5 µs each."""

_TELLING = ("docker", "podman")
"""Runtimes that tell by themselves."""
_NAMED = ("lxc", "nspawn")
"""Containers whose id is their name: there is nobody to ask."""

_Key = Tuple[str, str]


class Place(NamedTuple):
    """Where a process belongs."""

    row: Optional[int]
    """In the table of containers."""
    container: Optional[str]
    """What its container is called now."""


NOWHERE = Place(None, None)


class _Known:
    """One row."""

    __slots__ = ("container", "doubt", "due", "facts", "in_pod", "left", "row")

    def __init__(self, row: int, container: Container, in_pod: bool) -> None:
        self.row = row
        self.container = container
        self.in_pod = in_pod
        self.facts: Optional[ContainerFacts] = None
        """What its runtime said last."""
        self.left: Optional[float] = None
        """When its last process was missed first."""
        self.due: Optional[float] = None
        """When to ask the runtimes again."""
        self.doubt = ASK_AGAIN
        """Seconds to wait if they do not know it."""


class Registry:
    """The table of containers. `place` tells where a process belongs; the rest is done once a tick."""

    def __init__(self, outbox: Outbox, health: HealthBook, runtimes: Runtimes) -> None:
        self._outbox = outbox
        self._health = health
        self._runtimes = runtimes
        self._mounts = cgroup_fs.read_mounts()
        self._freezer = cgroup_fs.FrozenReader(self._mounts)
        self._known: Dict[_Key, _Known] = {}
        self._keys: Dict[int, _Key] = {}  # row → key
        self._open: Set[_Key] = set()  # questions without an answer
        self._troubles: Set[str] = set()
        self._tick = 0
        self._suspects: Set[int] = set()  # rows that are new, or in which a process has ended
        self._paths: Dict[str, int] = {}  # of the processes' cgroups → row; those of programs excepted
        self._looked_up: Set[str] = set()  # of these, the ones whose ids are known
        self._ids: Dict[int, int] = {}  # cgroup → row
        self._told: Dict[int, int] = {}  # cgroup → row id in its own table
        self._unknown: Set[int] = set()  # cgroups of sockets that are still to be looked up
        self._nowhere: Set[int] = set()  # those that belong to nothing
        self._hidden: Set[int] = set()  # rows that no process was seen of when they were found
        self._walked = -WALK_EVERY

    def __len__(self) -> int:
        return len(self._known)

    @property
    def waiting(self) -> bool:
        """A runtime has been asked about a container, and has not answered."""
        return bool(self._open)

    def place(self, identity: Identity, comm: str) -> Place:
        """Where a process with this cgroup and this name belongs."""
        key = _key(identity, comm)
        known = self._known.get(key) or self._begin(key, identity, comm)
        if key[0] != "program" and identity.path and identity.path not in self._paths:
            self._paths[identity.path] = known.row
        return Place(known.row, known.container.name if known.container.contained else None)

    def listen(self) -> Mapping[int, str]:
        """Take what the runtimes have answered, and ask again what is due: the new names, by row."""
        now = monotonic()
        names: Dict[int, str] = {}
        for key, facts in self._runtimes.take().items():
            self._open.discard(key)
            known = self._known.get(key)
            if known is not None:
                before = known.container.name
                self._learn(known, facts, now)
                if known.container.name != before:
                    names[known.row] = known.container.name
        for known in self._known.values():
            if known.due is not None and known.due <= now:
                known.due = None
                self._ask(self._keys[known.row])
        self._tell_troubles()
        return names

    def note_end(self, row: Optional[int]) -> None:
        """A process that belonged there has ended: perhaps not of itself."""
        if row is not None:
            self._suspects.add(row)

    def note_cgroups(self, cgroups: Iterable[Optional[int]]) -> None:
        """Sockets have been seen in these cgroups."""
        self._unknown.update([c for c in cgroups if c and c not in self._ids and c not in self._nowhere])

    def take_census(self, processes: Iterable[Process], listed: Set[Optional[int]]) -> List[int]:
        """Which process is the oldest of each row; those rows go that are not `listed`, and are returned."""
        eldest: Dict[int, Process] = {}
        for process in processes:
            if process.belongs is not None:
                before = eldest.get(process.belongs)
                if before is None or process.start_time < before.start_time:
                    eldest[process.belongs] = process
        now = monotonic()
        gone = [known for known in self._known.values() if known.row not in listed and not self._stays(known, now)]
        for known in gone:
            self._end(known)
        for known in self._known.values():
            self._note_first(known, eldest.get(known.row))
        return [known.row for known in gone]

    def row_of(self, cgroup: int) -> Optional[int]:
        """Row of what sockets in a cgroup belong to; None where that has not been told."""
        return self._ids.get(cgroup) if cgroup in self._told else None

    def settle(self) -> None:
        """Once a tick: count what the OOM killer did, look up the cgroups of sockets."""
        self._tick += 1
        suspects, self._suspects = self._suspects, set()
        for known in self._known.values():
            suspect, turn = known.row in suspects, known.row + self._tick
            if known.container.cgroup is not None and (suspect or turn % LOOK_EVERY == 0):
                kills = cgroup_fs.read_oom_kills(self._mounts, known.container.cgroup)
                if kills is not None and kills != known.container.oom_kills:
                    self._change(known, oom_kills=kills)
            silent = known.container.contained and (known.facts is None or known.facts.state is None)
            if silent and (suspect or turn % FROZEN_EVERY == 0):
                state = self._seen(known)
                if state != known.container.state:
                    self._change(known, state=state)
        if self._unknown or self._hidden:
            self._look_up(monotonic())

    def close(self) -> None:
        """Ask no more."""
        self._runtimes.close()
        self._freezer.close()

    def _begin(self, key: _Key, identity: Identity, comm: str) -> _Known:
        container = _container(key, identity, comm)
        known = self._known[key] = _Known(self._outbox.new_id(), container, identity.pod is not None)
        self._keys[known.row] = key
        self._outbox.put("containers", known.row, container)
        self._suspects.add(known.row)
        if identity.container_id is not None and identity.kind not in _NAMED:
            self._ask(key)
        return known

    def _note_first(self, known: _Known, first: Optional[Process]) -> None:
        """Tell the oldest process of a row, and what that tells where no runtime has answered."""
        container = known.container
        if first is None:
            known.left = known.left or monotonic()
            if container.pid is not None:
                self._suspects.add(known.row)
                self._change(known, pid=None)
            return
        known.left = None
        told, kind = known.facts, container.kind
        if told is None and known.in_pod and first.comm == "pause":  # of the kubelet's, whichever image has it
            kind = "sandbox"
        started = container.started if told is not None and told.started is not None else first.started
        self._change(known, pid=first.pid, netns=first.netns, started=started, kind=kind)

    def _stays(self, known: _Known, now: float) -> bool:
        """It is there, though none of its processes is listed."""
        restarting = known.facts is not None and known.facts.state == "restarting"
        return known.row in self._hidden or (restarting and now - (known.left or now) < PATIENCE)

    def _seen(self, known: _Known) -> Optional[str]:
        """The state of a container as the kernel shows it; None where its processes may not be seen."""
        if known.row in self._hidden:
            return None
        if known.container.pid is None:
            return "exited"
        frozen = known.container.cgroup is not None and self._freezer.read(known.container.cgroup)
        return "paused" if frozen else "running"

    def _ask(self, key: _Key) -> None:
        self._open.add(key)
        self._runtimes.ask(*key)

    def _end(self, known: _Known) -> None:
        key = self._keys.pop(known.row)
        del self._known[key]
        self._outbox.drop("containers", known.row)
        if key[0] == "program":
            return
        self._freezer.forget(known.container.cgroup or "")
        self._open.discard(key)
        self._runtimes.forget(*key)
        for path in [path for path, row in self._paths.items() if row == known.row]:
            del self._paths[path]
            self._looked_up.discard(path)
        for number in [number for number, row in self._ids.items() if row == known.row]:
            self._forget_cgroup(number)

    def _forget_cgroup(self, number: int) -> None:
        del self._ids[number]
        if number in self._told:
            self._outbox.drop("cgroups", self._told.pop(number))

    def _learn(self, known: _Known, facts: Optional[ContainerFacts], now: float) -> None:
        if facts is None:
            if known.facts is not None:  # what it said of the state does not hold any more
                known.facts = known.facts._replace(state=None)
                self._suspects.add(known.row)
            known.due = now + known.doubt
            known.doubt = min(ASK_RARELY, 2 * known.doubt)
            return
        known.due = None if facts.runtime in _TELLING else now + RENEW
        known.doubt = ASK_AGAIN
        known.facts = facts
        self._change(
            known,
            kind="sandbox" if facts.sandbox else "container",
            name=_called(facts) or known.container.name,
            runtime=facts.runtime,
            image=facts.image,
            pod=facts.pod,
            k8s_namespace=facts.k8s_namespace,
            k8s_container=facts.k8s_container,
            service=facts.service,
            task=facts.task,
            state=facts.state or known.container.state,
            labels=tuple(f"{name}={value}" for name, value in facts.labels),
            started=facts.started or known.container.started,
            restarts=facts.restarts,
        )

    def _change(self, known: _Known, **columns: object) -> None:
        changed = known.container._replace(**columns)  # type: ignore[arg-type]  # the names are those of the row
        if changed != known.container:
            known.container = changed
            self._outbox.put("containers", known.row, changed)

    def _tell_troubles(self) -> None:
        contained = any(known.container.contained for known in self._known.values())
        troubles = self._runtimes.troubles() if contained else {}
        for runtime in self._troubles - troubles.keys():
            self._health.heal(f"runtime:{runtime}")
        for runtime, reason in troubles.items():
            self._health.report(f"runtime:{runtime}", "degraded", f"containers of {runtime} go by their ids: {reason}")
        self._troubles = set(troubles)

    def _look_up(self, now: float) -> None:
        """Cgroup ids to rows: first among those of the processes, then in the whole tree."""
        for path in self._paths.keys() - self._looked_up:
            self._looked_up.add(path)
            number = cgroup_fs.cgroup_id(self._mounts, path)
            if number is not None:
                self._ids[number] = self._paths[path]
        if (self._hidden or self._unknown - self._ids.keys()) and now - self._walked >= WALK_EVERY:
            self._walked = now
            self._walk()
        for number in [number for number in self._unknown if number in self._ids]:
            self._unknown.discard(number)
            self._told[number] = self._told.get(number) or self._outbox.new_id()
            self._outbox.put("cgroups", self._told[number], Cgroup(number, self._ids[number]))

    def _walk(self) -> None:
        """Look for cgroups without a process that is seen; of those found before, forget what is there no more."""
        tree = cgroup_fs.walk(self._mounts)
        for number in self._unknown - self._ids.keys():
            identity = parse_cgroup(f"0::{tree[number]}") if number in tree else None
            if identity is not None and identity.kind != "standalone":
                row = self.place(identity, "").row
                assert row is not None, "a place of its own"
                self._ids[number] = row
                self._hidden.add(row)
            else:
                self._unknown.discard(number)
                self._nowhere.add(number)
        self._nowhere &= tree.keys()
        for number in self._ids.keys() - tree.keys():
            self._forget_cgroup(number)
        self._hidden &= set(self._ids.values())


def _key(identity: Identity, comm: str) -> _Key:
    """What makes a row one row: kind and id of a container, the path of a unit, the name of a program."""
    if identity.container_id is not None:
        return identity.kind, identity.container_id
    if identity.pod is not None:
        return "pod", identity.pod
    if identity.unit is not None:
        return "unit", _own_path(identity)
    return ("unit", identity.path) if identity.kind != "standalone" else ("program", comm)


def _container(key: _Key, identity: Identity, comm: str) -> Container:
    """The row as far as the cgroup tells."""
    contained = identity.container_id is not None or identity.pod is not None
    kind = identity.kind
    if contained:
        kind = "container" if identity.container_id is not None else "pod"
    return Container(
        kind="program" if key[0] == "program" else kind,
        container_id=identity.container_id or identity.pod,
        name=identity.short or identity.pod or identity.unit or comm or identity.path,
        runtime=identity.kind if contained else None,
        image=None,
        pod=None,
        k8s_namespace=None,
        k8s_container=None,
        service=None,
        task=None,
        state=None,
        unit=None if contained else identity.unit,
        cgroup=None if key[0] == "program" else _own_path(identity) or None,
        labels=(),
        pid=None,
        netns=None,
        started=None,
        restarts=None,
        oom_kills=None,
    )


def _own_path(identity: Identity) -> str:
    """The cgroup of the container or unit itself: its processes may be further down."""
    name = identity.container_id or identity.unit
    elements: List[str] = identity.path.split("/")
    for depth, element in enumerate(elements if name else (), 1):
        stem = element[: -len(".scope")] if element.endswith(".scope") else element
        if name in (element, stem) or stem.endswith((f"-{name}", f":{name}", f".{name}")):
            return "/".join(elements[:depth])
    return identity.path


def _called(facts: ContainerFacts) -> Optional[str]:
    """What people call a container: in a pod both names."""
    if facts.pod is None:
        return facts.name
    return f"{facts.pod}/{'pause' if facts.sandbox else facts.k8s_container or facts.name or facts.id[:12]}"
