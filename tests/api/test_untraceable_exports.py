"""A network that decides by the values it is given: exported whole but for what needs a trace."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

import tune_app
from tune_app.cli import app
from tune_app.errors import ExportError
from tune_app.report.export.evaluate_export import evaluate_export

NETS = """
import torch
from torch import nn


class Doubtful(nn.Module):
    def __init__(self, inputs, outputs, width):
        super().__init__()
        self.first = nn.Linear(inputs, width)
        self.last = nn.Linear(width, outputs)

    def forward(self, x):
        hidden = self.first(x.flatten(1)).relu()
        if hidden.mean() > 1:
            hidden = hidden / hidden.mean()
        return self.last(hidden)


def doubtful(input_shape, outputs, width=8):
    return Doubtful(input_shape[0] * input_shape[1] * input_shape[2], outputs, width)
"""
FILE = """
name: doubtful
dataset: {name: digits}
model: doubtful_nets:doubtful
parameters: {width: 8, lr: 0.01, epochs: 1}
search: {trials: 1}
scheduler: {type: none}
"""


@pytest.fixture(scope="module")
def sweep(ray_session, tmp_path_factory):
    folder = tmp_path_factory.mktemp("doubtful")
    (folder / "doubtful_nets.py").write_text(NETS)
    (folder / "doubtful.yaml").write_text(FILE)
    return tune_app.run_sweep(folder / "doubtful.yaml", storage=folder / "results", quiet=True)


def test_without_a_format_the_rest_is_written_and_what_is_missing_is_noted(sweep, tmp_path):
    places = ["--to", tmp_path / "net", "--storage", sweep.store.storage]
    done = CliRunner().invoke(app, ["export", "doubtful", *map(str, places)])
    assert done.exit_code == 0
    note = done.stderr
    assert note.startswith("note: torch.export cannot trace the network, which predict.py, ")
    assert note.endswith("All other files, including the weights, are written\n")
    assert note.count("\n") == 1
    names = {path.name for path in (tmp_path / "net").iterdir()}
    assert {"weights.pt", "config.yaml", "metrics.json", "code", "README.md"} <= names
    assert not {"predict.py", "network.pt2", "network.onnx"} & names
    card = (tmp_path / "net" / "README.md").read_text(encoding="utf-8")
    assert "torch.export cannot trace this network, so there is no predict.py" in card
    assert evaluate_export(tmp_path / "net", tmp_path).agrees


def test_weights_alone_need_no_trace(sweep, tmp_path):
    sweep.export(tmp_path / "net", formats=["safetensors"])
    network = tune_app.load_export(tmp_path / "net", "weights.safetensors")
    assert network.metrics["files"] == {}


@pytest.mark.parametrize("name", ["onnx", "pt2"])
def test_a_program_that_is_asked_for_is_refused_in_one_line(sweep, tmp_path, name):
    with pytest.raises(ExportError) as raised:
        sweep.export(tmp_path / "net", formats=["pt", name])
    text = str(raised.value)
    assert text.startswith(
        "torch.export cannot trace the network, which predict.py, network.pt2 and"
    )
    assert text.endswith(f"Without {name} its weights can be exported")
    assert "\n" not in text
    assert not Path(tmp_path / "net").exists()
