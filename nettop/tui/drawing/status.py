"""The lines around the table: the machine, what nettop can see of it, where one is, what the keys do.

Each function makes the pieces of one line for a width; parts that do not fit go in a fixed order, and figures keep
their width, so that nothing moves from one picture to the next but the figures themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.style import Style

from nettop import format as text
from nettop.fields import VIEWS
from nettop.model import Health, Host
from nettop.snapshot import HostRates, LinkRate, Machine, Snapshot
from nettop.tui.commands.command import Command
from nettop.tui.drawing.line import Pieces, between, cells, joined, piece
from nettop.tui.drawing.theme import Look, Signs
from nettop.tui.lists.levels import Levels
from nettop.tui.lists.panes import Pane

PANES = {"processes": "1", "connections": "2", "namespaces": "3", "containers": "4", "events": "5"}
"""The views that have a pane, with the key that opens it."""

SHORT = {"processes": "Procs", "connections": "Conns", "namespaces": "Netns"}
"""View name → its title where there is no room."""

NEEDED: Mapping[str, tuple[str, ...]] = {
    "processes": ("sort", "tree", "group", "signal", "enlarge", "copy", "tag", "mark", "user", "columns", "freeze"),
    "connections": ("sort", "group", "listeners", "close_socket", "copy", "mark", "columns", "names", "user", "freeze"),
    "namespaces": ("sort", "enlarge", "copy", "mark", "columns", "freeze"),
    "containers": ("sort", "enlarge", "signal", "copy", "mark", "columns", "freeze"),
    "events": ("freeze", "enlarge", "signal", "copy", "columns", "sort"),
}
"""View name → the commands one most probably wants there, for the footer: as many as fit, after those for any view."""

GROUPS = ("sort", "group", "signal", "close_socket", "copy", "columns", "mark")
"""The same where rows are grouped."""

TRAVELLING = ("earlier", "later", "play", "present", "jump", "next_match", "next_event")
"""Those one wants while looking at the past, where alone they exist."""

FIRST = ("budget", "capabilities", "owners", "cn_proc")
"""Sources whose complaint goes before the others: why figures come late, and what explains most of the rest."""

REASON, SHORT_REASON = 60, 28
"""Cells of the first reason for being degraded that are worth more than figures one need not worry about, and more than
any."""

_LINKS = 3
"""Interfaces in the host line at most."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a line, and how soon it goes when there is no room: the highest first."""

    expendable: int
    pieces: Pieces


class OwnCost(NamedTuple):
    """What nettop itself uses, screen and collector together."""

    cpu: float | None
    """Percent of one processor; None until a second picture."""
    memory: int
    """Bytes; 0 where not known."""


def host_line(snapshot: Snapshot, history: Sequence[HostRates], width: int, look: Look, signs: Signs) -> Pieces:
    """Who the machine is and how busy: name, rates, cpu, memory, retransmits, load, time since it started. Of several,
    which have no load or time in common: how many are reached, the sums, and what the busiest move."""
    host, rates = snapshot.host, snapshot.rates
    if host is None:
        return [piece(" reading the machine ...", look.dim)]

    def figure(label: str, value: str, style: Style) -> Pieces:
        return [piece(f"{label} ", look.dim), piece(value, style)]

    def parts(bars: int) -> list[_Part]:
        def past(values: Sequence[float | None], top: float | None = None) -> Pieces:
            return [piece(f" {sparkline(values, bars, signs.bars, top)}", look.dim)] if bars else []

        memory = f"{text.bytes_(host.mem_used)}/{text.bytes_(host.mem_total)}".replace(" ", "")
        return [
            *(_machines(snapshot.machines, look, signs) or _machine(host, snapshot.time, look)),
            _Part(2, figure("cpu", _percent(rates.cpu), look.text) + past([r.cpu for r in history], 100.0)),
            _Part(4, figure("mem", memory, look.text)),
            _Part(1, figure(signs.rx, _rate(rates.rx_rate), look.rx) + past([r.rx_rate for r in history])),
            _Part(1, figure(signs.tx, _rate(rates.tx_rate), look.tx) + past([r.tx_rate for r in history])),
            _Part(3, figure("retr", _percent(rates.retrans_percent), _retrans_style(rates, look))),
        ]

    links = _over(rates.links, look, signs, several=bool(snapshot.machines))
    gap = 3
    for bars, gap in ((8, 3), (5, 3), (5, 2), (0, 3), (0, 2)):
        line = parts(bars)
        if bars:
            line = _without_most_expendable(line, width, gap)
        if _width(line, gap) <= width:
            break
    while links and _width([*line, *links], gap) > width:
        del links[-1]
    return _fitted([*line, *links], width, " " * gap, look.text)


