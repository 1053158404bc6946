"""What an exporter says, read back by the parsers of prometheus_client."""

from __future__ import annotations

from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_plain

from nettop.export.account import Account
from nettop.export.exposition import Exposition

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
"""(name, labels in order) → value."""


def parse(text: str, openmetrics: bool = False) -> Samples:
    """Every sample of a text; two of the same name and labels are an error."""
    read = read_openmetrics if openmetrics else read_plain
    found: Samples = {}
    for family in read(text):
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found, f"said twice: {key}"
            found[key] = sample.value
    return found


def exported(account: Account) -> Samples:
    """What an account says now."""
    return parse(Exposition(account).text("")[1].decode())


def value(samples: Samples, name: str, **labels: str) -> float | None:
    """One of them, by its full name without `nettop_`, and all its labels."""
    return samples.get((f"nettop_{name}", tuple(sorted(labels.items()))))


def total(samples: Samples, name: str, **labels: str) -> float:
    """The sum over all that have at least these labels."""
    wanted = set(labels.items())
    return sum(v for (n, have), v in samples.items() if n == f"nettop_{name}" and wanted <= set(have))
