"""What was once on the screen: written to a file, found again, shown again.

frames.py     the bytes of a file
writer.py     appends to one
reader.py     finds its way in one
tape.py       `nettop record`
recorder.py   a stream of Deltas on its way into a file
excerpt.py    the part of it that a filter asks for
ticks.py      the moments there are pictures of
player.py     the pictures
journey.py    what one may wish for on the way through them
replay.py     a file as a source of pictures for the screen
past.py       the last minutes of what one looks at, to go back to
"""
