"""What is remembered from one session to the next, for whoever asked for it: how the panes were arranged."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nettop.config import MAX_SIZE, Config, read_columns, read_sort
from nettop.fields import VIEWS
from nettop.query import parse


@dataclass(frozen=True, slots=True)
class Session:
    """Which pane is looked at, and how each is arranged; a view that is not named is as it is by default."""

    pane: str | None = None
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sort: Mapping[str, str] = field(default_factory=dict)
    """As `-s` takes it."""
    filters: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def begin(cls, config: Config, last: Session | None = None) -> Session:
        """How to begin: as the settings say, or as the last session ended."""
        last = last or cls()
        return cls(
            last.pane or config.pane,
            {**config.columns, **last.columns},
            {**config.sort, **last.sort},
            last.filters,
        )


def format_session(session: Session) -> bytes:
    """One line of JSON."""
    return json.dumps(dataclasses.asdict(session)).encode() + b"\n"


def parse_session(data: bytes) -> Session:
    """What `format_session` wrote, perhaps of another version; whatever cannot be understood is left out."""
    if len(data) > MAX_SIZE:
        return Session()
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError):
        return Session()
    if not isinstance(raw, dict):
        return Session()
    return Session(
        raw.get("pane") if raw.get("pane") in [*VIEWS] else None,
        _understood(raw.get("columns"), read_columns),
        _understood(raw.get("sort"), read_sort),
        _understood(raw.get("filters"), _read_filter),
    )


def _understood(raw: Any, read: Any) -> dict[str, Any]:
    """The entries for views there are, of which `read` can make something."""
    entries = {}
    for view in VIEWS:
        if isinstance(raw, dict) and view in raw:
            with contextlib.suppress(ValueError):
                entries[view] = read(view, raw[view])
    return entries


def _read_filter(view: str, raw: Any) -> str:
    parse(str(raw), VIEWS[view])
    return str(raw)
