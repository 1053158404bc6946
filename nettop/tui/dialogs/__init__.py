"""What opens above the main screen, asks or tells something, and closes again.

page.py help.py            text that scrolls, with links in it; the help
menu.py users.py choice.py chooser.py   menus: actions, users, sort fields, columns
palette.py                 everything one can do, by name
prompt.py suggest.py       the line that a filter or a search is typed in, and what may come next
confirm.py                 asks before something is done
"""
