"""The benchmark: nettop and its peers on the same lab, and the budgets nettop has to keep.

    python -m tests.bench [--size A] [--only listing,keys] [--json FILE] [--strict]

Needs root and iproute2; peers that are not installed are named as such. pytest does not run this.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bench.figures import SECTIONS, Figure
from tests.bench.gestures import GESTURES
from tests.bench.lab import Lab
from tests.bench.lab_spec import SIZES


class Budget(NamedTuple):
    """What a figure may be at most: a value in its unit, or so many times the figure of a peer."""

    at_most: float
    peer: str | None = None

    def __str__(self) -> str:
        return f"{self.at_most:g}" + (f" times {self.peer}" if self.peer else "")


_BUDGETS: Mapping[str, Mapping[str, Sequence[Budget]]] = {
    "A": {
        "nettop listing": [Budget(0.25, "ss listing")],
        "nettop with rates listing": [Budget(0.25, "ss listing")],
        "nettop cpu": [Budget(2.5, "htop cpu")],
        "nettop memory": [Budget(150)],
        "nettop first frame": [Budget(1.0)],
        **{f"nettop {gesture.name} p99": [Budget(30)] for gesture in GESTURES["nettop"]},
        "nettop bytes a still tick": [Budget(3)],
        "nettop bytes a lively tick": [Budget(15)],
        "nettop forks missed": [Budget(0)],
        "nettop exits missed": [Budget(0)],
        "nettop short miscounted": [Budget(0)],
        "nettop short wrong owners": [Budget(0)],
        "nettop memory grown": [Budget(2)],
        "nettop 300 idle namespaces": [Budget(1.5)],
        "nettop containers added": [Budget(10)],
        "nettop a day of 1,000 sockets": [Budget(300)],
        "nettop jump to any time": [Budget(0.3)],
        "nettop guests": [Budget(1.3)],
        "nettop guests missed": [Budget(0)],
        "nettop remote first picture": [Budget(2)],
        "nettop remote bytes a second": [Budget(5)],
    },
    "small": {
        "nettop cpu": [Budget(3, "htop cpu"), Budget(1, "glances cpu")],
        "nettop memory": [Budget(75)],
        "nettop first frame": [Budget(0.5)],
    },
}

_SECTIONS_OF_SIZE = {"A": tuple(SECTIONS), "small": ("listing", "running", "frame")}


class Verdict(NamedTuple):
    """A figure beside a budget, or beside none."""

    size: str
    section: str
    figure: Figure
    budget: Budget | None = None
    peer: float | None = None
    """The figure of the budget's peer."""

    @property
    def ratio(self) -> float | None:
        """To the peer's figure; None where one of them is not known."""
        return None if self.figure.value is None or not self.peer else self.figure.value / self.peer

    @property
    def ok(self) -> bool | None:
        """None where there is nothing to hold it to, or it could not be measured."""
        if self.budget is None:
            return None
        value = self.ratio if self.budget.peer else self.figure.value
        return None if value is None else value <= self.budget.at_most


def judge(size: str, section: str, figure: Figure, known: Mapping[str, Figure]) -> list[Verdict]:
    """A figure beside each of its budgets; `known` has the figures of its peers."""
    verdicts = []
    for budget in _BUDGETS[size].get(figure.name, ()):
        peer = known.get(budget.peer or "")
        verdicts.append(Verdict(size, section, figure, budget, peer.value if peer else None))
    return verdicts or [Verdict(size, section, figure)]


def row(verdict: Verdict) -> str:
    """One line of the table."""
    figure = verdict.figure
    word = {True: "ok", False: "OVER", None: "?" if verdict.budget else ""}[verdict.ok]
    budget = f"at most {verdict.budget}" if verdict.budget else ""
    return (
        f"{figure.name:<28} {_number(figure.value) or '-':>8} {figure.unit:<3} {_number(verdict.peer):>8}"
        f" {_number(verdict.ratio):>7}  {budget:<28} {word:<5} {figure.note}"
    ).rstrip()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def measure(size: str, sections: Iterable[str]) -> list[Verdict]:
    """Make a lab, go through the sections, print every figure as it comes."""
    verdicts = []
    known: dict[str, Figure] = {}
    with Lab(SIZES[size]) as lab:
        print(f"\nlab {size}: {lab.describe()}")
        print(f"{'':<28} {'measured':>8} {'':<3} {'peer':>8} {'ratio':>7}  budget")
        for section in sections:
            for figure in SECTIONS[section](lab):
                known[figure.name] = figure
                for verdict in judge(size, section, figure, known):
                    print(row(verdict), flush=True)
                    verdicts.append(verdict)
    return verdicts


def _plain(verdict: Verdict) -> dict[str, object]:
    budget = str(verdict.budget) if verdict.budget else None
    return {
        **verdict.figure._asdict(),
        "size": verdict.size,
        "section": verdict.section,
        "budget": budget,
        "peer": verdict.peer,
        "ratio": verdict.ratio,
        "ok": verdict.ok,
    }


def _names(known: Iterable[str]) -> Callable[[str], list[str]]:
    """An argparse type: comma-separated words out of those known."""

    def parse(text: str) -> list[str]:
        words = text.split(",")
        if unknown := set(words) - set(known):
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
        return words

    return parse


def main() -> int:
    """Measure everything asked for. 0 also when a budget is exceeded, unless --strict; 3 where labs cannot be made."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="nettop and its peers on the same lab")
    parser.add_argument("--size", type=_names(SIZES), default=list(SIZES), help="labs: " + ", ".join(SIZES))
    parser.add_argument("--only", type=_names(SECTIONS), help="sections: " + ", ".join(SECTIONS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too, one JSON object a line")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a budget is exceeded or not measured")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("the benchmark makes network namespaces: run it as root", file=sys.stderr)
        return 3
    verdicts = []
    for size in options.size:
        verdicts += measure(size, options.only or _SECTIONS_OF_SIZE[size])
    if options.json:
        options.json.write_text("".join(json.dumps(_plain(verdict)) + "\n" for verdict in verdicts))
    kept = all(verdict.ok for verdict in verdicts if verdict.budget)
    return 1 if options.strict and not kept else 0


if __name__ == "__main__":
    sys.exit(main())
