"""The words of ss (iproute2, ss(8), "STATE-FILTER" and "EXPRESSION"), so that its filters parse as they are.

Left out are host names, `dev` by number, `fwmark` with a mask, `cgroup` by path, `autobound`, families before
addresses, and globs for unix sockets.
"""

from __future__ import annotations

from collections.abc import Mapping

from nettop.fields import CONNECTIONS, View

STATES: Mapping[str, str] = {
    "established": "ESTAB",
    "syn-sent": "SYN-SENT",
    "syn-recv": "SYN-RECV",
    "syn-rcv": "SYN-RECV",
    "fin-wait-1": "FIN-WAIT-1",
    "fin-wait-2": "FIN-WAIT-2",
    "time-wait": "TIME-WAIT",
    "unconnected": "UNCONN",
    "closed": "UNCONN",
    "close": "UNCONN",
    "close-wait": "CLOSE-WAIT",
    "last-ack": "LAST-ACK",
    "listening": "LISTEN",
    "listen": "LISTEN",
    "closing": "CLOSING",
    "bound-inactive": "BOUND-INACTIVE",
}
"""The name ss takes in a filter → the name it prints, which is what a row holds."""

_ALL = frozenset(STATES.values())
_CONNECTED = _ALL - {"LISTEN", "UNCONN"}
_BUCKET = frozenset({"SYN-RECV", "TIME-WAIT"})

STATE_SETS: Mapping[str, frozenset[str]] = {
    "all": _ALL,
    "connected": _CONNECTED,
    "synchronized": _CONNECTED - {"SYN-SENT"},
    "bucket": _BUCKET,
    "big": _ALL - _BUCKET,
}
"""The same sets as in scan_state of ss.c."""

OPERATORS: Mapping[str, str] = {
    "eq": "=",
    "neq": "!=",
    "ne": "!=",
    "geq": ">=",
    "ge": ">=",
    "gt": ">",
    "leq": "<=",
    "le": "<=",
    "lt": "<",
}
"""Operators in letters, after one of `ENDS`."""

LOCAL, REMOTE = ("local", "lport"), ("remote", "rport")
"""The fields of one end: address and port."""

HOSTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "src": (LOCAL,),
    "dst": (REMOTE,),
    "host": (LOCAL, REMOTE),
    "addr": (LOCAL, REMOTE),
}
"""Words for the address of one end or of either; their value may name a port too."""

ALIASES: Mapping[str, tuple[str, ...]] = {
    "sport": ("lport",),
    "dport": ("rport",),
    "port": ("lport", "rport"),
    "dev": ("iface",),
}
"""Words for other fields: true where it is true of one of them."""

ENDS = (*HOSTS, *ALIASES)
"""The words that take a value without an operator."""


def understood_by(view: View) -> bool:
    """Whether these words mean anything there: its rows are sockets."""
    return view.table == CONNECTIONS.table


def states(name: str) -> frozenset[str] | None:
    """The states meant by a name of a state or of a set of states, in any case; None for anything else."""
    name = name.lower()
    if name in STATE_SETS:
        return STATE_SETS[name]
    if name in STATES:
        return frozenset({STATES[name]})
    return frozenset({name.upper()}) & _ALL or None


def split_host(text: str) -> tuple[str | None, str | None]:
    """HOST[:PORT] in its two parts, as written; None for one that is left out or `*`.

    An IPv6 address needs brackets only where a port follows. A path or an abstract name is taken whole.
    """
    if text.startswith(("/", "@")) or (text.count(":") > 1 and not text.startswith("[")):
        return text, None
    if text.startswith("["):
        address, _, rest = text[1:].partition("]")
        prefix, colon, port = rest.partition(":")
        address += prefix
    else:
        address, colon, port = text.partition(":")
    return address if address not in ("", "*") else None, port if colon and port != "*" else None
