"""The settings: what they may be, what is said where they are wrong, where they are found, what a session leaves."""

from __future__ import annotations

import dataclasses
import os
import pwd
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettop.config import DEFAULTS, MAX_SIZE, THEMES, Config, ConfigError, parse_config, understand
from nettop.config.files import config_path, load_config, load_session, save_session, session_path
from nettop.config.session import Session, format_session, parse_session
from nettop.config.template import default_text
from nettop.fields import VIEWS

NAME = "/etc/nettop.toml"


def parsed(text: str) -> Config:
    return parse_config(text.encode(), NAME)


def complaint(text: str | bytes) -> str:
    """What is said of a wrong file, in one line, behind its name and the place in it."""
    with pytest.raises(ConfigError) as raised:
        parse_config(text.encode() if isinstance(text, str) else text, NAME)
    said = str(raised.value)
    assert said.isprintable(), "one line, nothing for the terminal to interpret"
    assert len(said) < 400
    found = re.fullmatch(rf"{NAME}(?:, (?:line \d+(?:, column \d+)?|end of document))?: (.*)", said)
    assert found, said
    return found[1]


class TestSettings:
    def test_an_empty_file_changes_nothing(self) -> None:
        assert parsed("") == DEFAULTS

    @pytest.mark.parametrize(
        ("text", "name", "value"),
        [
            ("interval = 2", "interval", 2.0),
            ("interval = 0.1", "interval", 0.1),
            ('theme = "light"', "theme", "light"),
            ('unicode = "no"', "unicode", "no"),
            ('mouse = "yes"', "mouse", "yes"),
            ('pane = "connections"', "pane", "connections"),
            ("names = true", "names", True),
            ("read_only = true", "read_only", True),
            ("remember = true", "remember", True),
            ('columns.processes = ["pid", "comm", "pid"]', "columns", {"processes": ("pid", "comm")}),
            ('sort.connections = "-rtt"', "sort", {"connections": "-rtt"}),
            ("[filters]\n\"not mine\" = '!user:root'", "filters", {"not mine": "!user:root"}),
            (
                'runtimes.docker = "/run/user/1000/docker.sock"\nruntimes.crio = ["/a", "/b*"]',
                "runtimes",
                {"docker": ("/run/user/1000/docker.sock",), "crio": ("/a", "/b*")},
            ),
            ('keys.freeze = "F7"\nkeys.up = ["u", "Up"]', "keys", {"freeze": ("F7",), "up": ("u", "Up")}),
        ],
    )
    def test_each_is_taken(self, text: str, name: str, value: Any) -> None:
        assert parsed(text) == dataclasses.replace(DEFAULTS, **{name: value})

    def test_a_saved_filter_need_only_fit_one_view(self) -> None:
        assert parsed('filters.slow = "rtt>50ms"').filters == {"slow": "rtt>50ms"}
        assert parsed('filters.big = "rss>1G"').filters == {"big": "rss>1G"}

    def test_nothing_can_be_changed_afterwards(self) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            DEFAULTS.interval = 2.0  # type: ignore[misc]


