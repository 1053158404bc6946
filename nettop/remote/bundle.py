"""The collector as code to be sent: a zip of Python files, made in memory, the same at every making.

Docstrings and comments stay here: they are a third of what would go over the line, and every line keeps its number, so
that what goes wrong there is told with places that are right here. The zip holds its files as they are, and is
compressed as a whole, which makes it smaller by another quarter: 105 KB.
"""

from __future__ import annotations

import ast
import io
import zipfile
import zlib
from importlib import resources

PACKAGES = ("model", "kernel", "runtimes", "collector")
"""Sent as a whole, ..."""
MODULES: tuple[tuple[str, ...], ...] = (
    ("__init__.py",),
    ("wire.py",),
    ("requests.py",),
    ("errand.py",),
    ("memory.py",),
    ("remote", "__init__.py"),
    ("remote", "greeting.py"),
    ("remote", "far.py"),
)
"""... and these: all that `remote.far` imports, at once or later."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every file in the zip, its earliest: the real one would make each installation's differ."""


def bundle() -> bytes:
    """The zip, compressed by zlib."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, source in sources():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), strip(source))
    return zlib.compress(packed.getvalue(), 9)


def sources() -> list[tuple[str, str]]:
    """Path below the installation and text of every file, in order."""
    root = resources.files("nettop")
    paths = [*MODULES, *((name, file.name) for name in PACKAGES for file in root.joinpath(name).iterdir())]
    return [
        ("/".join(("nettop", *path)), root.joinpath(*path).read_text(encoding="utf-8"))
        for path in sorted(paths)
        if path[-1].endswith(".py")
    ]


def strip(source: str) -> str:
    """The same program in as many lines, without docstrings and lines of comment."""
    lines = source.split("\n")
    quoted: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Constant, ast.JoinedStr)):
            quoted.update(range(node.lineno, node.end_lineno or node.lineno))
        body = getattr(node, "body", None)
        told = [each for each in body if _is_docstring(each)] if isinstance(body, list) else []
        for each in told:
            lines[each.lineno - 1 : each.end_lineno] = [""] * ((each.end_lineno or each.lineno) - each.lineno + 1)
        if told and len(told) == len(body or ()):
            lines[told[0].lineno - 1] = " " * told[0].col_offset + "0"  # there is nothing else in it
    return "\n".join("" if line.lstrip().startswith("#") and i not in quoted else line for i, line in enumerate(lines))


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
