"""What this process is allowed: bytes of /proc as kernels write them, and what follows from them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop.kernel import privileges
from nettop.kernel.privileges import SEEING, HidePid

ALL = 0x1FFFFFFFFFF
STATUS = b"Name:\tnettop\nUmask:\t0022\nCapPrm:\t0000000000000000\nCapEff:\t%016x\nCapBnd:\t000001ffffffffff\n"
MOUNTS = b"""22 26 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw
23 26 0:21 / /proc rw,nosuid,nodev shared:13 - proc proc rw%b
24 26 0:22 / /proc/sys rw - proc proc rw,hidepid=1
"""


def test_effective_capabilities_are_the_bits_of_their_line() -> None:
    assert privileges.parse_effective(STATUS % ALL) == ALL
    assert privileges.parse_effective(b"Name:\tnettop\n") == 0


def test_missing_are_those_whose_bit_is_not_set() -> None:
    assert privileges.missing(SEEING, ALL) == []
    assert privileges.missing(SEEING, 0) == list(SEEING)
    assert [each.name for each in privileges.missing(SEEING, ALL & ~(1 << 12))] == ["CAP_NET_ADMIN"]


def test_who_may_override_file_permissions_may_read_every_directory() -> None:
    assert privileges.missing(SEEING, ALL & ~(1 << 2)) == []
    assert [each.name for each in privileges.missing(SEEING, ALL & ~0b110)] == ["CAP_DAC_READ_SEARCH"]


def test_what_is_missing_is_said_in_one_sentence() -> None:
    ptrace, _, admin, _ = SEEING
    said = privileges.describe_missing([ptrace, admin])
    assert said.startswith("without CAP_SYS_PTRACE and CAP_SYS_ADMIN: no ")
    assert said.endswith(", no way into other network namespaces")
    assert privileges.describe_missing([admin]) == "without CAP_SYS_ADMIN: no way into other network namespaces"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (b"", HidePid("off", None)),
        (b",hidepid=2", HidePid("invisible", None)),
        (b",gid=27,hidepid=invisible", HidePid("invisible", 27)),
        (b",hidepid=noaccess", HidePid("noaccess", None)),
        (b",hidepid=4", HidePid("ptraceable", None)),
    ],
)
def test_hidepid_is_an_option_of_the_mount(options: bytes, expected: HidePid) -> None:
    assert privileges.parse_hidepid(MOUNTS % options, "/proc") == expected


def test_of_several_mounts_at_a_place_the_last_one_counts() -> None:
    stacked = MOUNTS % b",hidepid=2" + b"65 23 0:40 / /proc rw - proc proc rw\n"
    assert privileges.parse_hidepid(stacked, "/proc").mode == "off"


@pytest.mark.parametrize(
    ("option", "bits", "groups", "hidden"),
    [
        (HidePid("off", None), 0, [1000], False),
        (HidePid("invisible", None), 0, [1000], True),
        (HidePid("invisible", None), 0, [0], False),
        (HidePid("invisible", 27), 0, [1000, 27], False),
        (HidePid("ptraceable", 27), 0, [27], True),
        (HidePid("invisible", None), 1 << 19, [1000], False),
    ],
)
def test_it_hides_nothing_from_its_group_and_from_who_may_trace(
    option: HidePid, bits: int, groups: list[int], hidden: bool
) -> None:
    assert privileges.hides(option, bits, groups) is hidden


@pytest.mark.parametrize(
    ("release", "version"),
    [("6.18.44", (6, 18)), ("5.10.0-28-amd64", (5, 10)), ("6.1-rc3", (6, 1)), ("4.9", (4, 9)), ("odd", (0, 0))],
)
def test_the_version_of_a_kernel_is_its_first_two_numbers(release: str, version: tuple[int, int]) -> None:
    assert privileges.kernel_version(release) == version


@given(st.binary())
def test_nothing_that_is_read_makes_it_stumble(data: bytes) -> None:
    privileges.parse_hidepid(data, "/proc")


@given(st.text())
def test_no_release_makes_it_stumble(release: str) -> None:
    privileges.kernel_version(release)