class TestComplaints:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("intervall = 2", "there is no setting 'intervall'; did you mean interval?"),
            ("zzz = 2", "there is no setting 'zzz'; `nettop config` lists the settings"),
            ("interval = 0", "interval: write a number from 0.1 to 3600"),
            ("interval = nan", "interval: write a number from 0.1 to 3600"),
            ('interval = "fast"', "interval: write a number from 0.1 to 3600"),
            ("interval = true", "interval: write a number from 0.1 to 3600"),
            ('theme = "lihgt"', "theme: did you mean light?"),
            ("theme = 3", f"theme: write one of {', '.join(THEMES)}"),
            ('names = "yes"', "names: write true or false"),
            ('pane = "sockets"', f"pane: write one of {', '.join(VIEWS)}"),
            ("columns = 3", "columns: write a table"),
            ('columns.conections = ["pid"]', "columns: no view is called 'conections'; did you mean connections?"),
            ('columns.processes = ["pdi"]', "columns: 'processes': processes has no field 'pdi'; did you mean pid?"),
            ("columns.processes = []", 'columns: \'processes\': write a list of texts, ["...", "..."]'),
            ("columns.processes = [3]", 'columns: \'processes\': write a list of texts, ["...", "..."]'),
            ('sort.processes = "-rtt"', "sort: 'processes': processes has no field 'rtt'; "),
            ("sort.processes = 3", "sort: 'processes': write a text in quotation marks, \"...\""),
            ('filters.a = "rate>fast"', "filters: 'a': column 6: "),
            ('filters."" = "nginx"', "filters: '': a name has 1 to 40 characters that can be printed"),
            ('runtimes.dokcer = "/a"', "runtimes: no runtime is called 'dokcer'; did you mean docker?"),
            ('runtimes.docker = "docker.sock"', "runtimes: 'docker': write paths that begin with / and"),
            (f'runtimes.docker = "/{"a" * 255}"', "runtimes: 'docker': write paths that begin with / and"),
            ("runtimes.docker = " + str(["/a"] * 17), "runtimes: 'docker': has more than 16 places; leave some out"),
            ("keys.up = 3", 'keys: \'up\': write a list of texts, ["...", "..."]'),
            ("interval = ", "Invalid value; `nettop config` shows how it is written"),
        ],
    )
    def test_it_names_what_is_wrong_and_what_to_write(self, text: str, said: str) -> None:
        assert complaint(text).startswith(said)

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ("a = 1\nb = = 2", ", line 2, column 5"),
            ("interval = ", ", end of document"),
            ("names = true\n\n  interval = 0", ", line 3"),
            ("# interval\nfilters.interval = 'x'\n\"interval\" = 0", ", line 3"),
            ("names = true\n[columns]\nprocesses = 3", ", line 2"),
            ("names = true\nkeys.up = 3", ", line 2"),
            ('"inter\\u0076al" = 0', ""),
        ],
    )
    def test_it_names_the_place(self, text: str, place: str) -> None:
        with pytest.raises(ConfigError) as raised:
            parsed(text)
        assert str(raised.value).startswith(f"{NAME}{place}: ")

    def test_what_can_be_understood_counts_beside_what_cannot(self) -> None:
        config, error = understand(b"read_only = true\ninterval = 0\nzzz = 1\nnames = true", NAME)
        assert config == dataclasses.replace(DEFAULTS, read_only=True, names=True)
        assert str(error) == f"{NAME}, line 2: interval: write a number from 0.1 to 3600"

    def test_of_what_is_no_toml_nothing_counts(self) -> None:
        config, error = understand(b"read_only = true\ninterval = = 0", NAME)
        assert config == DEFAULTS
        assert "line 2, column 12" in str(error)

    def test_a_file_that_is_too_large_is_not_looked_into(self) -> None:
        assert complaint(b"#" * (MAX_SIZE + 1)) == "more than 64 KiB; settings need far less, is it the right file?"

    def test_bytes_that_are_no_text_are_pointed_at(self) -> None:
        assert complaint(b"# caf\xe9") == "byte 5 is not UTF-8; save it as UTF-8"

    @pytest.mark.parametrize(
        "text",
        [
            "a = " + "[\n" * 30_000,
            "a = " + "{b=" * 2_000,
            "a = " + "9" * 8_000,
            ("a." * 4_000 + "b = 1\n") * 8,
            "a." * 30_000 + "b = 1",
            '"' + "\\u202e" * 5_000 + '" = 1',
            "columns.'\\u001b[31m' = []",
            'filters."' + "n" * 60_000 + '" = "x"',
            'columns.processes = ["' + "\\u0007" * 9_000 + '"]',
            "[filters]\n" + "\n".join(f'f{n} = "x"' for n in range(101)),
        ],
        ids=["lists", "tables", "digits", "dots", "line", "bidi", "escape", "long", "bell", "many"],
    )
    def test_a_hostile_file_is_refused_in_one_harmless_line(self, text: str) -> None:
        complaint(text)

    @given(st.binary(max_size=300))
    def test_any_bytes_are_settings_or_a_complaint(self, data: bytes) -> None:
        try:
            parse_config(data, NAME)
        except ConfigError as error:
            said = str(error)
        else:
            said = ""
        assert said.isprintable()


