"""Everything a person can do on the main screen, one file a subject; keys, footer, help and palette come from here.

command.py    what a command is, and the keys that call it
looking.py    which pane, into a row and back, freezing, help, leaving
moving.py     the cursor and the columns
arranging.py  in which order, as a tree, grouped by what
choosing.py   which rows
acting.py     signals, nice values, sockets closed
targets.py    what these are for: rows, groups, the row a page is about
copying.py    to the clipboard of the terminal
travelling.py through time
marking.py    tags, marks and the row one follows
"""

from __future__ import annotations

from nettop.tui.commands import acting, arranging, choosing, copying, looking, marking, moving, travelling
from nettop.tui.commands.command import Command

COMMANDS: tuple[Command, ...] = (
    *looking.COMMANDS,
    *moving.COMMANDS,
    *choosing.COMMANDS,
    *arranging.COMMANDS,
    *marking.COMMANDS,
    *acting.COMMANDS,
    *copying.COMMANDS,
    travelling.REWIND,
)
"""In the order of the help; the footer shows those that have a word for it, as far as they fit."""

TRAVELLING: tuple[Command, ...] = travelling.COMMANDS
"""Those there are on the way through time only, where they go before others with the same keys."""
