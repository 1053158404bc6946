"""The stream of one collector, as each of those who listen may see it.

Lines are encoded once for as many as possible: what everybody may see once for all, and behind it, where a tick has
any, what is not for everybody, once for each user. That is a few rows: fifty guests cost hardly more than one.
"""

from __future__ import annotations

from collections.abc import Sequence

from nettop.collector.child import PART, lines
from nettop.fold import Fold
from nettop.model import Change, Delta, Event
from nettop.service.policy import HEALTH_ROW, Policy, Viewer

EVENTS_KEPT = 2_000
"""Events that are told to one who comes late."""

Lines = list[bytes]


class Broadcast:
    """Takes every Delta of a collector, each a whole tick; tells the last one, or everything there is to tell."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._fold = Fold(EVENTS_KEPT)
        self._uids: dict[int, int] | None = None
        self._change: _Telling | None = None
        self._whole: _Telling | None = None

    @property
    def events_told(self) -> int:
        """Events of all ticks so far."""
        return self._fold.told

    def take(self, delta: Delta) -> None:
        """The next tick; the first one is a key frame."""
        self._fold.take(delta)
        self._change = self._whole = self._uids = None
        self._last = delta

    def change(self, viewer: Viewer) -> Lines:
        """What the last tick said."""
        if self._change is None:
            self._change = _Telling(self._last, self._policy.public(self._last))
        if self._change.public is self._last:
            return self._change.bulk
        return self._change.bulk + self._own(self._change, viewer, self._last.events)

    def whole(self, viewer: Viewer, events_told: int) -> Lines:
        """Everything as of the last tick, in a key frame, to one who was told the first `events_told` events before."""
        if self._whole is None:
            known = self._fold.delta()._replace(complete=False, events=(), events_skipped=0)
            self._whole = _Telling(known, self._policy.public(known))
        return self._whole.bulk + self._own(self._whole, viewer, self._fold.events_since(events_told))

    def _own(self, telling: _Telling, viewer: Viewer, events: Sequence[Event]) -> Lines:
        """What completes the tick for one user: their own rows, and the events as they may see them."""
        known = telling.own.get((viewer, len(events)))
        if known is None:
            delta, policy = telling.delta, self._policy
            changes = policy.own(delta, viewer, self._fold.tables["sockets"].get)
            if delta.key and viewer is not None and policy.health is not None:
                changes["health"] = Change({HEALTH_ROW: policy.health}, [])
            shown = tuple(policy.event(event, viewer, self._uid_of) for event in events)
            own = Delta(False, True, delta.time, delta.clock, changes, shown, delta.events_skipped)
            known = telling.own[viewer, len(events)] = list(lines(own, PART))
        return known

    def _uid_of(self, pid: int) -> int | None:
        """Whose a process is, as of the last tick."""
        if self._uids is None:
            self._uids = {row.pid: row.uid for row in self._fold.tables["processes"].values()}
        return self._uids.get(pid)


class _Telling:
    """A Delta, and what of it has been encoded."""

    def __init__(self, delta: Delta, public: Delta) -> None:
        """`public` is what everybody may see of it."""
        self.delta = delta
        self.public = public
        self.own: dict[tuple[Viewer, int], Lines] = {}
        """Lines by user, and by how many events they tell."""
        whole = public is delta and delta.complete
        told = public if whole else public._replace(complete=False, events=(), events_skipped=0)
        self.bulk: Lines = list(lines(told, PART))
        """The lines for everybody; complete where they are all there is."""
