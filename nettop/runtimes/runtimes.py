"""All runtimes of the machine: asked now, answered later, from threads of their own.

A thread a runtime, begun with the first question: one that hangs keeps nobody else waiting, and a machine without
containers has none. Questions and answers go through bounded queues; the collector only ever looks whether there are
answers.
"""

from __future__ import annotations

import contextlib
import glob
import queue
import socket
import threading
import time
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from nettop.runtimes import containerd
from nettop.runtimes.facts import ContainerFacts, RuntimeTrouble
from nettop.runtimes.places import PLACES, Places

ANYBODY = ("docker", "containerd", "crio", "podman")
"""Who is asked of a container whose cgroup does not tell its runtime."""

UNKNOWN = "an unknown runtime"
"""What that runtime is called then."""

WAITING = 4096
"""Questions that wait at most; more are forgotten, and asked again by whoever still wants to know."""
PAUSE = 10.0
"""Seconds a runtime in trouble is left alone."""

_GLANCE = 1.0
"""Seconds after which a thread with nothing to do looks whether it is still wanted."""

Key = Tuple[str, str]
"""Kind and id of a container, as `kernel.cgroup.Identity` says them."""


class _Asker(NamedTuple):
    """One runtime in one place."""

    runtime: str
    ask: Callable[[str], Optional[ContainerFacts]]
    changes: Optional[Callable[[Callable[[socket.socket], object]], Iterator[str]]]
    """Ids of containers that something happened to, for runtimes that tell."""


class _Question(NamedTuple):
    key: Key
    others: Tuple[_Worker, ...]
    """Who is asked next, should this runtime not know it."""


class Runtimes:
    """The names of containers, by kind and id. `ask`, and `take` what has been answered since. For one thread."""

    def __init__(self, places: Places = PLACES) -> None:
        self._places = places
        self._workers: Dict[Tuple[str, str], _Worker] = {}
        self._answers: queue.SimpleQueue[Tuple[Key, Optional[ContainerFacts]]] = queue.SimpleQueue()
        self._absent: Dict[str, Set[str]] = {}  # kind → containers of it that there is nobody to ask about

    def ask(self, kind: str, container_id: str) -> None:
        """Have somebody find out what a container is; the answer comes with a later `take`, and again whenever the
        runtime says that something happened to it."""
        runtimes = (kind,) if kind in self._places else ANYBODY
        workers = [worker for runtime in runtimes for worker in self._in(runtime)]
        if not workers:
            self._absent.setdefault(kind, set()).add(container_id)
            self._answers.put(((kind, container_id), None))
            return
        self._absent.pop(kind, None)
        workers[0].put(_Question((kind, container_id), tuple(workers[1:])))

    def take(self) -> Dict[Key, Optional[ContainerFacts]]:
        """What was answered since the last call: None where nobody knows the container, or could be asked: see
        `troubles`, and ask again later."""
        answers: Dict[Key, Optional[ContainerFacts]] = {}
        with contextlib.suppress(queue.Empty):
            while True:
                key, facts = self._answers.get_nowait()
                answers[key] = facts
        return answers

    def forget(self, kind: str, container_id: str) -> None:
        """The container has ended: what happens to its name is of no interest any more."""
        for worker in self._workers.values():
            worker.forget((kind, container_id))
        absent = self._absent.get(kind, set())
        absent.discard(container_id)
        if not absent:
            self._absent.pop(kind, None)

    def troubles(self) -> Dict[str, str]:
        """Runtime → why it does not answer, as a clause."""
        troubles = dict.fromkeys(
            [kind if kind in self._places else UNKNOWN for kind in self._absent], "none is found where it usually is"
        )
        troubles.update((each.runtime, each.trouble) for each in self._workers.values() if each.trouble is not None)
        return troubles

    def close(self) -> None:
        """Ask no more. Threads end with the answer they wait for; they keep no process from ending."""
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()

    def _in(self, runtime: str) -> List[_Worker]:
        """Those of a runtime that are there, begun if need be."""
        found = []
        for pattern in self._places.get(runtime, ()):
            for path in sorted(glob.glob(pattern)):
                if (runtime, path) not in self._workers and (runtime != "containerd" or containerd.present(path)):
                    self._workers[runtime, path] = _Worker(_asker(runtime, path), self._answers)
                if (runtime, path) in self._workers:
                    found.append(self._workers[runtime, path])
        return found


def _asker(runtime: str, path: str) -> _Asker:
    if runtime == "containerd":
        return _Asker(runtime, lambda container: containerd.ask(path, container), None)
    # not before there is somebody to talk to: http takes 20 ms and 3 MB
    from nettop.runtimes import crio, engine

    if runtime == "crio":
        return _Asker(runtime, lambda container: crio.ask(path, container), None)
    return _Asker(
        runtime,
        lambda container: engine.ask(runtime, path, container),
        lambda opened: engine.changes(path, opened),
    )


class _Worker:
    """Asks one runtime, a question at a time, and listens to what it tells by itself."""

    def __init__(self, asker: _Asker, answers: queue.SimpleQueue[Tuple[Key, Optional[ContainerFacts]]]) -> None:
        self.runtime = asker.runtime
        self.trouble: Optional[str] = None
        """Why it does not answer, as a clause; None while it does."""
        self._asker = asker
        self._answers = answers
        self._questions: queue.Queue[_Question] = queue.Queue(WAITING)
        self._known: Dict[str, Key] = {}
        self._left_alone_until = 0.0
        self._stream: Optional[socket.socket] = None
        self._closed = threading.Event()
        self._begin(self._answer_all)
        if asker.changes is not None:
            self._begin(self._listen)

    def put(self, question: _Question) -> None:
        """Ask; a question too many is forgotten."""
        with contextlib.suppress(queue.Full):
            self._questions.put_nowait(question)

    def forget(self, key: Key) -> None:
        self._known.pop(key[1], None)

    def close(self) -> None:
        self._closed.set()
        if self._stream is not None:
            with contextlib.suppress(OSError):
                self._stream.shutdown(socket.SHUT_RDWR)

    def _begin(self, run: Callable[[], None]) -> None:
        threading.Thread(target=run, name=f"{self.runtime} names", daemon=True).start()

    def _answer_all(self) -> None:
        while not self._closed.is_set():
            try:
                self._answer(self._questions.get(timeout=_GLANCE))
            except queue.Empty:
                continue

    def _answer(self, question: _Question) -> None:
        facts = None
        if time.monotonic() >= self._left_alone_until:
            try:
                facts = self._asker.ask(question.key[1])
                self.trouble = None
            except RuntimeTrouble as trouble:
                self.trouble = str(trouble)
                self._left_alone_until = time.monotonic() + PAUSE
        if facts is None and question.others:
            question.others[0].put(_Question(question.key, question.others[1:]))
            return
        if facts is not None:
            self._known[question.key[1]] = question.key
        self._answers.put((question.key, facts))

    def _listen(self) -> None:
        """Ask again about each known container that something happens to."""
        assert self._asker.changes is not None, "only those that tell are listened to"
        while not self._closed.is_set():
            with contextlib.suppress(RuntimeTrouble):  # `_answer` tells what is wrong with it
                for container_id in self._asker.changes(self._opened):
                    key = self._known.get(container_id)
                    if key is not None:
                        self.put(_Question(key, ()))
            self._closed.wait(PAUSE)

    def _opened(self, stream: socket.socket) -> None:
        """It tells from here on: what it would have told before must be asked for."""
        self._stream = stream
        for key in list(self._known.values()):
            self.put(_Question(key, ()))
