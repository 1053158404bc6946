"""`nettop doctor`: what can and cannot be seen here, why, and the command that would help.

The collector looks around as it does for the screen, and tells what it complains of (`collector.checkup`); beside that
stand the libraries, the terminal and what a picture costs. The remedies are commands to copy, so they are never cut.
"""

from __future__ import annotations

import importlib.metadata
import json
import locale
import platform
import time
from collections.abc import Callable, Mapping, Sequence

from nettop.collector.checkup import OK, Check
from nettop.collector.collector import Collector
from nettop.format import bytes_, safe
from nettop.kernel.host import CostReader
from nettop.service import client
from nettop.service.place import SOCKET
from nettop.tui import terminal

Write = Callable[[str], object]
"""Takes text that ends in a newline: `sys.stdout.write`."""

LIBRARIES = ("textual", "pyroute2", "psutil")

_SETTLE = 2.0
"""Seconds for the kernel to say whether it tells of processes: twice what it may take."""
_BETWEEN = 0.3
"""Seconds between the two ticks looked at, in which a container runtime answers."""


def look(collector: Collector, environ: Mapping[str, str]) -> list[Check]:
    """Look at everything, which takes half a second, or one more where the kernel does not answer."""
    began = time.monotonic()
    collector.start()
    collector.tick()
    while not collector.settled and time.monotonic() < began + _SETTLE:
        time.sleep(0.01)
    collector.read_links(wait=True)
    time.sleep(_BETWEEN)
    collector.take()
    cost = CostReader()
    before = cost.read().cpu_seconds
    collector.tick()
    after = cost.read()
    return [
        check_python(),
        *collector.examine(),
        check_service(),
        check_terminal(environ),
        check_cost(after.cpu_seconds - before, after.private_bytes),
    ]


def check_python() -> Check:
    """Which Python and libraries these are."""
    missing, found = [], [f"{platform.python_implementation()} {platform.python_version()}"]
    for name in LIBRARIES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        reason = f"not installed: {', '.join(missing)}"
        return Check("python", "degraded", reason, f"pip install {' '.join(missing)}", len(missing))
    return Check("python", OK, ", ".join(found), None, 1)


def check_service(path: str = SOCKET) -> Check:
    """Whether a service runs here, and this user may use it."""
    try:
        client.connect(path).close()
    except client.RefusedError as error:
        return Check("service", "degraded", str(error), error.remedy, 1)
    except FileNotFoundError:
        reason = "none runs here: with one, users who are not root see what root sees"
        return Check("service", "absent", reason, "nettop serve --unit", 1)
    except OSError as error:
        return Check(
            "service", "degraded", f"none answers at {path}: {error.strerror}", "sudo systemctl restart nettop", 1
        )
    return Check("service", OK, f"one runs at {path}, and may be used", None, 1)


def check_terminal(environ: Mapping[str, str]) -> Check:
    """What the terminal can show, as far as its environment tells."""
    depth = terminal.depth(environ)
    utf8 = terminal.utf8(environ, locale.nl_langinfo(locale.CODESET))
    shows = f"{environ.get('TERM') or 'no TERM'}: {depth or 'no'} colours, {'UTF-8' if utf8 else 'ASCII'}"
    if depth == 256 and utf8:
        return Check("terminal", OK, shows, None, 1)
    remedy = "export LC_ALL=C.UTF-8" if not utf8 else "export TERM=xterm-256color"
    if environ.get("NO_COLOR") and utf8:
        return Check("terminal", OK, f"{shows}, as NO_COLOR wants it", None, 1)
    return Check("terminal", "absent", shows, remedy, 1)


def check_cost(cpu_seconds: float, private_bytes: int) -> Check:
    """What nettop itself uses: processor time of one look at everything, and memory."""
    return Check("cost", OK, f"a picture takes {1000 * cpu_seconds:.0f} ms and {bytes_(private_bytes)}B", None, 1)


def well(checks: Sequence[Check]) -> bool:
    """Everything that matters can be seen: what this kernel or terminal does not have does not count."""
    return all(check.state in (OK, "absent") for check in checks)


def print_table(checks: Sequence[Check], write: Write) -> None:
    """A line a check, and one for the command that would help; the sum of it last."""
    names = max(len(check.name) for check in checks)
    states = max(len(check.state) for check in checks)
    for check in checks:
        write(f"{safe(check.name):{names}}  {check.state:{states}}  {safe(check.reason)}\n")
        if check.remedy:
            write(f"{'':{names}}  {'':{states}}  > {safe(check.remedy)}\n")
    trouble = sum(check.state not in (OK, "absent") for check in checks)
    write(f"\n{_summary(trouble)}\n")


def print_json(checks: Sequence[Check], write: Write) -> None:
    """One JSON object a check."""
    for check in checks:
        write(json.dumps(check._asdict()) + "\n")


def _summary(trouble: int) -> str:
    if not trouble:
        return "everything that matters can be seen"
    return "one source tells less than it could" if trouble == 1 else f"{trouble} sources tell less than they could"
