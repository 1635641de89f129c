"""A search file's space to another tool's file and back, as a user calls it."""

from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from tune_app.cli.commands.check_commands import register
from tune_app.config.search_file import load_sweep_file
from tune_app.errors import SweepFileError

FILE = """\
name: mine
dataset: {name: digits}
model: fcn
budgets: [2k, 5k]
parameters:
  layers: {int: [1, 3]}
  optimizer: {choice: [adam, sgd]}
  momentum: {float: [0.5, 0.9], when: {optimizer: [sgd]}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(FILE)
    return tmp_path


def call(*arguments: str) -> Result:
    app = typer.Typer()
    register(app)
    result: Any = CliRunner().invoke(app, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.parametrize("tool", ["optuna", "configspace", "wandb", "ray"])
def test_a_space_goes_to_a_tool_and_comes_back(folder, tool):
    there = "space.py" if tool == "ray" else "space.json"
    shared = call("space", "mine.yaml", "--to", tool, "--output", there)
    assert "not exported: the budgets 2k, 5k: networks of any size are drawn\n" in shared.stderr
    call("new", "fcn", "digits", "--from", there, "--output", "back.yaml")
    mine, back = (load_sweep_file(name).space for name in ("mine.yaml", "back.yaml"))
    assert list(back) == list(mine)
    assert back["layers"] == mine["layers"]
    when = mine["momentum"].when if tool in ("optuna", "configspace") else {}
    assert back["momentum"] == mine["momentum"].model_copy(update={"when": when})


def test_what_a_foreign_space_leaves_to_be_done_is_said(folder):
    Path("space.yaml").write_text(
        "method: grid\nparameters: {learning_rate: {min: 0.1, max: 0.5}}\n"
    )
    made = call("new", "cnn", "digits", "--from", "space.yaml", "--output", "back.yaml")
    assert made.stderr == (
        "wrote back.yaml\n"
        "not imported: method: only the parameters are read\n"
        "please fix by hand: back.yaml: 1 problem\n"
        "  line 9: parameters.learning_rate: nothing reads a parameter of this name; "
        "did you mean 'lr'?\n"
    )


def test_a_file_that_no_tool_wrote_makes_no_search_file(folder):
    Path("space.yaml").write_text("- 1\n")
    with pytest.raises(SweepFileError):
        call("new", "cnn", "digits", "--from", "space.yaml", "--output", "back.yaml")
    assert not Path("back.yaml").exists()