def coverage_line(snapshot: Snapshot, own: OwnCost, notice: str | None, width: int, look: Look, signs: Signs) -> Pieces:
    """What nettop knows of what happens here; while its collector is gone, that instead."""
    if notice:
        return [piece(f" {signs.warning} {text.safe(notice)}", look.warning)]
    coverage = snapshot.coverage
    parts: list[_Part] = []
    if coverage.bytes_owned is None:
        parts.append(_Part(0, [piece("owners: nothing moves", look.dim)]))  # as wide as the figure
    else:
        style = look.good if coverage.bytes_owned > 0.95 else look.warning
        share = text.percent(math.floor(1000 * coverage.bytes_owned) / 10)  # all of them are 100, nearly all are not
        parts.append(_Part(0, [piece("owners ", look.dim), piece(f"{share:>4}%", style), piece(" of bytes", look.dim)]))
    parts.append(_Part(3, [piece(f"{coverage.unowned:,}", look.text), piece(" sockets without one", look.dim)]))
    unread = coverage.namespaces - coverage.namespaces_read
    sign = f"{signs.warning} " if unread else ""
    parts.append(
        _Part(
            1 if unread else 2,
            [
                piece(f"{sign}{coverage.namespaces_read}/{coverage.namespaces}", look.warning if unread else look.text),
                piece(" namespaces", look.dim),
            ],
        )
    )
    lost = coverage.events_lost
    parts.append(
        _Part(
            1 if lost else 2,
            [
                piece(f"{signs.warning} " if lost else "", look.warning),
                piece("events lost ", look.dim),
                piece(f"{lost:,}", look.warning if lost else look.text),
            ],
        )
    )
    if own.cpu is not None:
        memory = f" {text.bytes_(own.memory).replace(' ', ''):>5}" if own.memory else ""
        used = f"{text.percent(own.cpu):>4}%{memory}"  # right-aligned: what stands behind it keeps its place
        parts.append(_Part(4, [piece("nettop ", look.dim), piece(used, look.text)]))
    separator = f" {signs.separator} "
    complaints = [health for health in snapshot.health if health.status != "absent"]
    complaints.sort(key=_urgency)
    if not complaints:
        return _fitted(parts, width, separator, look.dim)
    first, *others = complaints
    sentence = text.safe(f"{signs.warning} {first.status}: {first.reason}")
    more = f" (and {len(others)} more)" if others else ""
    whole = text.cell_width(sentence)
    beside_worries = width - _width([part for part in parts if part.expendable < 2], len(separator)) - len(separator)
    least = max(min(SHORT_REASON, whole), min(REASON, whole, beside_worries - len(more))) + len(more)
    line = _fitted(parts, width - least - len(separator), separator, look.dim)
    room = width - cells(line) - len(separator) - len(more) - 1
    reason = text.fit(sentence, min(room, whole))
    return [*line, piece(separator, look.dim), piece(reason + more, look.warning)]


def unusable_line(said: str | None, width: int, look: Look, signs: Signs) -> Pieces:
    """What of the settings is ignored; where that is not told to its end, the file goes by its name alone."""
    place, _, reason = text.safe(said or "").partition(": ")
    start = f" {signs.warning} ignored: "
    if text.cell_width(f"{start}{place}: {reason}") > width:
        place = f"{signs.ellipsis}/{place.rpartition('/')[2]}"
    return [piece(text.fit(f"{start}{place}: {reason}", width), look.warning)]


