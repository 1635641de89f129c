"""The token's file, and the commands that make it and refuse to serve without it."""

import re

import pytest
import typer
from typer.testing import CliRunner

from tune_app.cli.commands import serve_commands
from tune_app.errors import TuneAppError
from tune_app.service.http.tokens import make_token, read_token, session_of


def typed(*arguments: str) -> str:
    app = typer.Typer()
    serve_commands.register(app)
    result = CliRunner().invoke(app, arguments)
    if isinstance(result.exception, TuneAppError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_token_is_32_bytes_in_a_file_of_its_owner(tmp_path):
    path = tmp_path / "deep" / "token"
    token = typed("token", "--token-file", str(path)).splitlines()[0]
    assert re.fullmatch(r"[\w-]{43}", token)  # 32 bytes in base 64
    assert path.stat().st_mode & 0o777 == 0o600
    assert typed("token", "--show", "--token-file", str(path)).strip() == token
    with pytest.raises(TuneAppError, match="make a new one with: tune-app token --replace"):
        typed("token", "--token-file", str(path))
    assert typed("token", "--replace", "--token-file", str(path)).splitlines()[0] != token
    assert [one.name for one in path.parent.iterdir()] == ["token"]


def test_a_token_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "token"
    make_token(path)
    path.chmod(0o644)
    with pytest.raises(TuneAppError, match="others can read the token"):
        read_token(path)
    path.chmod(0o600)
    path.write_text("short\n")
    with pytest.raises(TuneAppError, match="holds no token"):
        read_token(path)


def test_a_session_is_not_the_token_and_ends_with_it():
    assert "a" * 43 not in session_of("a" * 43)
    assert session_of("a" * 43) != session_of("b" * 43)


def test_serving_the_network_without_a_token_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(TuneAppError, match="make one with: tune-app token"):
        typed("serve", "--host", "0.0.0.0", "--storage", str(tmp_path))
    with pytest.raises(TuneAppError, match="there is no token in"):
        typed("serve", "--token-file", str(tmp_path / "none"))