COMMANDS = [("freeze", "Z", "freeze the picture"), ("quit", 'q " \\', "quit")]


class TestDefaultText:
    text = default_text(Path("/home/u/.config/nettop/config.toml"), COMMANDS)

    def test_as_printed_it_changes_nothing(self) -> None:
        assert parsed(self.text) == DEFAULTS

    def test_without_the_signs_before_them_all_settings_are_the_defaults(self) -> None:
        config = parsed(re.sub(r"^#(?! )", "", self.text, flags=re.MULTILINE))
        for field in dataclasses.fields(Config):
            if field.metadata["example"] is None and field.name != "keys":
                assert getattr(config, field.name) == getattr(DEFAULTS, field.name)
        assert config.sort == {view.name: view.sort for view in VIEWS.values()}
        assert config.keys == {"freeze": ("Z",), "quit": ("q", '"', "\\")}
        assert config.columns
        assert config.filters

    def test_every_setting_is_explained(self) -> None:
        lines = self.text.splitlines()
        for field in dataclasses.fields(Config):
            place = next(n for n, line in enumerate(lines) if re.match(rf"#{field.name} = |\[{field.name}\]", line))
            assert lines[place - 1].startswith("# ")

    def test_it_fits_a_terminal(self) -> None:
        assert max(map(len, self.text.splitlines())) <= 120


def usual(directory: Path) -> Path:
    """Where the settings are of whoever keeps them in this directory."""
    (directory / "nettop").mkdir()
    return directory / "nettop/config.toml"


