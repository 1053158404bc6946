"""The full screen on a made-up machine, to look at and to measure: `python -m tests.support.demo 42000 2000 2000`.

Arguments: connections, processes, connections that move data between two pictures; `--interval` seconds from one to the
next; `--fail` raises an error after the first picture.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from nettop.config import Config
from nettop.snapshot import Snapshot
from nettop.tui.app import NettopApp
from tests.support.screen import machine
from tests.support.sources import BusySource

PICTURES = 20
"""Made before the screen opens, so that making them is not measured."""


class _Prepared(BusySource):
    """The pictures of a busy machine, made beforehand and shown over and over."""

    def __init__(self, first: Snapshot, busy: int) -> None:
        super().__init__(first, busy)
        self._pictures = [first]
        for _ in range(PICTURES if busy else 1):
            self._pictures.append(super().next(self._pictures[-1]))
        self._shown = 0

    def next(self, picture: Snapshot) -> Snapshot:
        self._shown += 1
        number = self._shown % len(self._pictures)
        prepared = self._pictures[number]
        return Snapshot(
            sequence=picture.sequence + 1,
            time=picture.time + 1,
            interval=1.0,
            connections=prepared.connections,
            processes=prepared.processes,
            namespaces=prepared.namespaces,
            containers=prepared.containers,
            events=prepared.events,
            events_total=prepared.events_total,
            host=prepared.host,
            rates=prepared.rates,
            health=prepared.health,
            coverage=prepared.coverage,
            changed=prepared.changed if number else {},
        )


class _Failing(_Prepared):
    def next(self, picture: Snapshot) -> Snapshot:  # noqa: ARG002  # it never gets that far
        raise RuntimeError("made to fail")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("connections", type=int, nargs="?", default=300)
    parser.add_argument("processes", type=int, nargs="?", default=150)
    parser.add_argument("busy", type=int, nargs="?", default=20)
    parser.add_argument("--interval", type=float, default=1.0)
    parser.add_argument("--fail", action="store_true")
    options = parser.parse_args()
    kind: Callable[[Snapshot, int], _Prepared] = _Failing if options.fail else _Prepared
    source = kind(machine(options.connections, options.processes), options.busy)
    app = NettopApp(source, config=Config(interval=options.interval))
    app.run(mouse=not app.remote)
    return app.return_code or 0


if __name__ == "__main__":
    raise SystemExit(main())
