"""The shipped search files, their schema and their page."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from search_files import sweeps

from tune_app.config.parsing.yaml_text import read_document
from tune_app.config.search_file import dump_sweep, load_sweep_file, parse_sweep
from tune_app.config.sweep import SweepConfig
from tune_app.config.texts.search_file_docs import EXAMPLE, search_file_markdown, sweep_json_schema
from tune_app.config.trial_config import resolve_parameters
from tune_app.models.network import plan_network

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "search_spaces").glob("*.yaml"))
NAMES = {
    *("digits_cnn", "digits_fcn", "fashion_mnist_cnn", "fashion_mnist_fcn"),
    *("mnist_mlp", "mnist_lenet", "optimizer_by_lr", "deep_vs_shallow"),
}


@pytest.fixture(scope="module")
def validator():
    schema = sweep_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_every_study_is_shipped():
    assert {path.stem for path in SHIPPED} == NAMES


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_file_loads_under_its_own_name(path, validator):
    config = load_sweep_file(path)
    assert config.name == path.stem
    validator.validate(read_document(path.read_text()).data)
    first, second = path.read_text().splitlines()[:2]
    assert first == "# yaml-language-server: $schema=sweep.schema.json"
    assert second.startswith("# ")


def test_the_example_of_the_page_is_a_search_file(validator):
    config = parse_sweep(EXAMPLE, source="example")
    assert parse_sweep(dump_sweep(config), source="dumped") == config
    validator.validate(read_document(EXAMPLE).data)


def test_the_page_is_current():
    written = (ROOT / "docs" / "search-files.md").read_text(encoding="utf-8")
    assert written == search_file_markdown(), "run scripts/generate_docs"


def test_the_schema_is_current():
    written = (ROOT / "search_spaces" / "sweep.schema.json").read_text(encoding="utf-8")
    assert json.loads(written) == sweep_json_schema(), "run scripts/generate_docs"


@settings(max_examples=40, deadline=None)
@given(raw=sweeps())
def test_the_schema_takes_what_the_models_take(validator, raw):
    validator.validate(read_document(dump_sweep(SweepConfig.from_dict(raw))).data)


@pytest.mark.parametrize(
    "wrong",
    [
        {"modle": "fcn"},
        {"model": "mlp"},
        {"budgets": "20k"},
        {"parameters": {"learning_rate": 0.1}},
        {"parameters": {"lr": "fast"}},
        {"parameters": {"lr": {"float": [0.1]}}},
        {"parameters": {"optimizer": {"choice": ["adm"]}}},
        {"parameters": {"optimizer": {"int": [1, 2]}}},
        {"search": {"sampler": "tree"}},
    ],
    ids=str,
)
def test_the_schema_refuses_what_a_person_mistypes(validator, wrong):
    right = {"name": "f", "dataset": {"name": "digits"}, "model": "fcn"}
    validator.validate(right)
    assert not validator.is_valid({**right, **wrong})


@pytest.mark.parametrize(
    ("name", "shape", "outputs", "weights"),
    [
        ("mnist_mlp", (1, 28, 28), 10, [50_890]),
        ("mnist_lenet", (1, 28, 28), 10, [44_426]),
        ("deep_vs_shallow", (1,), 1, [571, 572, 571]),
    ],
)
def test_published_networks_have_their_published_weights(name, shape, outputs, weights):
    config = load_sweep_file(ROOT / "search_spaces" / f"{name}.yaml")
    sizes = "channels_list" if config.model == "cnn" else "widths"
    found = []
    for size in config.space.grid_values(sizes):
        values = config.space.constants_for({}) | {sizes: size}
        trial = resolve_parameters(config.model, values, fill=False)
        found.append(plan_network(config.model, trial, shape, outputs).weights)
    assert found == weights


def test_the_config_room_imports_nothing_heavy():
    code = """
import sys
import tune_app.config.search_file, tune_app.config.texts.search_file_docs
heavy = {"ray", "torch", "optuna", "numpy", "pandas", "matplotlib", "sklearn"}
print(sorted(heavy & {name.split(".")[0] for name in sys.modules}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
