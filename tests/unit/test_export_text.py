"""The text that Prometheus reads: valid whatever programs call themselves, and as the rules and dashboard expect it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nettop.export.account import Account
from nettop.export.exposition import Exposition
from nettop.export.metrics import LONGEST, SCOPES, label
from nettop.model import Health
from tests.support.metrics import exported, parse, value
from tests.support.rows import connection, container_row, namespace_row, process_row, snapshot

EXPORT = Path(__file__).parents[2] / "nettop" / "export"
HOSTILE = ["\x00", "\n", '"} 1\nnettop_up 1', "\\", "\u202e", "\ud800", "\ufeff", "# EOF\n", '{a="b"}', "日本"]

names = st.text(max_size=20) | st.sampled_from(HOSTILE)


def account(comm: str = "nginx", container: str = "web", namespace: str | None = "host") -> Account:
    """One picture in which something listens, and something talks."""
    made = Account(10)
    made.take(
        snapshot(
            [
                connection(id=1, comm=comm, netns_name=namespace, rx_rate=10.0),
                connection(id=2, comm=comm, state="LISTEN", lport=80, rport=None, remote=None, recvq=1, sendq=4),
            ],
            [process_row(comm=comm, rx_bytes=5000)],
            [namespace_row(name=namespace)],
            containers=[container_row(name=container, image=comm, unit=None)],
            health=[
                Health("netns:4026532177", "unavailable", "why", None, 1),
                Health("sctp", "absent", "why", None, 1),
            ],
        )
    )
    return made


@given(names, names, names)
@settings(deadline=None)
def test_names_from_anywhere_make_a_valid_text(comm: str, container: str, namespace: str) -> None:
    exposition = Exposition(account(comm, container, namespace))
    plain = parse(exposition.text("")[1].decode())
    assert parse(exposition.text("application/openmetrics-text")[1].decode(), openmetrics=True).keys() == plain.keys()
    assert len(plain) == len(exported(account()))


@given(st.text())
def test_a_label_is_short_printable_text(text: str) -> None:
    assert len(label(text)) <= LONGEST
    assert label(text).isprintable()
    assert label(text).encode().decode() == label(text)


def test_a_long_name_is_cut() -> None:
    assert label("x" * 1000) == "x" * LONGEST


def test_the_text_is_made_once_a_picture() -> None:
    shown = account()
    exposition = Exposition(shown)
    first = exposition.text("")
    assert exposition.text("text/plain")[1] is first[1]
    assert exposition.text("application/openmetrics-text; version=nonsense")[0].startswith(
        "application/openmetrics-text"
    )
    shown.take(snapshot(sequence=2))
    assert exposition.text("")[1] is not first[1]


def test_sources_in_trouble_are_counted_by_their_kind() -> None:
    said = exported(account())
    assert value(said, "sources_in_trouble", source="netns", status="unavailable") == 1
    assert value(said, "sources_in_trouble", source="sctp", status="absent") == 1


def test_every_metric_has_a_name_of_its_own_and_a_sentence() -> None:
    told = [scope.metric(metric.name) for scope in SCOPES for metric in (*scope.counters, *scope.gauges)]
    assert len(told) == len(set(told))
    for scope in SCOPES:
        assert [metric.name for metric in scope.counters[:2]] == ["rx_bytes", "tx_bytes"], "they decide who is named"
        for metric in (*scope.counters, *scope.gauges):
            assert metric.help.endswith(".")


def families() -> set[str]:
    """Names of samples, without what a histogram adds to them."""
    text = Exposition(account()).text("")[1].decode()
    told = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)
    assert {kind for _, kind in told} == {"counter", "gauge", "histogram"}
    return {name for name, _ in told}


def metrics_in(expressions: str) -> set[str]:
    """Names of metrics in PromQL."""
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"nettop_\w+", expressions)}


def test_alerts_speak_of_nothing_that_is_not_exported() -> None:
    expressions = re.sub(r"(summary|description): .*", "", (EXPORT / "rules.yml").read_text())
    assert metrics_in(re.sub(r"#.*", "", expressions)) <= families()


def drawn() -> list[str]:
    """What the panels of the dashboard ask Prometheus."""
    board = json.loads((EXPORT / "dashboard.json").read_text())
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]


def test_the_dashboard_speaks_of_nothing_that_is_not_exported() -> None:
    board = json.loads((EXPORT / "dashboard.json").read_text())
    assert metrics_in(" ".join(drawn())) <= families()
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    taken = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in board["panels"]]
    assert len(taken) == len(set(taken))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (prometheus) is not installed")
def test_promtool_finds_nothing_to_complain_about(tmp_path: Path) -> None:
    text = Exposition(account(comm='we"ird\\name')).text("")[1]
    asked = [expression.replace("$__rate_interval", "1m") for expression in drawn()]
    rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(asked)]
    panels = tmp_path / "panels.yml"
    panels.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))  # JSON is YAML, too
    checks = ((("metrics",), text), (("rules", str(EXPORT / "rules.yml")), b""), (("rules", str(panels)), b""))
    for command, given_text in checks:
        done = subprocess.run(["promtool", "check", *command], input=given_text, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b""), done.stdout.decode()
