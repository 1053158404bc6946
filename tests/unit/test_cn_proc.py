"""The decoder of process events: what the kernel sent is told in words, and no bytes make it raise."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop.kernel.cn_proc import ProcEvent, describe_exit, parse_ack, parse_events
from nettop.model import EVENT_KINDS

# Received on Linux 6.18 x86-64: a request with ack number 1670114620, then a child that starts a thread, calls setsid,
# renames itself, becomes gid 7 and uid 1000/1001, execs `sh -c 'exit 3'`; one that aborts; one that is traced.
TOKEN = 1670114620
RECORDED = {
    "ack": "4c00000003000000df0f0200000000000100000001000000df0f02003ded8b63280000000000000000000000d7bc60f2eb010000"
    "000000000000000000000000000000000000000000000000",
    "fork": "4c00000003000000e00f0200000000000100000001000000e00f020000000000280000000100000000000000664e65f5eb010000"
    "775600007756000078560000785600000000000000000000",
    "thread fork": "4c00000003000000e10f0200000000000100000001000000e10f020000000000280000000100000000000000be8d7df5"
    "eb010000775600007756000079560000785600000000000000000000",
    "thread exit": "4c00000003000000e20f0200000000000100000001000000e20f020000000000280000000000008000000000627d80f5"
    "eb010000795600007856000000000000ffffffff0000000000000000",
    "sid": "4c00000003000000e30f0200000000000100000001000000e30f020000000000280000008000000000000000d2eb80f5eb010000"
    "785600007856000000000000000000000000000000000000",
    "comm": "4c00000003000000e40f0200000000000100000001000000e40f02000000000028000000000200000000000"
    "01f8f82f5eb010000785600007856000072656e616d656420ff29000000000000",
    "gid": "4c00000003000000e50f0200000000000100000001000000e50f020000000000280000004000000000000000b5dc82f5eb010000"
    "785600007856000007000000070000000000000000000000",
    "uid": "4c00000003000000e60f0200000000000100000001000000e60f020000000000280000000400000000000000261e83f5eb010000"
    "7856000078560000e8030000e90300000000000000000000",
    "exec": "4c00000003000000e80f0200000000000100000001000000e80f020000000000280000000200000000000000362d93f5eb010000"
    "785600007856000000000000000000000000000000000000",
    "exit": "4c00000003000000ea0f0200000000000100000001000000ea0f02000000000028000000000000800000000039fd9ff5eb010000"
    "785600007856000000030000110000007756000077560000",
    "coredump": "4c00000003000000ec0f0200000000000100000001000000ec0f0200000000002800000000000040000000001e73c4f5"
    "eb0100007a5600007a56000077560000775600000000000000000000",
    "abort": "4c00000003000000ed0f0200000000000100000001000000ed0f020000000000280000000000008000000000dd3bc9f5eb010000"
    "7a5600007a56000006000000110000007756000077560000",
    "attach": "4c00000003000000ef0f0200000000000100000001000000ef0f02000000000028000000000100000000000064c7cef5eb010000"
    "7b5600007b56000077560000775600000000000000000000",
    "detach": "4c00000003000000f00f0200000000000100000001000000f00f020000000000280000000001000000000000d66fcff5eb010000"
    "7b5600007b56000000000000000000000000000000000000",
}
DATAGRAMS = {name: bytes.fromhex(text) for name, text in RECORDED.items()}

EXPECTED = [
    ("fork", 22136, 22135, None, ""),
    ("sid", 22136, None, None, ""),
    ("comm", 22136, None, None, "renamed \ufffd)"),
    ("gid", 22136, None, None, "rgid 7 egid 7"),
    ("uid", 22136, None, None, "ruid 1000 euid 1001"),
    ("exec", 22136, None, None, ""),
    ("exit", 22136, 22135, 768, "code 3"),
    ("coredump", 22138, 22135, None, ""),
    ("exit", 22138, 22135, 6, "signal 6 SIGABRT"),
    ("ptrace", 22139, None, None, "tracer 22135"),
    ("ptrace", 22139, None, None, "detached"),
]


def test_recorded_datagrams_decode_to_what_the_processes_did() -> None:
    events = parse_events(b"".join(DATAGRAMS.values()), 0.0)
    assert [(e.kind, e.pid, e.ppid, e.code, e.detail) for e in events] == EXPECTED
    assert all(e.tid == e.pid and e.kind in EVENT_KINDS for e in events)


def test_times_are_monotonic_nanoseconds_moved_to_the_epoch() -> None:
    (event,) = parse_events(DATAGRAMS["fork"], 1_700_000_000.0)
    assert event.time == pytest.approx(1_700_000_000.0 + 2112.945999462, abs=1e-6)


def test_threads_coming_and_going_are_not_processes() -> None:
    assert parse_events(DATAGRAMS["thread fork"] + DATAGRAMS["thread exit"], 0.0) == []


def test_a_thread_that_renames_itself_is_told_by_its_tid() -> None:
    data = bytearray(DATAGRAMS["comm"])
    struct.pack_into("=I", data, 52, 99)
    (event,) = parse_events(bytes(data), 0.0)
    assert (event.tid, event.pid) == (99, 22136)


def shortened(data: bytes, size: int) -> bytes:
    """The same event as an older kernel, with a smaller union, would send it."""
    return struct.pack("=I", size) + data[4:size]


def test_an_exit_without_parent_fields_has_no_parent() -> None:
    (event,) = parse_events(shortened(DATAGRAMS["exit"], 68), 0.0)
    assert event == ProcEvent("exit", event.time, 22136, 22136, None, 768, "code 3")


def test_an_exit_with_empty_parent_fields_has_no_parent() -> None:
    (event,) = parse_events(DATAGRAMS["exit"][:-8] + bytes(8), 0.0)
    assert event.ppid is None


def test_what_comes_before_a_cut_is_kept() -> None:
    assert len(parse_events(DATAGRAMS["fork"] + DATAGRAMS["exec"][:-1], 0.0)) == 1


def test_messages_of_other_connectors_are_passed_over() -> None:
    other = bytearray(DATAGRAMS["fork"])
    struct.pack_into("=I", other, 16, 7)
    assert [e.kind for e in parse_events(bytes(other) + DATAGRAMS["exec"], 0.0)] == ["exec"]


@given(st.binary(max_size=400))
def test_no_bytes_make_the_decoder_raise(data: bytes) -> None:
    parse_events(data, 0.0)
    parse_ack(data, 0)


@given(st.sampled_from(sorted(DATAGRAMS)), st.integers(0, 75), st.binary(min_size=1, max_size=16))
def test_no_damage_to_a_real_datagram_makes_the_decoder_raise(name: str, at: int, damage: bytes) -> None:
    data = DATAGRAMS[name]
    damaged = (data[:at] + damage + data[at + len(damage) :])[: len(data)]
    for event in parse_events(damaged + data, 0.0):
        assert event.kind in EVENT_KINDS


def test_only_the_answer_to_our_own_request_is_an_acknowledgement() -> None:
    assert parse_ack(DATAGRAMS["fork"] + DATAGRAMS["ack"], TOKEN) == 0
    assert parse_ack(DATAGRAMS["ack"], TOKEN + 1) is None
    assert parse_ack(DATAGRAMS["fork"], TOKEN) is None


def test_a_refusal_in_the_acknowledgement_is_an_errno() -> None:
    refused = bytearray(DATAGRAMS["ack"])
    struct.pack_into("=I", refused, 52, 22)
    assert parse_ack(bytes(refused), TOKEN) == 22


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "code 0"),
        (256, "code 1"),
        (255 << 8, "code 255"),
        (9, "signal 9 SIGKILL"),
        (11 | 0x80, "signal 11 SIGSEGV, core dumped"),
        (36, "signal 36 SIGRTMIN+2"),
        (127, "signal 127"),
        (0xFFFFFFFF, "signal 127, core dumped"),
    ],
)
def test_exit_statuses_are_told_in_words(status: int, words: str) -> None:
    assert describe_exit(status) == words
