"""Everything a person can do on the main screen, one file a subject; keys, footer, help and palette come from here.

command.py    what a command is, and the keys that call it
looking.py    which pane, into a row and back, freezing, help, leaving
moving.py     the cursor and the columns
arranging.py  in which order, and grouped by what
choosing.py   which rows
"""

from __future__ import annotations

from nettop.tui.commands import arranging, choosing, looking, moving
from nettop.tui.commands.command import Command

COMMANDS: tuple[Command, ...] = (
    *looking.COMMANDS,
    *moving.COMMANDS,
    *choosing.COMMANDS,
    *arranging.COMMANDS,
)
"""In the order of the help; the footer shows those that have a word for it, as far as they fit."""
