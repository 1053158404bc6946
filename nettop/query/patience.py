"""Regular expressions that give up: one that backtracks badly would hold the screen for hours.

`re` knows no limit, but looks for signals while it works (Modules/_sre: every 4096 steps), and a handler that raises
ends it. The clock is that of setitimer(2) for the processor time of this program, so that a busy machine ends nothing.
"""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Callable
from types import FrameType

from nettop.query.syntax import QueryError

PATIENCE = 0.02
"""Seconds of processor time one text may take; a decent expression needs a thousandth of it for the longest command."""

LONGEST = 8192
"""Characters of a text that are looked at: what takes the square of them still is quick."""


class _TooLong(BaseException):
    """The time is over. Not an Exception, lest somebody in between takes it for one of theirs."""


def _give_up(_number: int, _frame: FrameType | None) -> None:
    raise _TooLong


def patient(expression: re.Pattern[str], column: int) -> Callable[[str], bool]:
    """Whether a text matches somewhere; QueryError, at that column, for the text that takes too long and every later.

    Signals reach the main thread only: elsewhere nothing is bounded.
    """
    search = expression.search
    if threading.current_thread() is not threading.main_thread():
        return lambda text: search(text, 0, LONGEST) is not None
    signal.signal(signal.SIGVTALRM, _give_up)
    spent = False

    def test(text: str) -> bool:
        nonlocal spent
        if not spent:
            try:
                signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE)
                try:
                    return search(text, 0, LONGEST) is not None
                finally:
                    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            except _TooLong:
                spent = True
        raise QueryError("this regular expression takes too long", column)

    return test
