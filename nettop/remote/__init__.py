"""Another machine at the end of the person's own ssh: its stream of Deltas, as if its collector were a child of ours.

host.py      what a machine may be called
command.py   what ssh is told, and what the shell there
bundle.py    the code that is sent where there is no nettop
greeting.py  what is said before the stream, by both ends
far.py       the other end: a collector whose lines go out compressed
line.py      an ssh that runs
pump.py      its stream, taken apart again
bounds.py    how much of it is believed
origin.py    `Remote`: all that as an `origin.Origin`
"""
