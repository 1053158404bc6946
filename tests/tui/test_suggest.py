"""How a filter may go on: fields, operators, values and filters with a name, each where it makes sense."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nettop.fields import CONNECTIONS, EVENTS, PROCESSES
from nettop.query import QueryError, parse
from nettop.tui.dialogs.suggest import MOST, Collector, complete
from tests.support import rows

VALUES = {
    "comm": ("nginx", "sshd", "Web Content", "or", "-", 'say "hi"'),
    "state": ("ESTAB", "LISTEN"),
    "remote": ("10.0.0.1", "2001:db8::1"),
    "rport": ("443", "22"),
    "netns_name": ("host", "web"),
}


def suggested(text: str, saved: dict[str, str] | None = None) -> list[str]:
    """The whole filters that would come of the suggestions."""
    completion = complete(text, CONNECTIONS, VALUES, saved or {})
    return [text[: completion.start] + suggestion.text for suggestion in completion.suggestions]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("com", "comm:"),
        ("rat", "rate>"),
        ("lpor", "lport="),
        ("pi", "pid="),
        ("rate", "rate>"),
        ("comm", "comm:"),
        ("rtt>", "rtt>10ms"),
        ("comm:n", "comm:nginx"),
        ("comm=web", 'comm="Web Content"'),
        ("comm=o", "comm=or"),
        ("comm=say", r'comm="say \"hi\""'),
        ("state:es", "state:ESTAB"),
        ("rport=22,4", "rport=22,443"),
        ("!comm:s", "!comm:sshd"),
        ("(comm:nginx or sta", "(comm:nginx or state:"),
        ("netns=w", "netns=web"),
        ("dst 10", "dst 10.0.0.1"),
        ("dport 4", "dport 443"),
        ("state lis", "state listen"),
        ("ngi", "comm=nginx"),
        ("EST", "state=ESTAB"),
    ],
)
def test_the_likeliest_comes_first(text: str, first: str) -> None:
    assert suggested(text)[0].lower() == first.lower()


@pytest.mark.parametrize("text", ['comm="ngi', "comm~ng", "rate>10", "comm=nginx", "nonsense=", "rate:x"])
def test_nothing_is_suggested_where_nothing_is_known(text: str) -> None:
    assert suggested(text) == []


def test_an_empty_filter_may_begin_with_a_saved_one_or_any_field() -> None:
    found = suggested("", {"slow": "rtt>200ms"})
    assert found[0] == "rtt>200ms"
    assert "proto:" in found


def test_a_saved_filter_takes_the_place_of_its_name_only_when_that_is_all_there_is() -> None:
    saved = {"slow": "rtt>200ms"}
    assert "rtt>200ms" in suggested("sl", saved)
    assert not any("rtt>200ms" in text for text in suggested("comm:nginx sl", saved))


def test_no_more_than_a_line_can_show() -> None:
    assert len(suggested("r")) <= MOST


@given(st.text(alphabet='comnrate :=<>!~()"/\\,.10gix', max_size=24))
def test_whatever_is_typed_suggestions_come_without_an_error(text: str) -> None:
    for view in (CONNECTIONS, PROCESSES, EVENTS):
        completion = complete(text, view, VALUES, {"slow": "rtt>200ms"})
        assert 0 <= completion.start <= len(text)


@settings(max_examples=200)
@given(st.text(min_size=1, max_size=12))
def test_a_suggested_value_finds_what_it_was_taken_from(name: str) -> None:
    row = rows.connection(comm=name)
    collector = Collector(CONNECTIONS, {1: row}, rows.NOW)
    list(collector.collect(["comm"]))
    completion = complete("comm=", CONNECTIONS, collector.values, {})
    for suggestion in completion.suggestions:
        try:
            assert parse("comm=" + suggestion.text, CONNECTIONS).matches(row, rows.NOW)
        except QueryError as error:
            raise AssertionError(suggestion.text) from error


def test_values_are_counted_the_most_frequent_first() -> None:
    held = {n: rows.connection(id=n, comm="sshd" if n % 3 else "nginx") for n in range(9)}
    collector = Collector(CONNECTIONS, held, rows.NOW)
    assert collector.missing(["comm", "state"]) == ["comm", "state"]
    list(collector.collect(["comm"]))
    assert collector.values["comm"] == ["sshd", "nginx"]
    assert collector.missing(["comm", "state"]) == ["state"]


def test_values_nobody_knows_are_not_suggested() -> None:
    collector = Collector(CONNECTIONS, {1: rows.connection(comm=None), 2: rows.connection(comm="")}, rows.NOW)
    list(collector.collect(["comm"]))
    assert collector.values["comm"] == []
