"""Requests and answers survive the way there and back, and nothing else gets through."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop import requests, wire
from nettop.collector import answers
from nettop.collector.answers import Desk, Parts
from nettop.kernel.netns import NamespaceLost
from nettop.kernel.procfs import ProcFS
from nettop.requests import (
    Answer,
    CloseSocket,
    InspectEnvironment,
    InspectNamespace,
    InspectProcess,
    Renice,
    Reply,
    Request,
    RequestError,
    SetInterval,
    Signal,
)

CLOSE = CloseSocket(4026531840, "tcp", "inet6", "::1", 80, "fe80::1", 40_000, "eth0", (1 << 64) - 2)
EVERY: list[Request] = [
    SetInterval(0.5),
    Signal(42, 90210, 15, False),
    Renice(42, 90210, -5, True),
    CLOSE,
    CLOSE._replace(iface=None),
    InspectProcess(42, 90210),
    InspectEnvironment(42, 90210),
    InspectNamespace(4026531840),
]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(), inside, max_size=4),
    max_leaves=8,
)


def line(**fields: Any) -> bytes:
    """A good request to send SIGTERM, with some fields otherwise; `...` leaves one out."""
    said = {"ask": 7, "kind": "signal", "pid": 42, "start_time": 1, "signal": 15, "insist": False, **fields}
    return json.dumps({name: value for name, value in said.items() if value is not ...}).encode()


class TestRequests:
    @pytest.mark.parametrize("request_", EVERY, ids=lambda request: type(request).__name__)
    def test_a_request_arrives_as_it_was_sent(self, request_: Request) -> None:
        sent = requests.encode(7, request_)
        assert sent.endswith(b"\n")
        assert sent.count(b"\n") == 1
        assert requests.decode(sent) == (7, request_)

    def test_there_is_a_word_for_each(self) -> None:
        assert {type(request) for request in EVERY} == set(requests.KINDS.values())

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"kind": "reboot"}, "knows no request 'reboot'"),
            ({"kind": ["signal"]}, "knows no request"),
            ({"pid": 0}, "pid is not from 1"),
            ({"pid": -1}, "pid is not from 1"),
            ({"pid": "42"}, "pid is of a wrong type"),
            ({"pid": True}, "pid is of a wrong type"),
            ({"pid": 4.5}, "pid is of a wrong type"),
            ({"signal": 65}, "signal is not from 1 to 64"),
            ({"signal": 0}, "signal is not from 1 to 64"),
            ({"start_time": 1 << 63}, "start_time is not from"),
            ({"insist": 1}, "insist is of a wrong type"),
            ({"insist": ...}, "has pid, start_time, signal, insist"),
            ({"more": 1}, "has pid, start_time, signal, insist"),
            ({"kind": "interval"}, "has seconds"),
        ],
    )
    def test_what_is_out_of_order_is_refused_with_the_reason_and_the_number(
        self, fields: dict[str, Any], reason: str
    ) -> None:
        with pytest.raises(RequestError, match=reason) as refused:
            requests.decode(line(**fields))
        assert refused.value.number == 7

    def test_a_text_is_no_longer_than_an_address_can_be(self) -> None:
        with pytest.raises(RequestError, match="local is longer than 64"):
            requests.decode(requests.encode(1, CLOSE._replace(local="1" * 65)))

    def test_a_socket_is_never_meant_by_its_ends_alone(self) -> None:
        for cookie in (0, (1 << 64) - 1):
            with pytest.raises(RequestError, match="cookie is not from 1"):
                requests.decode(requests.encode(1, CLOSE._replace(cookie=cookie)))

    @pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 0, -1, 3601])
    def test_an_interval_is_within_reason(self, seconds: float) -> None:
        with pytest.raises(RequestError, match=r"seconds is not from 0\.1 to 3600"):
            requests.decode(requests.encode(1, SetInterval(seconds)))

    @pytest.mark.parametrize(
        "said", [b"", b"interval 5", b"[1]", b"{}", b"[" * 4000, b"\xff", line(ask=...), line(ask="7"), line(ask=-1)]
    )
    def test_what_has_no_number_cannot_be_answered(self, said: bytes) -> None:
        with pytest.raises(RequestError) as refused:
            requests.decode(said)
        assert refused.value.number is None

    def test_a_line_that_is_too_long_is_not_even_read(self) -> None:
        with pytest.raises(RequestError, match="more than 4096"):
            requests.decode(line(kind="x" * 5000))

    @given(st.binary(max_size=200) | JSON.map(lambda said: json.dumps(said).encode()))
    def test_anything_else_is_refused_in_words(self, said: bytes) -> None:
        with pytest.raises(RequestError):
            requests.decode(said)

    @given(st.sampled_from(sorted(requests.KINDS)), st.dictionaries(st.text(max_size=12), JSON, max_size=10))
    def test_the_fields_of_a_request_may_be_anything(self, kind: str, fields: dict[str, Any]) -> None:
        with pytest.raises(RequestError):
            requests.decode(json.dumps({**fields, "ask": 1, "kind": kind}).encode())


class TestAnswers:
    @given(st.booleans(), st.text(max_size=100), JSON)
    def test_an_answer_arrives_as_it_was_given(self, ok: bool, text: str, facts: Any) -> None:
        reply = Reply(3, Answer(ok, text, facts))
        assert wire.hear(wire.encode_reply(reply)) == reply

    def test_facts_that_are_too_many_become_an_answer_that_says_so(self) -> None:
        heard = wire.hear(wire.encode_reply(Reply(3, Answer(True, "", ["x" * 1000] * 2000))))
        assert heard == Reply(3, Answer(False, "the answer is longer than 1024 kB"))

    def test_a_sentence_is_cut_where_nobody_would_read_on(self) -> None:
        heard = wire.hear(wire.encode_reply(Reply(3, Answer(True, "\U0001f600" * 5000))))
        assert isinstance(heard, Reply)
        assert len(heard.answer.text) == requests.MAX_SENTENCE

    @pytest.mark.parametrize(
        "said",
        [
            b'{"v": 1, "answer": null, "ok": true, "text": "", "facts": null}',
            b'{"v": 1, "answer": 1, "ok": 1, "text": "", "facts": null}',
            b'{"v": 1, "answer": 1, "ok": true, "text": 1, "facts": null}',
            b'{"v": 1, "answer": 1, "ok": true, "text": "", "facts": [NaN]}',
            b'{"v": 1, "answer": 1, "ok": true, "text": "", "facts": {"a": 1e999}}',
            b'{"v": 1, "answer": 1, "ok": true, "text": "", "facts": [[[[[[[[[1]]]]]]]]]}',
            b'{"v": 1, "answer": 1, "ok": true, "text": "' + b"x" * 1001 + b'", "facts": null}',
            b'{"v": 2, "answer": 1, "ok": true, "text": "", "facts": null}',
        ],
    )
    def test_an_answer_that_makes_no_sense_is_an_error_of_the_stream(self, said: bytes) -> None:
        with pytest.raises(wire.WireError):
            wire.hear(said)

    def test_a_recording_holds_no_answers(self) -> None:
        with pytest.raises(wire.WireError, match="tables"):
            wire.decode(wire.encode_reply(Reply(3, Answer(True, ""))))


class TestDesk:
    """Whoever asks is answered, whatever becomes of the request."""

    @pytest.fixture
    def desk(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Parts, Any], Answer]], Desk]:
        """A desk at which inspecting a process is done by a function."""

        def made(handler: Callable[[Parts, Any], Answer], read_only: bool = False) -> Desk:
            monkeypatch.setattr(answers, "HANDLERS", {InspectProcess: handler, Signal: handler})
            return Desk(Parts(ProcFS(), lambda _: None), read_only)

        return made

    def test_a_slow_request_holds_up_neither_the_caller_nor_another(self, desk: Any) -> None:
        released = threading.Event()

        def handle(_: Parts, request: InspectProcess) -> Answer:
            if request.pid == 1:
                released.wait(5)
            return Answer(True, str(request.pid))

        made = desk(handle)
        made.take(1, InspectProcess(1, 1))
        made.take(2, InspectProcess(2, 1))
        assert until(made) == [Reply(2, Answer(True, "2"))]
        released.set()
        assert until(made) == [Reply(1, Answer(True, "1"))]
        made.close()

    @pytest.mark.parametrize(
        ("error", "text"),
        [
            (PermissionError(1, "Operation not permitted"), "Operation not permitted"),
            (ValueError("nonsense"), "ValueError: nonsense"),
            (NamespaceLost("cannot return"), "NamespaceLost: cannot return"),
        ],
    )
    def test_an_error_is_an_answer(self, desk: Any, error: BaseException, text: str) -> None:
        def fail(_: Parts, __: InspectProcess) -> Answer:
            raise error

        made = desk(fail)
        made.take(1, InspectProcess(1, 1))
        assert until(made) == [Reply(1, Answer(False, text))]
        made.close()

    def test_what_is_not_done_in_time_is_answered_as_that_and_the_rest_is_never_begun(
        self, desk: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(answers, "ANSWER_WITHIN", 0.2)
        released, begun = threading.Event(), []

        def handle(_: Parts, request: InspectProcess) -> Answer:
            begun.append(request.pid)
            released.wait(5)
            return Answer(True, "")

        made = desk(handle)
        for number in range(1, 7):
            made.take(number, InspectProcess(number, 1))
        replies: list[Reply] = []
        while len(replies) < 6:
            assert made.due < time.monotonic() + 1
            replies += until(made)
        assert {reply.answer.ok for reply in replies} == {False}
        assert "not done within" in replies[0].answer.text
        released.set()
        made.take(9, InspectProcess(9, 1))
        assert until(made) == [Reply(9, Answer(True, ""))], "what came late is not told, and the desk works again"
        assert begun == [1, 2, 3, 4, 9]
        made.close()

    def test_more_than_it_can_hold_is_refused(self, desk: Any) -> None:
        released = threading.Event()
        made = desk(lambda *_: Answer(released.wait(5), ""))
        for number in range(answers.WAITING + 1):
            made.take(number, InspectProcess(1, 1))
        assert until(made) == [Reply(answers.WAITING, Answer(False, "too many requests at once"))]
        released.set()
        made.close()

    def test_what_nobody_has_learnt_to_do_is_refused(self, desk: Any) -> None:
        made = desk(lambda *_: Answer(True, ""))
        made.take(1, InspectNamespace(1))
        assert made.replies() == [Reply(1, Answer(False, "this collector cannot do that"))]
        made.close()

    def test_a_read_only_collector_changes_nothing(self, desk: Any) -> None:
        made = desk(lambda *_: pytest.fail("it was done"), read_only=True)
        made.take(1, Signal(42, 1, 15, True))
        assert made.replies() == [Reply(1, Answer(False, "this nettop is read-only"))]
        made.close()


def until(desk: Desk) -> list[Reply]:
    """The next replies of a desk; fails after five seconds without one."""
    deadline = time.monotonic() + 5
    while not (replies := desk.replies()):
        assert time.monotonic() < deadline, "no reply"
        time.sleep(0.002)
    return replies