def tabs_line(snapshot: Snapshot, levels: Levels, frozen: bool, width: int, look: Look, signs: Signs) -> Pieces:
    """The panes with their keys and counts, and the way from the machine to where one is, which is worth more."""
    active, trail = levels.level.active, [text.safe(title) for title in levels.trail]
    crumb = f" {signs.crumb} "
    way = crumb.join(["machines" if snapshot.machines else "host", *trail, active]) if trail else ""
    right = [piece(" FROZEN ", look.active)] if frozen else []
    room = width - cells(right) - (text.cell_width(way) + 2 if way else 0)
    forms = _tabs(snapshot, active, look, counted=not trail)
    tabs = next((form for form in forms if cells(form) <= room), forms[-1])
    if way:
        room = max(10, width - cells(tabs) - cells(right) - 2)
        if text.cell_width(way) > room:
            way = crumb.join([signs.ellipsis, trail[-1], active])
        right.append(piece(f" {text.fit(way, min(room, text.cell_width(way)))} ", look.band_strong))
    return between(tabs, right, width, look.band)


def _tabs(snapshot: Snapshot, active: str, look: Look, *, counted: bool) -> list[Pieces]:
    """The panes with their counts and without, as long as there is room; at last all but the one one looks at by their
    keys alone."""
    titles = {name: VIEWS[name].title for name in PANES}
    short = {**titles, **SHORT}
    counts = {name: f" {len(getattr(snapshot, name)):,}" for name in PANES}
    alone = {active: titles[active]}

    def form(titles: Mapping[str, str], counts: Mapping[str, str]) -> Pieces:
        tabs: Pieces = []
        for name, number in PANES.items():
            title, count = titles.get(name, ""), counts.get(name, "")
            if name == active:
                tabs.append(piece(f" {number} {title}{count} ", look.active))
            else:
                tabs += [piece(f" {number} ", look.key), piece(title, look.band)]
                tabs += [piece(f"{count} ", look.band_dim)] if title else []
        return tabs

    counting = [form(titles, counts), form(short, counts)] if counted else []
    return [*counting, form(titles, {}), form(short, {}), form(alone, {})]


def title_line(pane: Pane, names: bool, width: int, look: Look, signs: Signs) -> Pieces:
    """Whose rows these are, the filter, how many rows pass it, what they are sorted by, whether they stay in place."""
    order = pane.order
    left: Pieces = []
    if pane.user:
        left += [piece(" user ", look.dim), piece(text.safe(pane.user.name), look.strong)]
    if pane.filter_text:
        left += [piece(" filter ", look.dim), piece(text.safe(pane.filter_text), look.strong)]
    elif not (left or pane.search):
        left.append(piece(" no filter", look.dim))
    if pane.search:
        left += [piece(" search ", look.dim), piece(text.safe(pane.search.query.text), look.strong)]
    for note in pane.notes:
        left += [piece(f"  {signs.separator} ", look.dim), piece(text.safe(note), look.strong)]
    if pane.pending:
        left.append(piece(signs.ellipsis, look.dim))
    shown, all_rows = len(pane.ids), len(pane.rows)
    count = f"{shown:,} of {all_rows:,}" if shown != all_rows else f"{shown:,}"
    place = f"{pane.line + 1 if pane.ids else 0:,}/{count}"
    arrow = signs.down if order.descending else signs.up
    right = [piece(place, look.text), piece(f"   sort {arrow} ", look.dim)]
    right.append(piece(order.field.title, look.text))
    if pane.scrolled:
        past = f"{pane.scrolled} column{'s' if pane.scrolled > 1 else ''} to the left   "
        right.insert(0, piece(past, look.dim))
    if names:
        right.append(piece("  names", look.strong))
    if pane.held:  # at the left end: it comes and goes with every move of the cursor, and nothing else is to move
        right.insert(0, piece("= held   ", look.strong))
    return between(left, [piece("  ", look.text), *right, piece(" ", look.text)], width, look.text)


def footer_line(message: str | None, commands: Mapping[str, Command], levels: Levels, width: int, look: Look) -> Pieces:
    """The keys one needs most in the pane one looks at; for a moment, what the last key could not do."""
    if message:
        return between([piece(f" {message}", look.band_strong)], [], width, look.band)
    names = [
        "help",
        "quit",
        *(["back"] if _something_to_leave(levels) else []),
        *TRAVELLING,
        "palette",
        "filter",
        "open",
    ]
    names += NEEDED.get(levels.pane.view.name, GROUPS)
    groups: list[Pieces] = []
    used = 1
    for command in filter(None, map(commands.get, names)):
        group = [piece(command.shown.split()[0], look.key), piece(f" {command.footer}", look.band)]
        used += cells(group) + 2
        if used > width:
            break
        groups.append(group)
    return between([piece(" ", look.band), *joined(groups, piece("  ", look.band))], [], width, look.band)


