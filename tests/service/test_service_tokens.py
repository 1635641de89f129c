"""The token's file, and the commands that make it and refuse to serve without it."""

import re
from pathlib import Path

import pytest
import typer
from serve_process import wait_until
from served import OPEN, Served, running
from typer.testing import CliRunner

from tune_app.cli.commands import serve_commands
from tune_app.errors import TuneAppError
from tune_app.service.client.service_client import Service
from tune_app.service.http.tokens import CurrentToken, make_token, read_token, session_of
from tune_app.service.settings import Settings


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
    with pytest.raises(TuneAppError, match="other users can read the token"):
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


def status_of(served: Served, token: str) -> int:
    return served.get("/api/v1/sweeps", Authorization=f"Bearer {token}").status


def test_a_replaced_token_ends_old_bearers_cookies_and_streams(storage: Path, tmp_path):
    path = tmp_path / "token"
    old = make_token(path)
    settings = Settings(storage, storage, token=old, token_file=path, limits=OPEN)
    with running(settings) as served:
        cookie = served.post("/login", {"token": old}).headers["set-cookie"].partition(";")[0]
        assert served.get("/", Cookie=cookie).status == 200
        stream = Service(served.url, old).open("GET", "/api/v1/events")
        assert stream.readline() == b"retry: 2000\n"
        new = make_token(path, replace=True)
        rest = stream.read()  # returns when the service ends the stream
        assert b"event: changed" in rest
        assert (status_of(served, old), served.get("/", Cookie=cookie).status) == (401, 401)
        assert status_of(served, new) == 200


def test_a_token_made_while_a_service_runs_is_required_from_then_on(storage: Path, tmp_path):
    path = tmp_path / "token"
    with running(Settings(storage, storage, token_file=path, limits=OPEN)) as served:
        assert served.get("/api/v1/sweeps").status == 200
        token = make_token(path)
        wait_until(lambda: served.get("/api/v1/sweeps").status == 401, 30)
        assert status_of(served, token) == 200


@pytest.mark.parametrize("damage", ["removed", "readable", "short"])
def test_a_token_file_that_is_damaged_leaves_the_token_as_it_is(damage, tmp_path, monkeypatch):
    path = tmp_path / "token"
    token = CurrentToken(make_token(path), path)
    known = token.value
    if damage == "removed":
        path.unlink()
    elif damage == "readable":
        path.chmod(0o644)
    else:
        path.write_text("short\n")
    monkeypatch.setattr("tune_app.service.http.tokens.LOOK_S", 0.0)
    assert token.value == known
