"""When a namespace needs a look: after every trace of something happening, and not without one."""

from __future__ import annotations

from nettop.collector.idleness import Idleness, Look
from nettop.kernel.inet_diag import Found
from nettop.kernel.sockstat import Counts, parse_counts, read_counts
from tests.support.rows import connection

SOCKSTAT = b"""sockets: used 23
TCP: inuse 4 orphan 1 tw 2 alloc 5 mem 342
UDP: inuse 3 mem 7
UDPLITE: inuse 0
RAW: inuse 0
FRAG: inuse 0 memory 0
"""
SOCKSTAT6 = b"TCP6: inuse 1\nUDP6: inuse 0\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n"
COUNTS = Counts(b"10", (b"1",))


def look(idleness: Idleness, slow: bool = False, *found: Found) -> None:
    idleness.begin(Look.ALL if slow else Look.TRAFFIC)
    for said in found:
        idleness.note(said)
    idleness.end(Look.ALL if slow else Look.TRAFFIC)


def at_rest() -> Idleness:
    """A namespace that was looked at in full, and where nothing has happened since."""
    idleness = Idleness()
    assert idleness.due(COUNTS, False, True)
    look(idleness, True)
    assert not idleness.due(COUNTS, False, True)
    return idleness


def news(recvq: int = 0, sendq: int = 0, state: str = "ESTAB", row: int = 1, proto: str = "tcp") -> Found:
    found = Found.nothing(proto)
    found.stats.append((row, connection(state=state, recvq=recvq, sendq=sendq).stats))
    return found


def test_the_counts_are_those_of_the_namespace_and_not_of_the_machine() -> None:
    counts = parse_counts(SOCKSTAT, SOCKSTAT6)
    assert counts.used == b"23"
    assert counts.in_use[:3] == (b"4", b"2", b"3")
    elsewhere = SOCKSTAT.replace(b"orphan 1", b"orphan 9").replace(b"alloc 5", b"alloc 6").replace(b"mem 7", b"mem 8")
    assert parse_counts(elsewhere, SOCKSTAT6) == counts
    for before, after in ((b"tw 2", b"tw 1"), (b"RAW: inuse 0", b"RAW: inuse 1"), (b"UDP: inuse 3", b"UDP: inuse 2")):
        assert parse_counts(SOCKSTAT.replace(before, after), SOCKSTAT6).in_use != counts.in_use
    assert parse_counts(SOCKSTAT, SOCKSTAT6.replace(b"TCP6: inuse 1", b"TCP6: inuse 2")).in_use != counts.in_use


def test_counts_that_are_written_in_another_way_are_compared_as_they_are() -> None:
    assert parse_counts(b"sockets: 23\n", b"") != parse_counts(b"sockets: 24\n", b"")


def test_a_kernel_without_ipv6_has_counts_too() -> None:
    def read(name: str) -> bytes:
        if name == "sockstat6":
            raise FileNotFoundError(name)
        return SOCKSTAT

    assert read_counts(read) == parse_counts(SOCKSTAT, b"")


def test_traffic_calls_for_a_look() -> None:
    assert at_rest().due(COUNTS, True, False)


def test_a_socket_that_was_bound_calls_for_a_look() -> None:
    assert at_rest().due(COUNTS._replace(in_use=(b"2",)), False, False)


def test_a_socket_that_ended_calls_for_a_look() -> None:
    idleness = at_rest()
    idleness.stir()
    assert idleness.due(COUNTS, False, False)


def test_after_news_one_more_look_follows() -> None:
    idleness = at_rest()
    look(idleness, False, news())
    assert idleness.due(COUNTS, False, False)
    look(idleness, False, Found.nothing("tcp"))
    assert not idleness.due(COUNTS, False, False)


def test_while_something_is_queued_it_is_looked_at() -> None:
    idleness = at_rest()
    look(idleness, False, news(recvq=5))
    for _ in range(3):
        assert idleness.due(COUNTS, False, False)
        look(idleness, False, Found.nothing("tcp"))
    look(idleness, False, news(recvq=0))
    look(idleness, False, Found.nothing("tcp"))
    assert not idleness.due(COUNTS, False, False)


def test_the_limit_of_an_accept_queue_is_nothing_queued() -> None:
    idleness = at_rest()
    look(idleness, False, news(sendq=128, state="LISTEN"))
    look(idleness, False, Found.nothing("tcp"))
    assert not idleness.due(COUNTS, False, False)


def test_a_socket_that_is_gone_has_nothing_queued() -> None:
    idleness = at_rest()
    look(idleness, False, news(recvq=5))
    gone = Found.nothing("tcp")
    gone.gone.append(1)
    look(idleness, False, gone)
    look(idleness, False, Found.nothing("tcp"))
    assert not idleness.due(COUNTS, False, False)


def test_sockets_that_came_or_went_are_listed_when_it_is_their_turn() -> None:
    idleness = at_rest()
    more = COUNTS._replace(used=b"11")
    assert not idleness.due(more, False, False)
    assert idleness.due(more, False, True)
    look(idleness, True)
    assert not idleness.due(more, False, True)


def test_after_traffic_the_slow_protocols_follow_when_it_is_their_turn() -> None:
    idleness = at_rest()
    assert idleness.due(COUNTS, True, False)
    look(idleness, False)
    assert not idleness.due(COUNTS, False, False)
    assert idleness.due(COUNTS, False, True)


def settled(idleness: Idleness, *found: Found) -> bool:
    """What is known when the next look at all protocols comes to those nobody may use."""
    idleness.due(COUNTS, True, True)
    idleness.begin(Look.ALL)
    for said in found:
        idleness.note(said)
    return idleness.settled


def test_a_protocol_without_a_socket_gets_none_while_the_sockets_are_the_same() -> None:
    assert settled(at_rest(), news())


def test_where_there_is_another_number_of_sockets_any_protocol_may_have_one() -> None:
    idleness = at_rest()
    idleness.due(COUNTS._replace(used=b"11"), True, True)
    idleness.begin(Look.ALL)
    assert not idleness.settled


def test_where_a_socket_came_or_ended_any_protocol_may_have_one() -> None:
    came = Found.nothing("tcp")
    came.sockets.append((1, connection().socket))
    assert not settled(at_rest(), came)
    idleness = at_rest()
    look(idleness, False, came)
    assert not settled(idleness)
    idleness = at_rest()
    idleness.stir()
    assert not settled(idleness)


def test_nothing_is_taken_for_granted_at_first_and_where_nothing_is_counted() -> None:
    idleness = Idleness()
    for _ in range(3):
        idleness.begin(Look.ALL)
        assert not idleness.settled
        idleness.end(Look.ALL)
