"""What a tick found of processes, for the trackers that build on them."""

from __future__ import annotations

from typing import List, NamedTuple, Optional

from nettop.model import Process, ProcessKey


class Rehomed(NamedTuple):
    """A process belongs to something else than before; both by row id in the table of containers."""

    process: ProcessKey
    before: Optional[int]
    now: Optional[int]


class Changes(NamedTuple):
    """Everything that a tick found."""

    look_at: List[ProcessKey]
    """Their open files may have changed: new, exec, another number of descriptors."""
    gone: List[int]
    """Pids."""
    rehomed: List[Rehomed]
    moved: bool
    """A process appeared, ended, changed namespace, belongs elsewhere or to something of another name: whoever counts
    them has to count again."""

    @classmethod
    def none(cls) -> Changes:
        """Nothing yet."""
        return cls([], [], [], False)

    def note_place(self, before: Process, now: Process) -> bool:
        """Whether a process belongs to something else than before, which is noted."""
        if before.belongs == now.belongs:
            return False
        self.rehomed.append(Rehomed(now.key, before.belongs, now.belongs))
        return True
