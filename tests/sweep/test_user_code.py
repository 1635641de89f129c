"""User code in a sweep: found before it begins, and sent to workers by value."""

import pickle
import sys

import pytest

from tune_app.config.search_file import parse_sweep
from tune_app.errors import FunctionError
from tune_app.sweep.trial.user_code import Shipped, find_user_functions, name_user_functions
from tune_app.training.loop import train_epochs

FILE = """
name: own
dataset: {name: digits}
model: shipped_nets:build
training: shipped_nets:train
budgets: [5k]
parameters: {width: {int: [1, 9]}, mix: 0.2}
"""
NETS = """
import shipped_beside

BASE = 2

def twice(x):
    return BASE * x

def build(input_shape, outputs, width):
    return twice(width) + shipped_beside.MORE

def train(model, data, config, seed):
    yield {}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = dict(sys.modules)
    (tmp_path / "shipped_nets.py").write_text(NETS)
    (tmp_path / "shipped_beside.py").write_text("MORE = 1")
    yield tmp_path
    for name in sys.modules.keys() - before.keys():
        if name.startswith("shipped"):
            del sys.modules[name]


def test_a_worker_needs_no_copy_of_the_file(folder):
    functions = find_user_functions(parse_sweep(FILE, source="own.yaml"), [folder])
    packed = pickle.dumps(functions.for_workers().model.function)
    # As in another process, to which the file itself did not come.
    (folder / "shipped_nets.py").unlink()
    for name in ("shipped_nets", "shipped_beside"):
        del sys.modules[name]
    sys.path.remove(str(folder))
    assert pickle.loads(packed)(None, None, width=4) == 9
    assert "shipped_nets" not in sys.modules


def test_what_is_installed_travels_by_its_name(folder):
    assert pickle.loads(pickle.dumps(Shipped(train_epochs, []))) is train_epochs


def test_a_parameter_that_no_function_takes_is_refused_before_anything_runs(folder):
    text = FILE.replace("training: shipped_nets:train\n", "")
    with pytest.raises(FunctionError) as refused:
        find_user_functions(parse_sweep(text, source="own.yaml"), [folder])
    assert str(refused.value) == (
        "parameters.mix: shipped_nets:build does not take it, and nothing else reads it; remove it"
    )


def test_a_training_that_does_not_yield_is_refused(folder):
    text = FILE.replace("shipped_nets:train", "shipped_nets:twice")
    with pytest.raises(FunctionError) as refused:
        find_user_functions(parse_sweep(text, source="own.yaml"), [folder])
    assert str(refused.value) == (
        "shipped_nets:twice is not a generator function; it must yield once per epoch"
    )


def test_functions_given_in_python_are_named_in_the_record():
    def mine(input_shape, outputs, width):
        return None

    config = parse_sweep(FILE, source="own.yaml")
    named = name_user_functions(config, mine, None)
    prefix = f"{__name__}:test_functions_given_in_python_are_named_in_the_record"
    assert (named.model, named.training) == (f"{prefix}.<locals>.mine", config.training)
    assert named.user_functions == (named.model, named.training)
    assert (
        parse_sweep(
            FILE.replace("shipped_nets:build", "cnn")
            .replace("training:", "#")
            .replace("{width: {int: [1, 9]}, mix: 0.2}", "{}"),
            source="own.yaml",
        ).user_functions
        == ()
    )