class TestFiles:
    def test_settings_are_where_the_xdg_specification_has_them(self) -> None:
        assert config_path({"HOME": "/home/u"}) == Path("/home/u/.config/nettop/config.toml")
        assert config_path({"HOME": "/home/u", "XDG_CONFIG_HOME": "/x"}) == Path("/x/nettop/config.toml")
        assert config_path({"HOME": "/home/u", "XDG_CONFIG_HOME": "x"}) == Path("/home/u/.config/nettop/config.toml")
        assert session_path({"HOME": "/home/u"}) == Path("/home/u/.local/state/nettop/session.json")
        assert session_path({"HOME": "/home/u", "XDG_STATE_HOME": "/s"}) == Path("/s/nettop/session.json")

    def test_without_a_file_there_are_the_defaults(self, tmp_path: Path) -> None:
        for environ in ({"HOME": str(tmp_path)}, {"HOME": "/dev/null"}, {}):
            assert load_config(None, environ) == (DEFAULTS, None)

    def test_the_usual_file_is_read(self, tmp_path: Path) -> None:
        usual(tmp_path).write_text("interval = 5")
        config, error = load_config(None, {"XDG_CONFIG_HOME": str(tmp_path)})
        assert (config.interval, error) == (5.0, None)

    def test_what_cannot_be_used_of_the_usual_file_is_told_beside_the_rest(self, tmp_path: Path) -> None:
        usual(tmp_path).write_text("interval = 5\nintervall = 2")
        config, error = load_config(None, {"XDG_CONFIG_HOME": str(tmp_path)})
        assert config.interval == 5.0
        assert str(error).startswith(f"{tmp_path}/nettop/config.toml, line 2: there is no setting 'intervall'")

    def test_of_a_file_that_is_asked_for_everything_must_be_right(self, tmp_path: Path) -> None:
        file = usual(tmp_path)
        file.write_text("interval = 5\nintervall = 2")
        with pytest.raises(ConfigError, match="line 2: there is no setting 'intervall'"):
            load_config(str(file), {})

    def test_where_the_usual_file_is_a_directory_there_are_the_defaults(self, tmp_path: Path) -> None:
        usual(tmp_path).mkdir()
        config, error = load_config(None, {"XDG_CONFIG_HOME": str(tmp_path)})
        assert config == DEFAULTS
        assert str(error) == f"{tmp_path}/nettop/config.toml: Is a directory; `--config /dev/null` does without"

    def test_a_file_that_is_asked_for_must_be_there(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="no such file; `nettop config` prints one"):
            load_config(str(tmp_path / "none"), {})

    def test_what_is_no_file_of_settings_does_not_hang_it(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "fifo")
        assert load_config(str(tmp_path / "fifo"), {}) == (DEFAULTS, None)
        assert load_config("/dev/null", {}) == (DEFAULTS, None)
        with pytest.raises(ConfigError, match="more than 64 KiB"):
            load_config("/dev/zero", {})
        with pytest.raises(ConfigError, match="`--config /dev/null` does without"):
            load_config(str(tmp_path), {})


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="plays sudo, which needs root")
class TestSudo:
    nobody = pwd.getpwnam("nobody")

    @property
    def environ(self) -> dict[str, str]:
        return {"HOME": "/root", "SUDO_UID": str(self.nobody.pw_uid)}

    def test_the_settings_are_those_of_whoever_called_it(self) -> None:
        assert config_path(self.environ) == Path(self.nobody.pw_dir) / ".config/nettop/config.toml"

    def test_the_session_is_remembered_by_root_for_itself(self) -> None:
        assert session_path(self.environ) == Path("/root/.local/state/nettop/session.json")

    def test_a_link_does_not_lead_to_what_the_caller_may_not_read(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("password = 1")
        secret.chmod(0o600)
        settings = tmp_path / "nettop/config.toml"
        settings.parent.mkdir()
        settings.symlink_to(secret)
        for directory in (tmp_path, *tmp_path.parents[:3]):
            directory.chmod(directory.stat().st_mode | 0o055)
        config, error = load_config(None, {**self.environ, "XDG_CONFIG_HOME": str(tmp_path)})
        assert config == DEFAULTS
        assert "config.toml: Permission denied" in str(error)
        assert os.geteuid() == 0
        assert os.getegid() == 0

    @pytest.mark.parametrize("uid", ["", "x", "-1", "99999999999", "4000000"])
    def test_a_caller_nobody_knows_is_none(self, uid: str) -> None:
        assert config_path({"HOME": "/root", "SUDO_UID": uid}) == Path("/root/.config/nettop/config.toml")


SESSION = Session("connections", {"processes": ("pid", "comm")}, {"connections": "-rtt"}, {"connections": "comm:nginx"})


class TestSession:
    def test_what_is_saved_is_loaded(self, tmp_path: Path) -> None:
        environ = {"XDG_STATE_HOME": str(tmp_path / "new")}
        assert load_session(environ) == Session()
        save_session(SESSION, environ)
        save_session(SESSION, environ)
        assert load_session(environ) == SESSION
        assert os.listdir(tmp_path / "new/nettop") == ["session.json"]
        assert stat.S_IMODE(session_path(environ).stat().st_mode) == 0o600

    def test_what_is_no_longer_known_is_left_out(self) -> None:
        raw = format_session(SESSION).replace(b'"pid"', b'"dip"').replace(b"-rtt", b"-ttr").replace(b"comm:", b"moc:")
        assert parse_session(raw.replace(b'"connections",', b'"sockets",', 1)) == Session()

    @given(st.binary(max_size=100) | st.recursive(st.none() | st.text(), st.lists).map(lambda x: repr(x).encode()))
    def test_any_bytes_are_a_session(self, data: bytes) -> None:
        assert isinstance(parse_session(data), Session)

    @pytest.mark.parametrize("data", [b"[" * 60_000, b"x" * (MAX_SIZE + 1), b'{"columns": 3, "pane": []}', b"[]"])
    def test_a_hostile_file_is_no_session(self, data: bytes) -> None:
        assert parse_session(data) == Session()

    def test_it_begins_as_the_last_one_ended_where_that_is_remembered(self) -> None:
        config = Config(pane="namespaces", sort={"connections": "rx_rate", "processes": "pid"})
        assert Session.begin(config) == Session("namespaces", {}, config.sort, {})
        begun = Session.begin(config, SESSION)
        assert begun.pane == "connections"
        assert begun.sort == {"connections": "-rtt", "processes": "pid"}
        assert begun.filters == SESSION.filters
