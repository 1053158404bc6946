"""A slow line between two namespaces: two TUN devices, and a process that carries packets across, late or not at all.

netem would do the same where the kernel has it. See Documentation/networking/tuntap.rst.
"""

from __future__ import annotations

import collections
import fcntl
import os
import random
import select
import struct
import time
from typing import NoReturn

from tests.support import netns

DELAY = 0.018
"""Seconds a packet takes, either way."""
LOSS = 0.004
"""Share of the packets that never arrive."""

_TUNSETIFF = 0x400454CA  # <linux/if_tun.h>
_IFF_TUN_NO_PI = 0x0001 | 0x1000  # IFF_TUN | IFF_NO_PI


def device(namespace: str, name: str) -> int:
    """Make a TUN device in a namespace; it lives as long as the descriptor."""
    with netns.entered(namespace):
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN_NO_PI))
    return fd


def carry(ends: tuple[int, int], delay: float = DELAY, loss: float = LOSS) -> NoReturn:
    """Take packets from either end to the other for good: each `delay` seconds later, that share of them never."""
    other = dict(zip(ends, reversed(ends), strict=True))
    chance = random.Random(7)
    under_way: collections.deque[tuple[float, int, bytes]] = collections.deque()
    while True:
        wait = max(0.0, under_way[0][0] - time.monotonic()) if under_way else None
        for end in select.select(ends, [], [], wait)[0]:
            packet = os.read(end, 1 << 16)
            if chance.random() >= loss:
                under_way.append((time.monotonic() + delay, other[end], packet))
        while under_way and under_way[0][0] <= time.monotonic():
            _, end, packet = under_way.popleft()
            os.write(end, packet)
