"""THE field registry: every column, sort key, filter word, JSON key and help line of every view.

A view is a name, the row type of `Snapshot` it shows, and its fields in their natural order. A field is addressed by
its name everywhere: `-c`, `-s`, filters, JSON, `nettop fields`, the column chooser. `get` returns the raw value (a
number, text, a tuple for lists, None for unknown); `format.cell` is the only place that makes text of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from nettop.fields.connections import CONNECTIONS, LISTENERS, waits_for_anybody
from nettop.fields.containers import CONTAINERS
from nettop.fields.events import EVENTS
from nettop.fields.machine import MACHINE, has_several, of_machines
from nettop.fields.namespaces import NAMESPACES
from nettop.fields.processes import PROCESSES
from nettop.fields.view import Field, Kind, Value, View, unknown_field

VIEWS: Mapping[str, View] = {view.name: view for view in (PROCESSES, CONNECTIONS, NAMESPACES, CONTAINERS, EVENTS)}
"""Every view, in the order of the panes."""

__all__ = [
    "CONNECTIONS",
    "CONTAINERS",
    "EVENTS",
    "LISTENERS",
    "MACHINE",
    "NAMESPACES",
    "PROCESSES",
    "VIEWS",
    "Field",
    "Kind",
    "Value",
    "View",
    "has_several",
    "of_machines",
    "unknown_field",
    "waits_for_anybody",
]
