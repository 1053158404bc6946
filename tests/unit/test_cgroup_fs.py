"""Where cgroups are mounted, what their ids are, and what the OOM killer did."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop.kernel.cgroup_fs import (
    CgroupMounts,
    FrozenReader,
    cgroup_id,
    parse_frozen,
    parse_mounts,
    parse_oom_kills,
    read_mounts,
    read_oom_kills,
    walk,
)

HYBRID = b"""35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
UNIFIED = b"30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
SPACE = b"30 23 0:26 / /mnt/my\\040cgroup rw - cgroup2 none rw\n"


@pytest.mark.parametrize(
    ("data", "mounts"),
    [
        (HYBRID, CgroupMounts("/sys/fs/cgroup/unified", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/freezer")),
        (UNIFIED, CgroupMounts("/sys/fs/cgroup", None, None)),
        (SPACE, CgroupMounts("/mnt/my cgroup", None, None)),
        (b"", CgroupMounts(None, None, None)),
    ],
)
def test_version_one_version_two_or_both(data: bytes, mounts: CgroupMounts) -> None:
    assert parse_mounts(data) == mounts


@given(st.binary())
def test_any_mount_table_is_read(data: bytes) -> None:
    assert isinstance(parse_mounts(data), CgroupMounts)


@pytest.mark.parametrize(
    ("data", "kills"),
    [
        (b"low 0\nhigh 0\nmax 4\noom 2\noom_kill 1\noom_group_kill 0\n", 1),  # memory.events
        (b"oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", 3),  # memory.oom_control
        (b"oom_kill_disable 0\nunder_oom 0\n", None),  # before Linux 4.13
        (b"oom_kill x\n", None),
    ],
)
def test_processes_ended_for_want_of_memory_are_counted_by_either_version(data: bytes, kills: int | None) -> None:
    assert parse_oom_kills(data) == kills


@pytest.mark.parametrize(
    ("data", "frozen"),
    [
        (b"populated 1\nfrozen 1\n", True),  # cgroup.events
        (b"populated 1\nfrozen 0\n", False),
        (b"FROZEN\n", True),  # freezer.state
        (b"FREEZING\n", False),
        (b"THAWED\n", False),
        (b"", False),
    ],
)
def test_a_paused_container_is_frozen_in_either_version(data: bytes, frozen: bool) -> None:
    assert parse_frozen(data) == frozen


def test_what_is_gone_is_not_frozen(tmp_path: Path) -> None:
    (tmp_path / "box").mkdir()
    (tmp_path / "box/cgroup.events").write_text("populated 1\nfrozen 1\n")
    with contextlib.closing(FrozenReader(CgroupMounts(str(tmp_path), None, None))) as reader:
        assert reader.read("/box")
        assert not reader.read("/gone")


def test_of_any_number_of_cgroups_some_files_stay_open_and_none_when_it_is_closed(tmp_path: Path) -> None:
    for name in "abcd":
        (tmp_path / name).mkdir()
        (tmp_path / name / "freezer.state").write_text("FROZEN\n" if name > "a" else "THAWED\n")
    before = len(os.listdir("/proc/self/fd"))
    reader = FrozenReader(CgroupMounts(None, None, str(tmp_path)), keep=2)
    for _ in range(2):
        assert [reader.read(f"/{name}") for name in "abcd"] == [False, True, True, True]
        assert len(os.listdir("/proc/self/fd")) == before + 2
    (tmp_path / "a/freezer.state").write_text("FROZEN\n")
    assert reader.read("/a")
    reader.forget("/a")
    reader.close()
    assert len(os.listdir("/proc/self/fd")) == before


@given(st.binary())
def test_any_bytes_are_frozen_or_not(data: bytes) -> None:
    assert parse_frozen(data) in (True, False)


def test_the_version_that_has_the_memory_controller_is_asked(tmp_path: Path) -> None:
    (tmp_path / "v2/box").mkdir(parents=True)
    (tmp_path / "v1/box").mkdir(parents=True)
    (tmp_path / "v1/box/memory.oom_control").write_text("oom_kill 5\n")
    mounts = CgroupMounts(str(tmp_path / "v2"), str(tmp_path / "v1"), None)
    assert read_oom_kills(mounts, "/box") == 5
    assert read_oom_kills(mounts, "/gone") is None


def test_an_id_leads_to_its_path_and_back(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    mounts = CgroupMounts(str(tmp_path), None, None)
    known = cgroup_id(mounts, "/a/b")
    assert known is not None
    assert walk(mounts)[known] == "/a/b"
    assert cgroup_id(mounts, "/gone") is None
    assert walk(CgroupMounts(None, None, None)) == {}


def test_this_machine_has_cgroups_or_none() -> None:
    mounts = read_mounts()
    assert mounts.unified is None or Path(mounts.unified).is_dir()
