"""Where the settings and the last session are, also under sudo, and reading and writing them."""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nettop.config import MAX_SIZE, Config, ConfigError, parse_config, understand

if TYPE_CHECKING:
    from nettop.config.session import Session


def config_path(environ: Mapping[str, str]) -> Path:
    """Where the settings are looked for.

    Under sudo they are those of whoever called it: the same person at the same terminal.
    """
    caller = _caller(environ)
    home = Path(caller.pw_dir) if caller else _home(environ)
    return _directory(environ.get("XDG_CONFIG_HOME"), home / ".config") / "config.toml"


def session_path(environ: Mapping[str, str]) -> Path:
    """Where a session is remembered. Under sudo that is root's: root writes nothing where others own the directory."""
    home = Path(pwd.getpwuid(0).pw_dir) if _caller(environ) else _home(environ)
    return _directory(environ.get("XDG_STATE_HOME"), home / ".local/state") / "session.json"


def load_config(wanted: str | None, environ: Mapping[str, str]) -> tuple[Config, ConfigError | None]:
    """The settings in the file `wanted`; raises ConfigError where that cannot be read or understood as a whole.

    Without one those of the usual file, which need not exist, as far as they can be used, and what the first thing is
    that cannot: nobody who needs nettop now should have to mend their settings first."""
    path = Path(wanted) if wanted else config_path(environ)
    try:
        with contextlib.nullcontext() if wanted else _rights_of(_caller(environ)):
            data = _read(path)
    except (FileNotFoundError, NotADirectoryError):
        if not wanted:
            return Config(), None
        raise ConfigError(f"{wanted}: no such file; `nettop config` prints one to begin with") from None
    except OSError as error:
        unreadable = ConfigError(f"{path}: {error.strerror}; `--config /dev/null` does without")
        if not wanted:
            return Config(), unreadable
        raise unreadable from None
    return (parse_config(data, wanted), None) if wanted else understand(data, str(path))


def load_session(environ: Mapping[str, str]) -> Session:
    """How the last session ended; an empty one where nothing is remembered."""
    from nettop.config.session import Session, parse_session

    try:
        return parse_session(_read(session_path(environ)))
    except OSError:
        return Session()


def save_session(session: Session, environ: Mapping[str, str]) -> None:
    """Remember how a session ends, for this user alone: filters tell of what is looked for. Raises OSError."""
    from nettop.config.session import format_session

    path = session_path(environ)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with open(new, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(format_session(session))
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    """The file, to one byte more than may be in it; never waits for somebody to write. Raises OSError."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        return file.read(MAX_SIZE + 1)


def _caller(environ: Mapping[str, str]) -> pwd.struct_passwd | None:
    """Who runs this by sudo(8), None where nobody does."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwuid(int(environ["SUDO_UID"]))
    except (KeyError, ValueError, OverflowError):
        return None


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOME") or "/")


def _directory(told: str | None, usual: Path) -> Path:
    """nettop's directory as the XDG Base Directory Specification has it, which ignores relative paths."""
    base = Path(told or "")
    return (base if base.is_absolute() else usual) / "nettop"


@contextlib.contextmanager
def _rights_of(caller: pwd.struct_passwd | None) -> Iterator[None]:
    """Read with no more rights than the caller has: a link in a home directory may lead anywhere."""
    if caller is None:
        yield
        return
    group = os.getegid()
    os.setegid(caller.pw_gid)
    os.seteuid(caller.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
