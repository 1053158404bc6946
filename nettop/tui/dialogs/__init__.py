"""What opens above the main screen, asks or tells something, and closes again.

page.py help.py             text that scrolls, with links in it; the help
menu.py users.py chooser.py lists: to choose from; users; columns and their order
palette.py                  everything one can do, by name
prompt.py suggest.py        the line that a filter or a search is typed in, and what may come next
confirm.py                  asks before something is done
standing.py                 what makes them open in no time
"""
