"""A recording shows at each time what the screen showed then, whatever happened to it or to the machine."""

from __future__ import annotations

import collections
import functools
import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nettop.model import Delta
from nettop.recording import recorder
from nettop.recording.frames import OPENING, Kind, RecordingError
from nettop.recording.player import Player
from nettop.recording.reader import Reader
from nettop.recording.writer import NO_LIMITS, Limits, Writer
from tests.support import taping
from tests.support.streams import Machine, streams


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "night.rec"


def record(path: Path, ticks: int, limits: Limits = NO_LIMITS) -> list[dict[str, list[str]]]:
    """What the plain views print of a busy machine, tick by tick, which is recorded."""
    return [taping.printed(picture) for picture in taping.tape(path, taping.busy(ticks), limits)]


class TestShowing:
    def test_every_tick_is_shown_as_it_was(self, path: Path) -> None:
        live = record(path, 200)
        player = taping.opened(path)
        assert [taping.printed(taping.seek(player, tick)) for tick in taping.every_tick(player)] == live

    def test_every_tick_is_shown_as_it_was_from_wherever_one_comes(self, path: Path) -> None:
        live = [taping.printed(picture) for picture in taping.tape(path, taping.busy(200, counting=True))]
        player = taping.opened(path)
        places = list(enumerate(taping.every_tick(player)))
        random.Random(1).shuffle(places)
        for number, tick in places:
            assert taping.printed(taping.seek(player, tick)) == live[number]

    @given(streams(longest=12), st.integers(1, 4))
    @settings(max_examples=60, deadline=None)
    def test_whatever_happens(self, deltas: list[Delta], every: int) -> None:
        """Also where key frames stand close together, and streams begin anew."""
        with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
            patch.setattr(recorder, "EVERY", float(every))
            path = Path(place, "a.rec")
            live = [taping.printed(picture) for picture in taping.tape(path, deltas)]
            player = taping.opened(path)
            ticks = taping.every_tick(player)
            assert len(ticks) == len(live)
            for number in (len(ticks) - 1, 0, len(ticks) // 2):
                assert taping.printed(taping.seek(player, ticks[number])) == live[number]

    def test_who_held_a_socket_last_is_known_behind_a_key_frame(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also when that process is not listed any more."""
        monkeypatch.setattr(recorder, "EVERY", 5.0)
        machine = Machine()
        process = machine.start_process(10, comm="curl", unit="cron.service")
        machine.start_process(11)
        socket = machine.open_socket(1, machine.held(process))

        def stream() -> Iterator[Delta]:
            yield machine.tell(key=True)
            machine.set("stats", socket, state="TIME-WAIT")
            machine.tables["owners"][socket] = machine.tables["owners"][socket]._replace(by="gone")
            yield machine.tell()
            machine.remove("processes", process)
            for _ in range(30):
                yield machine.tell()

        live = [taping.printed(picture) for picture in taping.tape(path, stream())]
        assert '"comm":"curl"' in live[-1]["connections"][0]
        assert not [row for row in live[-1]["processes"] if "curl" in row]
        player = taping.opened(path)
        for number, tick in reversed(list(enumerate(taping.every_tick(player)))):
            assert taping.printed(taping.seek(player, tick)) == live[number]

    def test_the_events_of_a_picture_are_those_of_its_last_minute(self, path: Path) -> None:
        record(path, 200)
        player = taping.opened(path)
        picture = taping.seek(player, player.ticks.last)
        assert picture.events_total == 200
        assert list(picture.events) == list(range(min(picture.events), 200))
        assert len(picture.events) >= 12

    def test_histories_end_where_one_looks(self, path: Path) -> None:
        record(path, 30)
        player = taping.opened(path)
        picture = taping.seek(player, player.ticks.last)
        busy = next(row.id for row in picture.connections.values() if player.history("connections", row.id))
        assert player.history("connections", busy)[-1].time == picture.time
        back = taping.seek(player, player.ticks.move(player.ticks.last, -5))
        assert all(sample.time <= back.time for sample in player.history("connections", busy))


class TestTicks:
    def test_a_time_finds_the_tick_that_was_shown_then(self, path: Path) -> None:
        record(path, 150)
        ticks = taping.opened(path).ticks
        first, last = ticks.time(ticks.first), ticks.time(ticks.last)
        assert last - first == 149
        for second in (0.0, 0.5, 59.0, 60.0, 61.0, 99.9, 149.0):
            assert ticks.time(ticks.at(first + second)) == first + int(second)
        assert ticks.at(first - 100) == ticks.first
        assert ticks.at(last + 100) == ticks.last

    def test_steps_lead_there_and_back(self, path: Path) -> None:
        record(path, 150)
        ticks = taping.opened(path).ticks
        tick = ticks.first
        for steps in (1, 70, 3, -60, 100, -149):
            there = ticks.move(tick, steps)
            assert ticks.time(there) == max(
                ticks.time(ticks.first), min(ticks.time(ticks.last), ticks.time(tick) + steps)
            )
            tick = there
        assert ticks.move(ticks.last, 1) == ticks.last
        assert ticks.move(ticks.first, -1) == ticks.first

    def test_events_of_a_kind_are_found_without_looking_at_pictures(self, path: Path) -> None:
        record(path, 150)
        ticks = taping.opened(path).ticks
        start = ticks.time(ticks.first)
        found = [ticks.time(tick) - start for tick in ticks.with_event(ticks.first, "exit") if tick]
        assert found == list(range(10, 150, 10))

    def test_a_file_without_ticks_says_so(self, path: Path) -> None:
        Writer(path).close()
        with pytest.raises(RecordingError, match="nothing is recorded"):
            _ = taping.opened(path).ticks.first


class TestGoingOn:
    def test_a_second_recording_goes_behind_the_first(self, path: Path) -> None:
        live = record(path, 70) + record(path, 70)
        player = taping.opened(path)
        assert [taping.printed(taping.seek(player, tick)) for tick in taping.every_tick(player)] == live

    def test_two_cannot_record_into_one_file(self, path: Path) -> None:
        writer = Writer(path)
        with pytest.raises(RecordingError, match="another nettop"):
            Writer(path)
        writer.close()

    def test_nobody_else_may_read_it(self, path: Path) -> None:
        record(path, 1)
        assert path.stat().st_mode & 0o777 == 0o600

    def test_something_else_is_not_written_into(self, path: Path) -> None:
        path.write_text("my thesis")
        with pytest.raises(RecordingError, match="no recording"):
            Writer(path)
        assert path.read_text() == "my thesis"

    def test_a_reader_sees_what_is_written_meanwhile(self, path: Path) -> None:
        pictures = taping.tape(path, taping.busy(100))
        live = [taping.printed(next(pictures)) for _ in range(20)]
        player = taping.opened(path)
        taping.seek(player, player.ticks.last)
        for picture in pictures:
            live.append(taping.printed(picture))
            player.refresh()
            assert taping.printed(taping.seek(player, player.ticks.last)) == live[-1]
        assert [taping.printed(taping.seek(player, tick)) for tick in taping.every_tick(player)] == live


class TestLimits:
    def test_a_size_is_never_exceeded_and_the_newest_stays(self, path: Path) -> None:
        limit, times = 60_000, []
        for picture in taping.tape(path, taping.busy(900), Limits(size=limit)):
            times.append(picture.time)
            assert path.stat().st_size <= limit
        ticks = taping.opened(path).ticks
        kept = [ticks.time(tick) for tick in taping.every_tick(taping.opened(path))]
        assert kept == times[-len(kept) :]
        assert len(kept) < len(times)
        assert path.stat().st_size > limit / 2

    def test_an_age_is_never_exceeded_by_more_than_a_segment(self, path: Path) -> None:
        times = [picture.time for picture in taping.tape(path, taping.busy(900), Limits(age=300))]
        ticks = taping.opened(path).ticks
        kept = [ticks.time(tick) for tick in taping.every_tick(taping.opened(path))]
        assert kept == times[-len(kept) :]
        assert 250 <= len(kept) <= 300 + recorder.EVERY + 1

    def test_what_lost_its_beginning_is_shown_as_it_was(self, path: Path) -> None:
        live = record(path, 400, Limits(age=100))
        player = taping.opened(path)
        shown = [taping.printed(taping.seek(player, tick)) for tick in taping.every_tick(player)]
        assert shown == live[-len(shown) :]

    def test_nothing_is_left_beside_it(self, path: Path) -> None:
        collections.deque(taping.tape(path, taping.busy(900), Limits(size=60_000)), maxlen=0)
        assert os.listdir(path.parent) == [path.name]


@functools.cache
def _minutes() -> tuple[bytes, dict[float, dict[str, list[str]]]]:
    """Five minutes, and what was printed when."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.rec")
        live = {picture.time: taping.printed(picture) for picture in taping.tape(path, taping.busy(300))}
        return path.read_bytes(), live


class TestDamage:
    """Whatever can be read is read, and it is said that something could not be."""

    def test_cut_short_at_every_byte_all_before_can_be_read(self, path: Path) -> None:
        live = record(path, 4)
        data = path.read_bytes()
        for size in range(len(OPENING), len(data)):
            path.write_bytes(data[:size])
            reader = Reader.open(path)
            player = Player(reader)
            if reader.segments:
                shown = [taping.printed(taping.seek(player, tick)) for tick in taping.every_tick(player)]
                assert shown == live[: len(shown)]
            assert not reader.damage
            reader.close()

    def test_recording_goes_on_where_it_was_cut_short(self, path: Path) -> None:
        live = record(path, 70)
        data = path.read_bytes()
        path.write_bytes(data[:-5])
        again = record(path, 3)
        player = taping.opened(path)
        shown = [taping.printed(taping.seek(player, tick)) for tick in taping.every_tick(player)]
        assert shown == live[:-1] + again

    @given(data=st.data())
    @settings(max_examples=60, deadline=None)
    def test_overwritten_anywhere_the_other_minutes_can_be_read(self, data: st.DataObject) -> None:
        sound, live = _minutes()
        rubbish = data.draw(st.binary(min_size=1, max_size=40))
        at = data.draw(st.integers(len(OPENING), len(sound) - len(rubbish)))
        damaged = sound[:at] + rubbish + sound[at + len(rubbish) :]
        with tempfile.NamedTemporaryFile() as file:
            file.write(damaged)
            file.flush()
            reader = Reader.open(Path(file.name))
            player = Player(reader)
            ticks, start = player.ticks, min(live)
            shown = {}
            for second in range(0, 300, 10):
                try:
                    picture = taping.seek(player, ticks.at(start + second))
                except RecordingError:
                    continue
                shown[picture.time] = taping.printed(picture)
            assert all(live[time] == text for time, text in shown.items())
            assert (
                len(shown) >= 30 - 8
            )  # of five minutes one is lost, and of the next the pictures are the nearest ones
            assert len(shown) == 30 or reader.damage
            reader.close()

    @given(st.binary(max_size=300))
    def test_anything_behind_the_opening_is_read_without_a_crash(self, rubbish: bytes) -> None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(OPENING + rubbish)
            file.flush()
            reader = Reader.open(Path(file.name))
            with pytest.raises(RecordingError):
                _ = Player(reader).ticks.first
            reader.close()

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "no recording"),
            (b"SQLite format 3\0", "no recording"),
            (b"nettop recording 2\n", "version 2, and this nettop reads version 1"),
            (b"nettop recording 99999999999999\n", "version 9999999999"),
            (b"nettop recording x\n", "no recording"),
        ],
    )
    def test_what_is_none_or_newer_is_refused_in_one_line(self, path: Path, content: bytes, words: str) -> None:
        path.write_bytes(content)
        with pytest.raises(RecordingError, match=words) as raised:
            Reader.open(path)
        assert "\n" not in str(raised.value)


