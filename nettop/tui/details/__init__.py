"""Pages about one row each, linked in every direction.

screen.py      one page at a time, the way one came, the keys that lead on
subject.py     what every page has in common: the row it follows, and parts that several show
connection.py process.py namespace.py container.py event.py   the page about each kind of row
tcp_words.py   what the kernel measures of a connection, in words
graph.py       a figure over the last pictures
listing.py     a short list of rows within a page
facts.py       what the collector answered about a process or a namespace
measures.py    numbers and their units
blocks.py      headings, facts, figures and paragraphs: what pages are built of
"""

from __future__ import annotations

from nettop.tui.details.screen import DetailScreen, open_details

__all__ = ["DetailScreen", "open_details"]
