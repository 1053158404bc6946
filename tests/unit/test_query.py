"""Filters: what each form finds, and what is said about text that is none."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nettop.fields import CONNECTIONS, EVENTS, NAMESPACES, PROCESSES, VIEWS, View
from nettop.query import MAX_LENGTH, QueryError, parse
from tests.support.rows import NOW, connection, event, many_connections, namespace_row, process_row, snapshot

ROWS = {
    "web": connection(id=1, comm="nginx", lport=443, rport=51822, rx_rate=2e6, tx_rate=0.0, netns=7, netns_name="web"),
    "db": connection(id=2, comm="postgres", lport=5432, remote="10.1.2.3", rport=40112, rtt=60_000, retrans=3),
    "ssh": connection(id=3, comm="sshd", local="::ffff:10.0.0.1", lport=22, remote="fe80::1", rport=2222, user="Root"),
    "listen": connection(id=4, comm="nginx", state="LISTEN", local="::", lport=80, remote=None, rport=None, rtt=None),
    "lost": connection(id=5, comm=None, state="TIME-WAIT", remote="192.0.2.7", rport=80, rx_rate=None, tx_rate=None),
    "docker": connection(id=6, proto="unix", comm="dockerd", local="/run/docker.sock", lport=None, remote=None,
                         rport=None, container="a,b (c)", since=None),
}  # fmt: skip


def found(text: str) -> set[str]:
    query = parse(text, CONNECTIONS)
    return {name for name, row in ROWS.items() if query.matches(row, NOW)}


def others(*names: str) -> set[str]:
    return set(ROWS) - set(names)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        # words
        ("nginx", {"web", "listen"}),
        ("NGINX", set()),
        ("nGi", set()),
        ("docker.sock", {"docker"}),
        ("/run/docker.sock", {"docker"}),
        ('"(c)"', {"docker"}),
        ("80", {"lost", "listen", "ssh"}),  # two ports, and part of fe80::1
        ("/^(nginx|sshd)$/", {"web", "listen", "ssh"}),
        ("/NGINX/", set()),
        (r"/ngin\S/", {"web", "listen"}),
        ("10.1.2.3", {"db"}),
        ("10.1.0.0/16", {"db"}),
        ("10.1.2.3:40112", {"db"}),
        (":22", {"ssh"}),
        ("fe80::1", {"ssh"}),
        ("[fe80::1]:2222", {"ssh"}),
        # and, or, not, parentheses
        ("nginx rate>1MB", {"web"}),
        ("nginx and rate>1MB", {"web"}),
        ("nginx && rate>1MB", {"web"}),
        ("comm:sshd or comm:postgres", {"ssh", "db"}),
        ("comm:sshd || comm:postgres", {"ssh", "db"}),
        ("!nginx", others("web", "listen")),
        ("not nginx", others("web", "listen")),
        ("not not nginx", {"web", "listen"}),
        ("!(nginx or sshd)", others("web", "listen", "ssh")),
        ("sshd or nginx lport=80", {"ssh", "listen"}),
        ("(sshd or nginx) lport=80", {"listen"}),
        ("!comm:sshd rate>1MB (netns=web or container:nginx) retrans=0", {"web"}),
        # text
        ("comm:gin", {"web", "listen"}),
        ("comm=nginx", {"web", "listen"}),
        ("comm == nginx", {"web", "listen"}),
        ("comm=ngin", set()),
        ("comm=nginx,sshd", {"web", "listen", "ssh"}),
        ("comm:post,ssh", {"db", "ssh"}),
        ("comm!=nginx,sshd", others("web", "listen", "ssh")),
        ("comm~^(ng|ss)", {"web", "listen", "ssh"}),
        ("(comm~^s(s|x)h)", {"ssh"}),
        ("comm~/ss|gre/", {"ssh", "db"}),
        ("user=root", {"ssh"}),
        ("user:Root", {"ssh"}),
        ("user=ROOT", set()),
        ('container="a,b (c)"', {"docker"}),
        # unknown
        ("comm=-", {"lost"}),
        ("comm!=-", others("lost")),
        ("comm!=nginx rtt=-", set()),
        ("rate=-", {"lost"}),
        ("rate<1k", others("web", "lost")),
        ("rate>=0", others("lost")),
        ("age=-", {"docker"}),
        ("rtt=-,60", {"listen", "db"}),
        ("owners=-", {"lost"}),
        ('comm="-"', set()),
        # numbers
        ("rate>1MB", {"web"}),
        ("rate > 1000k", {"web"}),
        ("rate>1.5MiB/s", {"web"}),
        ("rtt>50ms", {"db"}),
        ("rtt>50", {"db"}),
        ("rtt>=0.06s", {"db"}),
        ("rtt<=60 rtt>1.2", {"db"}),
        ("retrans=1-5", {"db"}),
        ("retrans!=0", {"db"}),
        ("age<5m", others("docker")),
        ("age<1m30s age>=1m", others("docker")),
        ("age<59", set()),
        ("lport=20-100", {"ssh", "listen"}),
        ("lport=22,5000-6000", {"ssh", "db"}),
        ("lport:22", {"ssh"}),
        ("cookie=0x4d", set(ROWS)),
        ("owners:nginx", {"web", "listen"}),
        ("owners=4242", others("lost")),
        # either end
        ("port=80", {"lost", "listen"}),
        ("port!=80", others("lost", "listen")),
        ("port 2222", {"ssh"}),
        ("port=5000-6000", {"db"}),
        ("port>50000", {"web"}),
        ("host=10.0.0.1", others("listen", "docker")),
        ("addr:10.1.", {"db"}),
        ("addr=10.1.2.3-10.1.2.9", {"db"}),
        # addresses
        ("remote=10.0.0.0/8", {"db"}),
        ("remote:10.0.0.0/8", {"db"}),
        ("local=10.0.0.0/8", others("listen", "docker")),
        ("local=::ffff:10.0.0.0/104", others("listen", "docker")),
        ("remote=fe80::/10", {"ssh"}),
        ("remote=FE80:0:0::1", {"ssh"}),
        ("remote=::/0", {"ssh"}),
        ("remote=0.0.0.0/0", {"web", "db", "lost"}),
        ("local=/run/docker.sock", {"docker"}),
        ("remote~^192", {"lost"}),
        # namespaces
        ("netns=web", {"web"}),
        ("netns:we", {"web"}),
        ("netns=7", {"web"}),
        ("netns!=web", others("web")),
        ("netns=web,host", set(ROWS)),
        ("netns<8", {"web"}),
        ("netns~^w", {"web"}),
        # states
        ("state=ESTAB", others("listen", "lost")),
        ("state=established,listening", others("lost")),
        ("state:wait", {"lost"}),
        ("state:connected", others("listen")),
        ("state=synchronized", others("listen")),
        ("state:bucket", {"lost"}),
        ("state=big", others("lost")),
        ("state=all", set(ROWS)),
        ("state!=listen", others("listen")),
        ("state~^E", others("listen", "lost")),
        # as in ss
        ("state established", others("listen", "lost")),
        ("state ESTAB", others("listen", "lost")),
        ("state established state time-wait", others("listen")),
        ("state connected exclude time-wait", others("listen", "lost")),
        ("exclude listening", others("listen")),
        ("exclude state listening state listening", set(ROWS)),
        ("state established dst 10.0.0.0/8 and dport = :40112", {"db"}),
        ("dst 10.1.2.3:40112", {"db"}),
        ("dst [fe80::1]:2222", {"ssh"}),
        ("dst = 10.1.2.3", {"db"}),
        ("dst != 10.1.2.3", others("db")),
        ("dst ne 10.1.2.3", others("db")),
        ("dst :2222", {"ssh"}),
        ("dst *:2222", {"ssh"}),
        ("src *", set(ROWS)),
        ("src 10.0.0.0/8 sport gt 100", {"web", "db", "lost"}),
        ("sport = :22", {"ssh"}),
        ("sport :22", {"ssh"}),
        ("dport 80", {"lost"}),
        ("( dport = :http or sport = :http )", {"lost", "listen"}),
        ("sport = :https", {"web"}),
        ("src /run/docker.sock", {"docker"}),
        ("dst=-", {"listen", "docker"}),
        ("dev = eth0", set()),
    ],
)  # fmt: skip
def test_a_filter_finds(text: str, names: set[str]) -> None:
    assert found(text) == names


def test_a_blank_filter_is_everything() -> None:
    for text in ("", "   ", "\n"):
        query = parse(text, CONNECTIONS)
        assert query.everything
        assert query.filter(ROWS.values(), NOW) == list(ROWS.values())
    assert not parse("nginx", CONNECTIONS).everything


def test_a_filter_keeps_the_order_of_rows() -> None:
    rows = many_connections(100)
    assert parse("!nosuchword", CONNECTIONS).filter(rows, NOW) == rows


def test_not_equal_is_always_the_opposite_of_equal() -> None:
    for value in ("comm{}nginx", "rate{}0", "netns{}web", "state{}big", "dst{}10.0.0.0/8", "port{}22,80", "age{}-"):
        assert found(value.format("!=")) == others(*found(value.format("=")))


def test_bare_words_look_only_where_one_can_see() -> None:
    assert found("web") == {"web"}, "the user, also web, is in no column"
    query = parse("web", CONNECTIONS, columns=["user"])
    assert {name for name, row in ROWS.items() if query.matches(row, NOW)} == others("ssh")


@pytest.mark.parametrize(
    ("view", "row", "text", "passes"),
    [
        (PROCESSES, process_row(rss=2 << 30), "rss>1G", True),
        (PROCESSES, process_row(rss=2 << 30), "rss=2GiB", True),
        (PROCESSES, process_row(nice=-5), "nice<-4", True),
        (PROCESSES, process_row(nice=-5), "nice=-6--5", True),
        (PROCESSES, process_row(cpu=12.5), "cpu>12%", True),
        (PROCESSES, process_row(state="S"), "state=s", True),
        (PROCESSES, process_row(comm="state"), "state", False),
        (PROCESSES, process_row(command="port of dst"), "port dst", True),
        (PROCESSES, process_row(netns=9, netns_name="web"), "netns=web", True),
        (NAMESPACES, namespace_row(), "interfaces=eth0", True),
        (NAMESPACES, namespace_row(), "eth0", True),
        (NAMESPACES, namespace_row(), "addresses:10.0.0", True),
        (NAMESPACES, namespace_row(name="2nd-floor"), "netns=2nd-floor", True),
        (EVENTS, event(kind="exec"), "kind=exec,exit", True),
        (EVENTS, event(netns=5), "netns=5", True),
        (EVENTS, event(time=NOW - 60), "time>-5m", True),
        (EVENTS, event(time=NOW - 600), "time>-5m", False),
        (EVENTS, event(time=NOW - 60), "time=-5m--10s", True),
        (EVENTS, event(time=NOW), f"time>={NOW:.0f}", True),
    ],
)  # fmt: skip
def test_other_views_have_their_own_fields(view: View, row: Any, text: str, passes: bool) -> None:
    assert parse(text, view).matches(row, NOW) is passes


def test_a_time_of_day_is_of_the_day_the_rows_were_read() -> None:
    at = time.mktime((2024, 3, 5, 14, 3, 20, 0, 0, -1))
    row, now = event(time=at), at + 600
    for text in ("time=14:03", "time=14:03:20", "time=14:00-14:03", "time>14:03", "time<14:04", "time=14:03:00-15:00"):
        assert parse(text, EVENTS).matches(row, now), text
    for text in ("time=14:04", "time=14:03:21", "time>14:04"):
        assert not parse(text, EVENTS).matches(row, now), text


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("(nginx", 0, "this ( is never closed"),
        ("nginx )", 6, "there is no ( for this )"),
        ("nginx and", 9, "expected a condition"),
        ("a or and b", 5, "expected a condition"),
        ("()", 1, "expected a condition"),
        ("!", 1, "expected a condition"),
        ('x "y', 2, "this quote is never closed"),
        ("x = ", 4, "expected a value after x="),
        ("comm:", 5, "expected a value after comm:"),
        ("state=ESTAB,", 12, "expected a value after ,"),
        ("a =5", 0, "connections has no field 'a'; `nettop fields connections` lists them"),
        ("nginx rat>5", 6, "connections has no field 'rat'; did you mean rate?"),
        (">5", 0, "a comparison needs a field before it"),
        ("rate>fast", 5, "'fast' is not bytes a second, as 10k or 1.5MB"),
        ("rtt>1.2.3", 4, "'1.2.3' is not milliseconds, as 50, 0.3 or 2s"),
        ("rate>1,2", 7, "> takes one value"),
        ("lport=22,90-80", 9, "the range 90-80 runs backwards"),
        ("port=22,nosuchservice", 8, "'nosuchservice' is not a port or the name of a service"),
        ("dst 10.0.0.1:nosuchservice", 13, "'nosuchservice' is not a port or the name of a service"),
        ("dst 10.0", 4, "'10.0' is not an address; a : before it looks for a part of one"),
        ("dst 10.0.0.0/33", 4, "'10.0.0.0/33' is not an address; a : before it looks for a part of one"),
        ("dst", 3, "expected a value after dst"),
        ("state", 5, "expected a value after state"),
        ("state nosuch", 6, "'nosuch' is no state: ss has established, listening, time-wait ..."),
        ("comm>5", 0, "comm is not a number: use : = != or ~"),
        ("dst < 10.0.0.1", 0, "dst is an address: use : = != or ~"),
        ("rate~5", 5, "rate is a number: use = != < <= > >="),
        ("x comm~[a", 7, "regular expression: unterminated character set"),
        ("/a(/", 2, "regular expression: missing ), unterminated subpattern"),
        ("comm~" + "a" * 201, 205, "a regular expression is at most 200 characters long"),
        ("x" * (MAX_LENGTH + 1), MAX_LENGTH, "longer than 4096 characters"),
        ("(" * 51 + "x" + ")" * 51, 50, "more than 50 parentheses within each other"),
    ],
)  # fmt: skip
def test_an_error_says_what_and_where(text: str, column: int, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text, CONNECTIONS)
    assert (caught.value.column, str(caught.value), caught.value.text) == (column, message, text)


def test_what_is_deep_or_long_but_allowed_works() -> None:
    assert found("(" * 50 + "nginx" + ")" * 50) == {"web", "listen"}
    assert found("!" * 4000 + "nginx") == {"web", "listen"}
    assert found(" ".join(["nginx"] * 680)) == {"web", "listen"}
    assert found("state all " + "exclude listen " * 270) == others("listen")
    assert found("comm=" + ",".join(["x"] * 2000) + ",sshd") == {"ssh"}


_PIECES = """
    ( ) ! != = == ~ : < <= > >= and or not && || , " / - * \\ [ state exclude dst src sport host port netns time
    rate comm lport age owners nginx 10.0.0.0/8 ::1 :443 10k 5m -5m 1-2 14:03 "x" /a/ /( (?\x1b established big 0x 1e999
"""
_JUMBLES = st.lists(st.sampled_from(_PIECES.split()), max_size=12)


@given(
    st.text(st.characters(exclude_categories=[]), max_size=60) | _JUMBLES.map("".join) | _JUMBLES.map(" ".join),
    st.sampled_from(list(VIEWS.values())),
)
@example("comm~a{99999999999999999999}", CONNECTIONS)
@example("comm~[[a]", CONNECTIONS)
@example("comm~(?\x1b", CONNECTIONS)
@example("dst \x00", CONNECTIONS)
@example("port=\udcff", CONNECTIONS)
@example("lport=" + "9" * 4090, CONNECTIONS)
@example("age>" + "1" * 4000 + "x", CONNECTIONS)
@example("time>" + "9" * 400, EVENTS)
@example("time>-" + "9" * 400, EVENTS)
def test_any_text_parses_or_says_where_it_does_not(text: str, view: View) -> None:
    try:
        query = parse(text, view)
    except QueryError as error:
        said = error
    else:
        picture = snapshot(ROWS.values(), [process_row()], [namespace_row()], [event(), event(comm=None, netns=None)])
        assert {query.matches(row, NOW) for row in view.rows(picture)} <= {True, False}
        return
    assert 0 <= said.column <= len(text)
    assert said.text == text
    assert str(said).isprintable()
