"""What is kept of where connections were made to: all of it, for the destinations used last."""

from __future__ import annotations

from nettop.collector.destinations import Destinations
from nettop.collector.outbox import Outbox
from nettop.collector.traffic import Moved
from nettop.model import Change, Destination, Socket
from tests.support.rows import connection

NETNS = 4026531840


def socket(number: int, netns: int = NETNS) -> Socket:
    return connection(netns=netns, remote=f"10.0.0.{number}", rport=80).socket


def told(outbox: Outbox) -> Change:
    return outbox.take(0.0, 0.0).changes.get("destinations", Change({}, []))


def test_connections_to_one_place_add_up() -> None:
    outbox = Outbox()
    made = Destinations(outbox)
    for _ in range(3):
        made.count("opened", socket(1))
    made.count("failed", socket(1))
    made.settle(socket(1), Moved(100, 20, 1))
    made.settle(socket(1), Moved(1, 2, 0))
    made.publish()
    assert list(told(outbox).rows.values()) == [Destination(NETNS, "10.0.0.1", 80, 3, 1, 101, 22, 1)]
    made.publish()
    assert told(outbox) == Change({}, []), "nothing changed"


def test_of_too_many_those_used_last_are_kept() -> None:
    outbox = Outbox()
    made = Destinations(outbox, most=2)
    made.count("opened", socket(1))
    made.count("opened", socket(2))
    made.publish()
    ids = {row.remote: row_id for row_id, row in told(outbox).rows.items()}
    made.count("opened", socket(1))
    made.count("opened", socket(3))
    made.publish()
    change = told(outbox)
    assert change.gone == [ids["10.0.0.2"]]
    assert {row.remote: row.opened for row in change.rows.values()} == {"10.0.0.1": 2, "10.0.0.3": 1}
    assert ids["10.0.0.1"] in change.rows


def test_one_that_came_and_went_between_two_pictures_is_not_told() -> None:
    outbox = Outbox()
    made = Destinations(outbox, most=1)
    made.count("opened", socket(1))
    made.count("opened", socket(2))
    made.publish()
    change = told(outbox)
    assert [row.remote for row in change.rows.values()] == ["10.0.0.2"]
    assert not change.gone


def test_a_namespace_takes_its_destinations_along() -> None:
    outbox = Outbox()
    made = Destinations(outbox)
    made.count("opened", socket(1))
    made.count("opened", socket(1, netns=7))
    made.publish()
    rows = told(outbox).rows
    made.forget(7)
    made.publish()
    assert told(outbox).gone == [row_id for row_id, row in rows.items() if row.netns == 7]
