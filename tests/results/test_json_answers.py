"""What programs read of a committed record is what the version before typed rows answered."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

import tune_app
from tune_app.cli import app

ANSWERS = Path(__file__).parent / "answers"
RECORD = Path(__file__).parents[2] / "docs/reproductions/baselines/record.json"
COMMANDS = {
    "list": ["list", "--json"],
    "show": ["show", "{sweep}", "--format", "json"],
    "show-all": ["show", "{sweep}", "--all", "--format", "json"],
    "trial": ["trial", "{sweep}", "{trial}", "--format", "json"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_json_answers_are_the_same_to_the_byte(name, tmp_path):
    sweep = tune_app.open_storage(tmp_path).add(RECORD)
    names = {"sweep": sweep.name, "trial": sweep.trials()[0]["trial_id"]}
    words = [word.format(**names) for word in COMMANDS[name]]
    done = CliRunner().invoke(app, [*words, "--storage", str(tmp_path)])
    assert done.exit_code == 0
    answer = done.stdout.replace(str(tmp_path.resolve()), "STORAGE")
    assert answer == (ANSWERS / f"{name}.json").read_text()
