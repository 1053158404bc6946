"""Socket states in the words of `ss`, for every reader of sockets.

The kernel keeps one set of numbers for every protocol, the enum in include/net/tcp_states.h, and sock_diag and
/proc/PID/net show the same ones. What is no byte stream knows two of them. Ask with `.get(number, UNKNOWN)`: a newer
kernel may have a state this table has not.
"""

from __future__ import annotations

from typing import Mapping

ESTABLISHED = 1
SYN_SENT = 2
TIME_WAIT = 6
CLOSE = 7
CLOSE_WAIT = 8
LAST_ACK = 9
LISTEN = 10
CLOSING = 11

UNKNOWN = "UNKNOWN"

TCP_STATES: Mapping[int, str] = {
    ESTABLISHED: "ESTAB",
    SYN_SENT: "SYN-SENT",
    3: "SYN-RECV",
    4: "FIN-WAIT-1",
    5: "FIN-WAIT-2",
    TIME_WAIT: "TIME-WAIT",
    CLOSE: "UNCONN",
    CLOSE_WAIT: "CLOSE-WAIT",
    LAST_ACK: "LAST-ACK",
    LISTEN: "LISTEN",
    CLOSING: "CLOSING",
    12: "SYN-RECV",  # TCP_NEW_SYN_RECV: a handshake waiting for its last ACK, the same thing to a reader
    13: "UNCONN",  # TCP_BOUND_INACTIVE (Linux 6.8): bound, neither listening nor connected
}

UDP_STATES: Mapping[int, str] = {ESTABLISHED: "ESTAB", CLOSE: "UNCONN"}
"""Of everything that exchanges single packets: UDP, UDP-Lite, raw and ping sockets."""

UNIX_STATES: Mapping[int, str] = {ESTABLISHED: "ESTAB", 2: "SYN-SENT", CLOSE: "UNCONN", LISTEN: "LISTEN", 11: "CLOSING"}
"""Of AF_UNIX and AF_VSOCK, by sock_diag; /proc/net/unix has numbers of its own, see `proc_net`."""
