"""What the lists of the main screen hold, without drawing it.

panes.py       a pane: a view, narrowed and ordered, with a cursor
levels.py      the levels one has gone into, each with its panes
scopes.py      what a level shows, and which rows belong to it
entries.py     rows in order, and how a sorted list takes in those that changed
shown.py       the rows as they are shown, and where one is among them
tree.py        processes as a tree
groups.py groupings.py sums.py   rows grouped, by what, and added up
marks.py       what is new, gone and grown since the mark
search.py      looking for rows without hiding the others
pace.py        how long work may go on before a key gets its chance
"""
