"""The token of a service: made once, kept in a file that only its owner can read."""

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from tune_app.errors import StorageError, TuneAppError
from tune_app.hints import hint

TOKEN_BYTES = 32


def default_token_file() -> Path:
    """Return where the token is kept if nothing else is said."""
    config = os.environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path.home() / ".config") / "tune_app" / "token"


def make_token(path: Path, *, replace: bool = False) -> str:
    """Write a new token of 32 random bytes to `path`, mode 0600, and return it.

    Raises:
        TuneAppError: There is one, and it is not to be replaced.
        StorageError: The file cannot be written.
    """
    if path.exists() and not replace:
        raise TuneAppError(f"{path} already holds a token", hint=hint("replace_token"))
    token = secrets.token_urlsafe(TOKEN_BYTES)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123 - created with its mode
            file.write(f"{token}\n")
        aside.replace(path)
    except OSError as err:
        raise StorageError(f"cannot write {path}: {err.strerror}") from err
    return token


def read_token(path: Path) -> str | None:
    """Return the token that `path` holds, None where there is no such file.

    Raises:
        TuneAppError: Others can read the file, or it holds too little.
        StorageError: It cannot be read.
    """
    try:
        mode = path.stat().st_mode
        token = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as err:
        raise StorageError(f"cannot read the token in {path}: {err}") from err
    if stat.S_IMODE(mode) & 0o077:
        raise TuneAppError(f"others can read the token in {path}: run `chmod 600 {path}`")
    if len(token) < TOKEN_BYTES:
        raise TuneAppError(f"{path} holds no token of {TOKEN_BYTES} bytes", hint=hint("make_token"))
    return token


def is_token(given: str, token: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode(), token.encode())


def session_of(token: str) -> str:
    """Return what a browser keeps in place of the token; a new token ends all sessions."""
    return hmac.new(token.encode(), b"tune-app session", hashlib.sha256).hexdigest()
