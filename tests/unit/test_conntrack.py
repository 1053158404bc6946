"""Tracked flows: their messages, who is behind NAT by what they say, and the bytes of UDP sockets."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.nfnetlink.nfctsocket import nfct_msg

from nettop.collector.datagrams import DatagramBook
from nettop.collector.translations import REMEMBERED, End, Translations
from nettop.kernel.conntrack import DST_NAT, SRC_NAT, Counters, Flow, Tuple4, parse_flow, parse_flows
from nettop.model import Datagrams, Nat, Socket
from tests.support.rows import connection

# Read from a NETLINK_NETFILTER socket of Linux 6.18, without the netlink header.
NEW_TCP = bytes.fromhex(  # event; DNAT of a published port and masquerade, as the router between both ends tells it
    "020000003400018014000180080001000a5b0002080002000a5b00011c000280050001000600000006000200aec00000060003001f900000"
    "3400028014000180080001000a5c0002080002000a5c00011c0002800500010006000000060002000050000006000300aec0000008000c00"
    "d39b60dd08000300000001b80800070000000078300004802c0001800500010001000000050002000a000000050003000000000006000400"
    "030000000600050000000000"
)
ENDED_UDP = bytes.fromhex(  # event; the same way, 1,000 and 3,000 bytes sent and 7 answered
    "020000003400018014000180080001000a5b0002080002000a5b00011c000280050001001100000006000200822100000600030014e90000"
    "3400028014000180080001000a5c0002080002000a5c00011c00028005000100110000000600020000350000060003008221000008000c00"
    "bea8ea6408000300000003ba080007000000001d1c0009800c00010000000000000000020c0002000000000000000fd81c000a800c000100"
    "00000000000000010c0002000000000000000023"
)
DUMPED_UDP6 = bytes.fromhex(  # dump; a service address translated on the way out, 100 bytes sent and 3 answered
    "0a0000004c0001802c0001801400030020010db80000000000000000000000011400040020010db80000000000000000000000021c000280"
    "0500010011000000060002009e82000006000300003500004c0002802c0001801400030020010db800000000000000000000000114000400"
    "20010db80000000000000000000000011c00028005000100110000000600020014e90000060003009e82000008000300000001aa08000800"
    "0000000008000c007e4df7c208000b0000000001080007000000001e1c0009800c00010000000000000000010c0002000000000000000094"
    "1c000a800c00010000000000000000010c0002000000000000000033"
)
RECORDED = [NEW_TCP, ENDED_UDP, DUMPED_UDP6]

CLIENT, ROUTER, SERVER = 1, 2, 3
"""Namespaces."""


# --- messages --------------------------------------------------------------------------------------------------------


def test_a_new_flow_says_what_was_translated() -> None:
    assert parse_flow(NEW_TCP) == Flow(
        protocol=socket.IPPROTO_TCP,
        orig=Tuple4("10.91.0.2", 44736, "10.91.0.1", 8080),
        reply=Tuple4("10.92.0.2", 80, "10.92.0.1", 44736),
        status=0x1B8,
        timeout=120,
        number=0xD39B60DD,
        sent=None,
        answered=None,
    )
    assert 0x1B8 & SRC_NAT
    assert 0x1B8 & DST_NAT


def test_a_flow_that_ended_brings_its_final_counters() -> None:
    flow = parse_flow(ENDED_UDP)
    assert flow is not None
    assert (flow.protocol, flow.orig.dport, flow.reply.sport) == (socket.IPPROTO_UDP, 5353, 53)
    assert flow.sent == Counters(2, 1000 + 3000 + 2 * 28)
    assert flow.answered == Counters(1, 7 + 28)


@pytest.mark.parametrize("message", RECORDED)
def test_pyroute2_reads_the_same_in_the_same_bytes(message: bytes) -> None:
    header = struct.pack("=IHHII", 16 + len(message), 0x100, 0, 0, 0)
    decoded = nfct_msg(header + message)
    decoded.decode()
    flow = parse_flow(message)
    assert flow is not None
    for name, told in (("CTA_TUPLE_ORIG", flow.orig), ("CTA_TUPLE_REPLY", flow.reply)):
        addresses = dict(decoded.get_attr(name).get_attr("CTA_TUPLE_IP")["attrs"])
        ports = decoded.get_attr(name).get_attr("CTA_TUPLE_PROTO")
        assert set(told[::2]) == set(addresses.values())
        assert (told.sport, told.dport) == (ports.get_attr("CTA_PROTO_SRC_PORT"), ports.get_attr("CTA_PROTO_DST_PORT"))
        assert flow.protocol == ports.get_attr("CTA_PROTO_NUM")
    assert flow.status == decoded.get_attr("CTA_STATUS")
    assert flow.number == decoded.get_attr("CTA_ID")
    assert flow.timeout == decoded.get_attr("CTA_TIMEOUT")
    for name, counters in (("CTA_COUNTERS_ORIG", flow.sent), ("CTA_COUNTERS_REPLY", flow.answered)):
        said = decoded.get_attr(name)
        assert counters == (
            said and Counters(said.get_attr("CTA_COUNTERS_PACKETS"), said.get_attr("CTA_COUNTERS_BYTES"))
        )


@given(st.sampled_from(RECORDED), st.integers(0, 400))
def test_a_message_cut_short_is_a_flow_with_less_or_none(message: bytes, length: int) -> None:
    whole, flow = parse_flow(message), parse_flow(message[:length])
    assert whole is not None
    if flow is not None:
        assert (flow.orig, flow.protocol) == (whole.orig, whole.protocol)
        assert all(part is None or part == known for part, known in zip(flow[4:], whole[4:], strict=True))


@given(st.binary(max_size=200) | st.sampled_from(RECORDED).flatmap(lambda m: st.permutations(m).map(bytes)))
def test_any_bytes_are_a_flow_or_none(message: bytes) -> None:
    for flow in parse_flows([message]):
        socket.inet_pton(socket.AF_INET6 if ":" in flow.orig.source else socket.AF_INET, flow.orig.source)


# --- who is behind NAT -----------------------------------------------------------------------------------------------


def flow(orig: tuple[str, int, str, int], reply: tuple[str, int, str, int], protocol: int = 6) -> Flow:
    return Flow(protocol, Tuple4(*orig), Tuple4(*reply), SRC_NAT | DST_NAT, 100, 1, None, None)


def a_socket(local: str, lport: int, remote: str, rport: int, proto: str = "tcp") -> Socket:
    family = "inet6" if ":" in local else "inet"
    return connection(local=local, lport=lport, remote=remote, rport=rport, proto=proto, family=family).socket


class Told(dict[int, Nat]):
    """What translations told last, by row."""

    def __init__(self) -> None:
        super().__init__()
        self.translations = Translations(self.__setitem__)

    def search(self, present: dict[int, dict[int, Socket]]) -> None:
        """What reading the socket tables does; sockets by namespace and row."""
        sought = self.translations.seek()
        if sought is None:
            return
        for netns, rows in present.items():
            for row_id, row in rows.items():
                assert row.ends is not None
                name = sought.wanted.get(row.proto, {}).get(End(row.proto, *row.ends).packed[0])
                sought.found.extend([(netns, row_id, name)] if name is not None else [])
        self.translations.take_found(sought)


PUBLISHED = flow(("10.1.0.2", 5000, "10.1.0.1", 8080), ("10.2.0.2", 80, "10.2.0.1", 6000))
AT_CLIENT = a_socket("10.1.0.2", 5000, "10.1.0.1", 8080)
AT_SERVER = a_socket("10.2.0.2", 80, "10.2.0.1", 6000)


def test_both_ends_learn_who_the_other_one_is() -> None:
    told = Told()
    told.translations.learn(ROUTER, [PUBLISHED], 0.0)
    told.translations.note(CLIENT, [(1, AT_CLIENT)])
    told.translations.note(SERVER, [(2, AT_SERVER)])
    told.translations.settle(0.0)
    assert told == {1: Nat("10.2.0.2", 80), 2: Nat("10.1.0.2", 5000)}


def test_sockets_that_were_there_before_are_found_in_the_table() -> None:
    told = Told()
    told.translations.note(CLIENT, [(1, AT_CLIENT)])
    told.translations.learn(ROUTER, [PUBLISHED], 0.0)
    told.search({CLIENT: {1: AT_CLIENT}})
    told.translations.settle(0.0)
    assert told == {1: Nat("10.2.0.2", 80)}
    assert told.translations.seek() is not None, "in the next tick too: its packets may have come between two readings"
    assert told.translations.seek() is None, "and no more"


@pytest.mark.parametrize("old", [False, True])
def test_a_new_flow_is_not_looked_for_where_nothing_moves(old: bool) -> None:
    told = Told()
    told.translations.learn(ROUTER, [PUBLISHED], 0.0, old)
    sought = told.translations.seek()
    assert sought is not None
    assert sought.everywhere is old, "an old one may have moved nothing lately"
    again = told.translations.seek()
    assert again is not None
    assert not again.everywhere


def test_an_ipv6_socket_that_talks_ipv4_is_found() -> None:
    told = Told()
    mapped = a_socket("::ffff:10.2.0.2", 80, "::ffff:10.2.0.1", 6000)
    told.translations.learn(ROUTER, [PUBLISHED], 0.0)
    told.translations.note(SERVER, [(2, mapped)])
    told.translations.settle(0.0)
    assert told == {2: Nat("10.1.0.2", 5000)}
    packed = b"\x00\x50\x17\x70" + b"".join(
        socket.inet_pton(socket.AF_INET6, address) for address in ("::ffff:10.2.0.2", "::ffff:10.2.0.1")
    )
    assert packed in End("tcp", "10.2.0.2", 80, "10.2.0.1", 6000).packed


@pytest.mark.parametrize("flow_first", [True, False])
def test_a_connection_that_is_over_before_any_table_lists_it_is_seen_through(flow_first: bool) -> None:
    told = Told()
    if flow_first:
        told.translations.learn(ROUTER, [PUBLISHED], 0.0)
    told.translations.note_ended(CLIENT, 1, AT_CLIENT)
    told.translations.settle(0.0)
    if not flow_first:  # told in the next tick
        told.translations.learn(ROUTER, [PUBLISHED], 1.0)
        told.translations.settle(1.0)
    assert told == {1: Nat("10.2.0.2", 80)}


def test_a_masqueraded_client_sees_nothing_and_is_seen() -> None:
    told = Told()
    plain = flow(("10.1.0.2", 5000, "10.2.0.2", 80), ("10.2.0.2", 80, "10.2.0.1", 6000))
    told.translations.learn(ROUTER, [plain], 0.0)
    told.translations.note(CLIENT, [(1, a_socket("10.1.0.2", 5000, "10.2.0.2", 80))])
    told.translations.note(SERVER, [(2, AT_SERVER)])
    told.translations.settle(0.0)
    assert told == {2: Nat("10.1.0.2", 5000)}


@given(st.permutations(range(4)))
def test_two_routers_in_a_row_are_seen_through_whatever_comes_first(order: list[int]) -> None:
    first = flow(("10.1.0.2", 5000, "10.1.0.1", 8080), ("10.3.0.2", 9090, "10.3.0.1", 7000))
    second = flow(("10.3.0.1", 7000, "10.3.0.2", 9090), ("10.2.0.2", 80, "10.2.0.1", 6000))
    told = Told()
    present: dict[int, dict[int, Socket]] = {CLIENT: {}, SERVER: {}}

    def appears(netns: int, row_id: int, row: Socket) -> None:
        present[netns][row_id] = row
        told.translations.note(netns, [(row_id, row)])

    steps: list[Callable[[], None]] = [
        lambda: told.translations.learn(ROUTER, [first], 0.0),
        lambda: told.translations.learn(ROUTER + 10, [second], 0.0),
        lambda: appears(CLIENT, 1, AT_CLIENT),
        lambda: appears(SERVER, 2, AT_SERVER),
    ]
    for step in order:
        steps[step]()
        told.search(present)
        told.translations.settle(0.0)
    assert told == {1: Nat("10.2.0.2", 80), 2: Nat("10.1.0.2", 5000)}


def test_what_another_namespace_says_is_doubtful_where_two_sockets_have_the_same_ends() -> None:
    told = Told()
    told.translations.learn(ROUTER, [PUBLISHED], 0.0)
    told.translations.note(CLIENT, [(1, AT_CLIENT)])
    told.translations.note(CLIENT + 10, [(2, AT_CLIENT)])
    told.translations.settle(0.0)
    assert told == {}


def test_what_its_own_namespace_says_is_certain() -> None:
    told = Told()
    told.translations.learn(CLIENT, [PUBLISHED], 0.0)
    told.translations.note(CLIENT, [(1, AT_CLIENT)])
    told.translations.note(CLIENT + 10, [(2, AT_CLIENT)])
    told.translations.settle(0.0)
    assert told == {1: Nat("10.2.0.2", 80)}


def test_two_namespaces_that_contradict_each_other_are_not_believed() -> None:
    other = flow(("10.1.0.2", 5000, "10.1.0.1", 8080), ("10.9.0.9", 99, "10.9.0.1", 6000))
    told = Told()
    told.translations.learn(ROUTER, [PUBLISHED], 0.0)
    told.translations.learn(ROUTER + 10, [other], 0.0)
    told.translations.note(CLIENT, [(1, AT_CLIENT)])
    told.translations.settle(0.0)
    assert told == {}


def test_a_loopback_address_is_translated_in_its_own_namespace_only() -> None:
    local = flow(("127.0.0.1", 5000, "127.0.0.1", 8080), ("10.2.0.2", 80, "127.0.0.1", 5000))
    row = a_socket("127.0.0.1", 5000, "127.0.0.1", 8080)
    told = Told()
    told.translations.learn(ROUTER, [local], 0.0)
    told.translations.note(CLIENT, [(1, row)])
    told.translations.note(ROUTER, [(2, row)])
    told.translations.settle(0.0)
    assert told == {2: Nat("10.2.0.2", 80)}


def test_a_socket_that_connects_elsewhere_is_no_longer_behind_it() -> None:
    told = Told()
    told.translations.learn(ROUTER, [PUBLISHED], 0.0)
    told.translations.note(CLIENT, [(1, AT_CLIENT)])
    told.translations.settle(0.0)
    told.translations.note(CLIENT, [(1, a_socket("10.1.0.2", 5000, "10.1.0.9", 53))])
    told.translations.settle(1.0)
    assert told == {1: Nat(None, None)}


def test_flows_without_a_socket_here_are_forgotten_and_what_was_told_stays() -> None:
    told = Told()
    told.translations.learn(ROUTER, [PUBLISHED], 0.0)
    told.translations.note(CLIENT, [(1, AT_CLIENT)])
    told.translations.settle(0.0)
    told.translations.settle(REMEMBERED)
    told.translations.note(SERVER, [(2, AT_SERVER)])
    told.translations.settle(REMEMBERED)
    assert told == {1: Nat("10.2.0.2", 80)}
    told.translations.forget(1)
    told.translations.forget(2)


# --- bytes -----------------------------------------------------------------------------------------------------------


def counted(number: int, sport: int, sent: tuple[int, int] | None, answered: tuple[int, int] | None) -> Flow:
    """A flow from 10.0.0.1 to the server 10.0.0.2:53 with so many packets and bytes of payload each way."""
    there, back = ("10.0.0.1", sport, "10.0.0.2", 53), ("10.0.0.2", 53, "10.0.0.1", sport)
    both = [None if way is None else Counters(way[0], way[1] + 28 * way[0]) for way in (sent, answered)]
    return Flow(17, Tuple4(*there), Tuple4(*back), 0, 30, number, *both)


def udp(local: str, lport: int, remote: str | None = None, rport: int | None = None, **more: object) -> Socket:
    family = "inet6" if ":" in local else "inet"
    return connection(
        proto="udp", family=family, local=local, lport=lport, remote=remote or "0.0.0.0", rport=rport, **more
    ).socket


def test_the_flows_of_a_server_add_up_those_that_ended_included() -> None:
    book = DatagramBook()
    book.note(1, [(7, udp("0.0.0.0", 53))])
    book.count(1, [], [counted(1, 4001, (1, 100), (1, 500)), counted(2, 4002, (2, 50), (0, 0))])
    assert book.take_changed() == [(7, Datagrams(150, 500, 3, 1))]
    book.count(1, [counted(1, 4001, (3, 300), (3, 900))], [counted(2, 4002, (2, 50), (0, 0))])
    book.count(1, [counted(3, 4003, (1, 10), (1, 20))], [])
    assert book.take_changed() == [(7, Datagrams(150 + 200 + 10, 500 + 400 + 20, 3 + 2 + 1, 1 + 2 + 1))]
    assert book.take_changed() == []


def test_a_flow_that_ends_between_the_list_and_its_last_word_counts_once() -> None:
    book = DatagramBook()
    book.note(1, [(7, udp("0.0.0.0", 53))])
    book.count(1, [counted(1, 4001, (2, 200), (0, 0))], [counted(1, 4001, (1, 100), (0, 0))])
    book.count(1, [], [])
    assert book.total(7) == Datagrams(200, 0, 2, 0)


def test_both_ends_in_one_namespace_count_what_each_of_them_moved() -> None:
    book = DatagramBook()
    book.note(1, [(7, udp("0.0.0.0", 53)), (8, udp("10.0.0.1", 4001, "10.0.0.2", 53))])
    book.count(1, [], [counted(1, 4001, (1, 100), (2, 30))])
    assert book.total(7) == Datagrams(100, 30, 1, 2)
    assert book.total(8) == Datagrams(30, 100, 2, 1)


def test_a_connected_socket_goes_before_the_one_that_takes_from_anyone() -> None:
    book = DatagramBook()
    book.note(1, [(7, udp("0.0.0.0", 53)), (8, udp("10.0.0.2", 53, "10.0.0.1", 4001))])
    book.count(1, [], [counted(1, 4001, (1, 100), (1, 30)), counted(2, 4002, (1, 5), (1, 6))])
    assert book.total(8) == Datagrams(100, 30, 1, 1)
    assert book.total(7) == Datagrams(5, 6, 1, 1)


@pytest.mark.parametrize(("v6only", "known"), [(False, True), (None, True), (True, False)])
def test_a_socket_for_both_families_takes_ipv4_unless_it_says_no(v6only: bool | None, known: bool) -> None:
    book = DatagramBook()
    book.note(1, [(7, udp("::", 53, v6only=v6only))])
    book.count(1, [], [counted(1, 4001, (1, 100), (0, 0))])
    assert (book.total(7) is not None) == known


def test_a_socket_that_comes_with_its_first_packets_counts_them() -> None:
    book = DatagramBook()
    book.count(1, [], [counted(1, 4001, (1, 100), (0, 0))])
    book.note(1, [(7, udp("0.0.0.0", 53))])
    assert book.take_changed() == [(7, Datagrams(100, 0, 1, 0))]


def test_the_next_socket_at_a_port_does_not_inherit() -> None:
    book = DatagramBook()
    book.note(1, [(7, udp("0.0.0.0", 53))])
    book.count(1, [], [counted(1, 4001, (1, 100), (0, 0))])
    book.forget(7)
    book.take_changed()
    book.note(1, [(8, udp("0.0.0.0", 53))])
    book.count(1, [], [counted(1, 4001, (3, 150), (0, 0))])
    assert book.take_changed() == [(8, Datagrams(50, 0, 2, 0))]


def test_a_socket_that_has_ended_counts_what_it_moved_last() -> None:
    book = DatagramBook()
    book.note(1, [(7, udp("10.0.0.1", 4001, "10.0.0.2", 53))])
    book.end(7)
    book.count(1, [], [counted(1, 4001, (1, 100), (0, 0))])
    assert book.take_changed() == [(7, Datagrams(0, 100, 0, 1))]
    book.note(1, [(8, udp("10.0.0.1", 4001, "10.0.0.2", 53))])
    book.count(1, [], [counted(1, 4001, (2, 150), (0, 0))])
    assert book.take_changed() == [(8, Datagrams(0, 50, 0, 1))]
    book.close(1)
    book.forget(7)
    book.forget(8)


def test_sockets_that_share_a_port_are_unknown_from_then_on() -> None:
    book = DatagramBook()
    book.note(1, [(7, udp("0.0.0.0", 53))])
    book.count(1, [], [counted(1, 4001, (1, 100), (0, 0))])
    book.note(1, [(8, udp("0.0.0.0", 53))])
    book.count(1, [], [counted(1, 4001, (2, 200), (0, 0))])
    book.forget(8)
    book.count(1, [], [counted(1, 4001, (3, 300), (0, 0))])
    assert book.total(7) == Datagrams(None, None, None, None)


def test_a_flow_from_before_accounting_makes_a_socket_unknown_and_not_too_small() -> None:
    book = DatagramBook()
    book.note(1, [(7, udp("0.0.0.0", 53))])
    book.count(1, [], [counted(1, 4001, None, None), counted(2, 4002, (1, 100), (0, 0))])
    assert book.total(7) == Datagrams(None, None, None, None)


_PACKETS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1400)), max_size=20)


@given(st.lists(st.tuples(_PACKETS, st.booleans(), st.booleans()), max_size=8))
def test_whenever_it_is_read_everything_sent_counts_once(
    rounds: list[tuple[list[tuple[int, int]], bool, bool]],
) -> None:
    """Packets through three flows, of which one may end in each round; the list of flows may not be read in it."""
    book = DatagramBook()
    book.note(1, [(7, udp("0.0.0.0", 53))])
    alive: dict[int, tuple[int, int]] = {}  # number → packets, bytes
    names = [1, 2, 3]
    total = packets = 0
    last = Datagrams(0, 0, 0, 0)
    for sent, ends, read in rounds:
        for place, size in sent:
            many, much = alive.get(names[place], (0, 0))
            alive[names[place]] = (many + 1, much + size)
            total, packets = total + size, packets + 1
        listed = [counted(number, number, moved, (0, 0)) for number, moved in alive.items()]
        ended = []
        if ends and alive:
            number = min(alive)
            ended = [counted(number, number, alive.pop(number), (0, 0))]
            names[names.index(number)] = max(names) + 1
        book.count(1, ended, listed if read else None)
        now = book.total(7) or last
        assert all((new or 0) >= (old or 0) for new, old in zip(now, last, strict=True)), "never backwards"
        last = now
    book.count(1, [counted(number, number, moved, (0, 0)) for number, moved in alive.items()], [])
    assert (book.total(7) or Datagrams(0, 0, 0, 0)) == Datagrams(total, 0, packets, 0)
