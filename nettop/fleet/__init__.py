"""Several machines on one screen: one picture of many, each followed as if it were alone.

Each machine has an `Origin`, a `Live` and a `Store` of its own, so that rates, histories and what is known of it are
the same as on a screen of its own. Its numbers are made unique before its store hears of them, so that the rows of a
merged picture are the rows of the stores: nothing is made twice, and what did not change is the same object still.

numbered.py  an origin whose numbers bear that of its machine
member.py    one machine: its followers, its newest picture, what is wrong with it
merge.py     the rows of all of them, brought up to what changed
sums.py      the figures of all of them
joins.py     connections from one to another, joined at both ends
turns.py     one slice of work at a time, whoever's it is
fleet.py     `Fleet`, the source for a screen
awaited.py   its pictures one by one, for the plain views
reach.py     the machines that were named, and the first connections to them
"""

from nettop.fleet.awaited import pictures
from nettop.fleet.fleet import Fleet
from nettop.fleet.reach import MOST, reach

__all__ = ["MOST", "Fleet", "pictures", "reach"]