def _something_to_leave(levels: Levels) -> bool:
    """Esc leads somewhere."""
    pane, level = levels.pane, levels.level
    narrowed = pane.filter_text or pane.user or pane.search
    return bool(narrowed or level.groups or levels.trail or levels.sight.mark)


def sparkline(values: Sequence[float | None], width: int, bars: str, top: float | None = None) -> str:
    """The last values as bars of one cell, the newest at the right; a full one is `top` or the highest of them.

    Unknown values and those before the first are blank.
    """
    recent = values[-width:]
    highest = top or max((value or 0.0 for value in recent), default=0.0) or 1.0
    steps = len(bars) - 1
    drawn = [" " if value is None else bars[min(steps, round(value / highest * steps))] for value in recent]
    return "".join(drawn).rjust(width)


def _fitted(parts: list[_Part], width: int, gap: str, style: Style) -> Pieces:
    """The parts that fit into the width, after one blank."""
    while len(parts) > 1 and _width(parts, len(gap)) > width:
        parts.remove(max(parts, key=lambda part: part.expendable))
    return [piece(" ", style), *joined([part.pieces for part in parts], piece(gap, style))]


def _without_most_expendable(parts: list[_Part], width: int, gap: int) -> list[_Part]:
    """All parts where they fit; bars are worth one of them."""
    if _width(parts, gap) <= width:
        return parts
    first = max(parts, key=lambda part: part.expendable)
    return [part for part in parts if part is not first]


def _width(parts: list[_Part], gap: int) -> int:
    return 2 + sum(cells(part.pieces) for part in parts) + gap * (len(parts) - 1)


def _machine(host: Host, now: float, look: Look) -> list[_Part]:
    """Who one machine is."""
    name = text.safe(host.hostname)
    load = f"{host.load1:.2f} {host.load5:.2f} {host.load15:.2f}"
    return [
        _Part(0, [piece(text.fit(name, min(24, text.cell_width(name))), look.strong)]),
        _Part(6, [piece("up ", look.dim), piece(text.duration(max(0.0, now - host.boot_time)), look.text)]),
        _Part(5, [piece("load ", look.dim), piece(load, look.text)]),
    ]


def _machines(machines: Mapping[int, Machine], look: Look, signs: Signs) -> list[_Part]:
    """How many machines are reached, of those that are watched; nothing where this is a picture of one."""
    if not machines:
        return []
    reached = sum(machine.picture is not None for machine in machines.values())
    if reached == len(machines):
        return [_Part(0, [piece(f"{reached} machines", look.strong)])]
    return [_Part(0, [piece(f"{signs.warning} {reached} of {len(machines)} machines", look.warning)])]


def _over(links: Sequence[LinkRate], look: Look, signs: Signs, *, several: bool) -> list[_Part]:
    """Which interface carries that, or of `several` machines which one moves it; of many the busiest ones with their
    shares, by name, so that they keep their places."""
    if len(links) == 1 and not several:
        return [_Part(7, [piece("over ", look.dim), piece(text.safe(links[0].name), look.text)])]
    return [
        _Part(
            7,
            [
                piece(f"{text.safe(link.name)} ", look.dim),
                piece(f"{signs.rx} {_rate(link.rx_rate)} ", look.rx),
                piece(f"{signs.tx} {_rate(link.tx_rate)}", look.tx),
            ],
        )
        for link in sorted(links[:_LINKS], key=lambda link: link.name)
    ]


def _urgency(health: Health) -> int:
    """The place of a complaint among others: a machine that is not there goes first, then what `FIRST` names, of
    whichever machine."""
    if health.source.startswith("machine:"):
        return -1
    source = health.source.rpartition(":")[2]
    return FIRST.index(source) if source in FIRST else len(FIRST)


def _percent(value: float | None) -> str:
    return text.fit(text.UNKNOWN if value is None else f"{text.percent(value)}%", 5)


def _rate(value: float | None) -> str:
    return text.fit(
        text.UNKNOWN if value is None else f"{text.rate(value)}{'' if text.rate(value)[-1].isalpha() else ' '}B/s", 9
    )


def _retrans_style(rates: HostRates, look: Look) -> Style:
    return look.warning if (rates.retrans_percent or 0.0) >= 1.0 else look.text
