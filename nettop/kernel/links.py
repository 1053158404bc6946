"""Interfaces and addresses by raw rtnetlink messages: where there is no pyroute2, as on another machine.

What is made of them is `rtnetlink`'s business: these messages answer to the few names of pyroute2's ifinfmsg and
ifaddrmsg that it asks for. Rests on rtnetlink(7), include/uapi/linux/if_link.h and if_addr.h.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

from nettop.kernel.families import parse_attributes
from nettop.kernel.routes import dump, open_route

_RTM_GETLINK, _RTM_GETADDR = 18, 22
_LINK = struct.Struct("=BxHiII")  # struct ifinfomsg: family, type, index, flags, change
_ADDRESS = struct.Struct("=BBBBI")  # struct ifaddrmsg: family, prefixlen, flags, scope, index
_U32 = struct.Struct("=I")
_I32 = struct.Struct("=i")
_IFLA_LINKINFO, _IFLA_INFO_KIND = 18, 1

_STATES = ("UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP")
"""IF_OPER_*: RFC 2863."""


class Message(NamedTuple):
    """One RTM_NEWLINK or RTM_NEWADDR."""

    fields: Mapping[str, int]
    attributes: Mapping[str, Any]

    def __getitem__(self, name: Any) -> Any:
        return self.fields[name]

    def get_attr(self, name: str) -> Any:
        """None where the kernel left it out."""
        return self.attributes.get(name)

    def get_nested(self, *names: str) -> Any:
        """That of the last name, within the others."""
        return self.attributes.get(names[-1])


def read_links() -> Tuple[List[Message], List[Message]]:
    """All interfaces and all addresses of the calling thread's namespace. Raises OSError."""
    with contextlib.closing(open_route()) as raw:
        links = [parse_link(payload) for payload in dump(raw, _RTM_GETLINK, _LINK.size)]
        addresses = [parse_address(payload) for payload in dump(raw, _RTM_GETADDR, _ADDRESS.size)]
    return links, addresses


def parse_link(payload: bytes) -> Message:
    """Decode one RTM_NEWLINK. Raises struct.error or ValueError where it is cut short."""
    _, _, index, flags, _ = _LINK.unpack_from(payload)
    attributes = parse_attributes(payload, _LINK.size)
    inside = parse_attributes(attributes.get(_IFLA_LINKINFO, b""), 0)
    told = {
        name: parse(attributes[number]) for number, (name, parse) in _LINK_ATTRIBUTES.items() if number in attributes
    }
    if _IFLA_INFO_KIND in inside:
        told["IFLA_INFO_KIND"] = _text(inside[_IFLA_INFO_KIND])
    return Message({"index": index, "flags": flags}, told)


def parse_address(payload: bytes) -> Message:
    """Decode one RTM_NEWADDR. Raises struct.error or ValueError where it is cut short."""
    family, prefix, _, _, index = _ADDRESS.unpack_from(payload)
    attributes = parse_attributes(payload, _ADDRESS.size)
    told: Dict[str, Any] = {}
    if family in (socket.AF_INET, socket.AF_INET6):
        told = {
            name: socket.inet_ntop(family, attributes[number])
            for number, name in ((1, "IFA_ADDRESS"), (2, "IFA_LOCAL"))
            if number in attributes
        }
    return Message({"index": index, "prefixlen": prefix}, told)


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode(errors="replace")


def _mac(data: bytes) -> Optional[str]:
    return data.hex(":") if data else None


def _number(data: bytes) -> int:
    return int(_U32.unpack_from(data)[0])


def _signed(data: bytes) -> int:
    return int(_I32.unpack_from(data)[0])


def _state(data: bytes) -> str:
    return _STATES[data[0]] if data and data[0] < len(_STATES) else "UNKNOWN"


_LINK_ATTRIBUTES: Mapping[int, Tuple[str, Callable[[bytes], Any]]] = {
    1: ("IFLA_ADDRESS", _mac),
    3: ("IFLA_IFNAME", _text),
    4: ("IFLA_MTU", _number),
    5: ("IFLA_LINK", _number),
    10: ("IFLA_MASTER", _number),
    16: ("IFLA_OPERSTATE", _state),
    37: ("IFLA_LINK_NETNSID", _signed),
}
