"""What a row wears beside its own values: a sign in the gutter, the guides of a tree, a fainter look."""

from __future__ import annotations

from typing import NamedTuple

PIPE, BLANK, TEE, CORNER = "│ ├└"
"""The steps of a guide: past an ancestor that has further siblings or has none, then to a row that has some or none."""


class Trim(NamedTuple):
    """How one row differs from a plain one."""

    sign: str = ""
    """The field of `theme.Signs` that stands in the gutter: tag, own, ended, new, gone or grown; empty for none."""
    guide: str = ""
    """One step for each level of the tree above the row; empty at the top."""
    folded: int = 0
    """Rows below it that are folded away; their figures are in its own."""
    dim: bool = False
    """It is here for the sake of others, or is no more."""


PLAIN = Trim()
