"""How the screen gets from rows to cells.

table.py       the table, which refreshes the lines that changed
columns.py place.py layout.py trim.py   which columns, how wide, what a row says in them, and what it wears beside
line.py status.py   the lines around the table
theme.py       styles by purpose, in five sets
paint.py       sends the terminal the cells that changed, and nothing else
"""
