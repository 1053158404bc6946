"""Series and gauges → the text that Prometheus reads, by prometheus_client.

The formats are https://github.com/prometheus/docs/blob/main/docs/instrumenting/exposition_formats.md and
https://github.com/prometheus/OpenMetrics.
"""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.core import (
    Metric as Family,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.utils import floatToGoString

from nettop import __version__
from nettop.export.account import Account, Book
from nettop.export.metrics import BUCKETS, PREFIX, RTT_HELP, STATES_HELP, Labels, Metric
from nettop.export.series import Series

_OPENMETRICS = "application/openmetrics-text"
_BOUNDS = [*map(floatToGoString, BUCKETS), "+Inf"]


class Exposition:
    """What an account says, as a collector of prometheus_client (its `registry.Collector`)."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._texts: dict[bool, tuple[str, bytes]] = {}  # OpenMetrics or not → its type, the text
        self._picture = 0

    def text(self, accept: str) -> tuple[str, bytes]:
        """(Content-Type, body) for what an Accept header asks for: OpenMetrics, or the older text. Made once a picture:
        asking often costs nothing."""
        if self._picture != self._account.pictures:
            self._texts, self._picture = {}, self._account.pictures
        openmetrics = _OPENMETRICS in accept.lower()
        if openmetrics not in self._texts:
            encode, content_type = choose_encoder(f"{_OPENMETRICS};version=1.0.0" if openmetrics else "")
            self._texts[openmetrics] = content_type, encode(self)
        return self._texts[openmetrics]

    def collect(self) -> Iterator[Family]:
        """Every metric with its samples, as of the last picture."""
        states = self._account.states()
        for name, book in self._account.books.items():
            yield from _counters(book)
            yield from _gauges(book, self._account.things(book.scope))
            yield _states(book, states[name])
            yield _round_trips(book)
        yield self._sources()
        yield from self._own()

    def _sources(self) -> Family:
        """The kinds of sources that do not work fully; a source is `netns:4026532177`, its kind `netns`."""
        family = GaugeMetricFamily(
            f"{PREFIX}sources_in_trouble",
            "Sources of facts that nettop reads in a lesser way, with losses, or not at all.",
            labels=("source", "status"),
        )
        kinds = Counter((row.source.partition(":")[0], row.status) for row in self._account.snapshot.health)
        for labels, many in kinds.items():
            family.add_metric(labels, many)
        return family

    def _own(self) -> Iterator[Family]:
        """The export itself."""
        named = GaugeMetricFamily(f"{PREFIX}series", "Names that have series of their own.", labels=("scope",))
        unnamed = GaugeMetricFamily(f"{PREFIX}unnamed", "Names that are part of the rest.", labels=("scope",))
        for book in self._account.books.values():
            if book.scope.labels:
                named.add_metric((book.scope.name,), len(book.table.named))
                unnamed.add_metric((book.scope.name,), book.unnamed)
        yield named
        yield unnamed
        yield CounterMetricFamily(f"{PREFIX}pictures", "Pictures taken.", self._account.pictures)
        yield CounterMetricFamily(
            f"{PREFIX}exporter_cpu_seconds", "Processor time that this exporter has used.", time.process_time()
        )
        version = {"version": __version__, "python": platform.python_version()}
        yield InfoMetricFamily(f"{PREFIX}build", "What is running.", version)


def _series(book: Book) -> Iterator[tuple[Labels, Series]]:
    """The rest comes last, and is told of even if it is empty: then nobody is in it."""
    yield from book.table.named.items()
    yield book.table.rest_labels, book.table.rest


def _help(book: Book, text: str) -> str:
    return f"{text} {book.scope.help}"


def _counters(book: Book) -> Iterator[Family]:
    counted = [(labels, series.known, series.counters()) for labels, series in _series(book)]
    for place, metric in enumerate(book.scope.counters):
        name = book.scope.metric(metric.name)
        family = CounterMetricFamily(name, _help(book, metric.help), labels=book.scope.labels)
        for labels, known, values in counted:
            if known[place]:
                family.add_metric(labels, values[place])
        yield family


def _gauges(book: Book, things: Mapping[Any, Any]) -> Iterator[Family]:
    together: dict[Labels, list[Any]] = {}
    for id_, thing in things.items():
        labels = book.labels(id_)
        if labels is not None and not getattr(thing, "ended", False):
            together.setdefault(book.table.shown(labels), []).append(thing)
    for metric in book.scope.gauges:
        family = GaugeMetricFamily(book.scope.metric(metric.name), _help(book, metric.help), labels=book.scope.labels)
        for labels, members in together.items():
            values = _known(metric, members)
            if values:
                family.add_metric(labels, metric.join(values))
        yield family


def _known(metric: Metric, things: Iterable[Any]) -> list[float]:
    return [value for value in map(metric.get, things) if value is not None]


def _states(book: Book, states: Mapping[tuple[Labels, str], int]) -> Family:
    name = book.scope.metric("connections")
    family = GaugeMetricFamily(name, _help(book, STATES_HELP), labels=(*book.scope.labels, "state"))
    for (labels, state), many in states.items():
        family.add_metric((*labels, state), many)
    return family


def _round_trips(book: Book) -> Family:
    name = book.scope.metric("rtt_seconds")
    family = HistogramMetricFamily(name, _help(book, RTT_HELP), labels=book.scope.labels)
    for labels, series in _series(book):
        if series.rtt is not None:
            buckets = list(zip(_BOUNDS, accumulate(series.rtt), strict=True))
            family.add_metric(labels, buckets, series.rtt_sum)
    return family
