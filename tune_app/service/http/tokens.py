"""The access token of a service, kept in a file that only its owner can read."""

import hashlib
import hmac
import logging
import os
import secrets
import stat
import threading
import time
from pathlib import Path

from tune_app.errors import StorageError, TuneAppError
from tune_app.hints import hint

LOG = logging.getLogger("tune_app.service")
TOKEN_BYTES = 32
LOOK_S = 0.5  # between two looks at the token's file


def default_token_file() -> Path:
    """Return the default path of the token's file."""
    config = os.environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path.home() / ".config") / "tune_app" / "token"


def make_token(path: Path, *, replace: bool = False) -> str:
    """Write a new token of 32 random bytes to `path` with mode 0600, and return it.

    Raises:
        TuneAppError: `path` holds a token and `replace` is false.
        StorageError: The file cannot be written.
    """
    if path.exists() and not replace:
        raise TuneAppError(f"{path} already holds a token", hint=hint("replace_token"))
    token = secrets.token_urlsafe(TOKEN_BYTES)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123 - created with its mode
            file.write(f"{token}\n")
        # Moved into place: a service that reads the file sees the old token or the new one.
        partial.replace(path)
    except OSError as err:
        raise StorageError(f"cannot write {path}: {err.strerror}") from err
    return token


def read_token(path: Path) -> str | None:
    """Return the token in `path`, or None if there is no such file.

    Raises:
        TuneAppError: Other users can read the file, or it holds no token.
        StorageError: The file cannot be read.
    """
    try:
        mode = path.stat().st_mode
        token = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as err:
        raise StorageError(f"cannot read the token in {path}: {err}") from err
    if stat.S_IMODE(mode) & 0o077:
        raise TuneAppError(f"other users can read the token in {path}: run `chmod 600 {path}`")
    if len(token) < TOKEN_BYTES:
        raise TuneAppError(f"{path} holds no token of {TOKEN_BYTES} bytes", hint=hint("make_token"))
    return token


def is_token(given: str, token: str) -> bool:
    """Compare two tokens in constant time, so that timing does not reveal how much matches."""
    return hmac.compare_digest(given.encode(), token.encode())


def session_of(token: str) -> str:
    """Return the value of a browser's session cookie; it becomes invalid with a new token."""
    return hmac.new(token.encode(), b"tune-app session", hashlib.sha256).hexdigest()


class CurrentToken:
    """The token that a running service requires, which follows the token's file.

    With `tune-app token --replace` an operator locks out everyone who knows the old token, so the
    service must notice the new token without a restart.
    """

    def __init__(self, token: str | None, path: Path | None = None) -> None:
        self._token, self._path = token, path
        self._lock = threading.Lock()
        # Nothing seen yet: the first look reads the file, which may just have been replaced.
        self._seen: tuple[int, int, int] | None = None
        self._looked = time.monotonic()

    @property
    def value(self) -> str | None:
        """The token, at most half a second old; None if none is required."""
        now = time.monotonic()
        with self._lock:
            if self._path is not None and now - self._looked >= LOOK_S:
                self._looked = now
                self._read_again(self._path)
            return self._token

    def _read_again(self, path: Path) -> None:
        stamp = self._stamp()
        # A missing file keeps the token: removing a file must never open a service to everybody.
        if stamp is None or stamp == self._seen:
            return
        self._seen = stamp
        try:
            token = read_token(path)
        except TuneAppError as error:
            LOG.error("the old token stays valid: %s", error)
            return
        if token is not None and token != self._token:
            self._token = token
            LOG.warning("the token was replaced: all sessions have ended")

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat() if self._path is not None else None
        except OSError:
            return None
        # The inode too: two tokens may be written within one tick of the file system's clock.
        return None if found is None else (found.st_mtime_ns, found.st_ino, found.st_mode)