class TestFullDisk:
    def test_recording_goes_on_when_there_is_room_again(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(recorder, "_RETRY", 0.0)
        full = False

        def write(fd: int, data: bytes, offset: int) -> int:
            if full:
                os.ftruncate(fd, offset + 3)  # a part of it found room
                raise OSError(28, "No space left on device")
            return os_pwrite(fd, data, offset)

        os_pwrite = os.pwrite
        monkeypatch.setattr(os, "pwrite", write)
        live = []
        for number, picture in enumerate(taping.tape(path, taping.busy(120))):
            full = 49 <= number < 79
            live.append(taping.printed(picture))
        player = taping.opened(path)
        kinds = [segment.kind for segment in Reader.open(path).segments]
        assert Kind.RESUME in kinds
        shown = [taping.printed(taping.seek(player, tick)) for tick in taping.every_tick(player)]
        assert shown == live[:50] + live[80:]


class TestKilled:
    def test_whenever_it_is_killed_all_but_the_last_tick_can_be_read(self, path: Path) -> None:
        """200 times at a random moment, into the same file."""
        chance, whole = random.Random(7), 0
        for _ in range(200):
            read, write = os.pipe()
            child = os.fork()
            if not child:
                try:
                    for picture in taping.tape(path, taping.busy(5000)):
                        os.write(write, b"%d " % picture.sequence)
                finally:
                    os._exit(1)
            os.close(write)
            os.read(read, 1)  # it has begun
            time.sleep(chance.random() * 0.03)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            said = b""
            while more := os.read(read, 1 << 16):
                said += more
            os.close(read)
            ticks = len(taping.every_tick(taping.opened(path))) - whole
            assert int((said.split() or [b"0"])[-1]) <= ticks
            whole += ticks
        reader = Reader.open(path)
        assert not reader.damage
        assert len(reader.segments) >= 200
