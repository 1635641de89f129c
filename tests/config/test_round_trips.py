"""A sweep comes back as it went: through YAML, through JSON, through Python."""

import json
import pickle

import pytest
from hypothesis import given, settings
from search_files import sweeps

from tune_app.config.search_file import dump_sweep, parse_sweep
from tune_app.config.sweep import DatasetConfig, SweepConfig
from tune_app.errors import SweepFileError

QUICK = settings(max_examples=60, deadline=None)


@QUICK
@given(sweeps())
def test_a_sweep_comes_back_from_its_search_file(raw):
    config = SweepConfig.from_dict(raw)
    assert parse_sweep(dump_sweep(config), source="dumped") == config


@QUICK
@given(sweeps())
def test_a_sweep_comes_back_from_json(raw):
    config = SweepConfig.from_dict(raw)
    assert SweepConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_a_sweep_comes_back_from_a_pickle():
    config = SweepConfig(name="f", dataset=DatasetConfig(name="digits"), model="fcn")
    assert config.space is config.space
    assert pickle.loads(pickle.dumps(config)) == config


def test_a_dumped_sweep_reads_well():
    raw = {
        "name": "1e5",
        "dataset": {"name": "digits"},
        "model": "cnn",
        "budgets": [20_000, "1.5M"],
        "parameters": {"lr": {"float": [1e-4, 0.1], "log": True}, "head_widths": [20, 10]},
        "search": {"time_limit": 5400, "trials": 9},
    }
    assert dump_sweep(SweepConfig.from_dict(raw)).splitlines() == [
        "name: '1e5'",
        "dataset: {name: digits, validation: 0.1, test: 0.2, random_labels: false, seed: 0}",
        "model: cnn",
        "budgets: [20k, 1.5M]",
        "budget_mode: cap",
        "objective: {metric: val_accuracy, mode: max}",
        "parameters:",
        "  lr: {float: [0.0001, 0.1], log: true}",
        "  head_widths: [20, 10]",
        "search: {sampler: tpe, trials: 9, seed: 0, time_limit: 1h30m}",
        "scheduler: {type: asha, reduction_factor: 3}",
        "resources: {cpus_per_trial: 1, gpus_per_trial: auto, max_concurrent: auto, "
        "precision: auto, trial_time_limit: 20m}",
    ]


def test_a_bad_record_is_refused_like_a_bad_file():
    with pytest.raises(SweepFileError) as caught:
        SweepConfig.from_dict({"name": "f", "dataset": {"name": "digits"}, "model": "mlp"})
    told = (
        "sweep: 1 problem\n  model: must be fcn, cnn, or a function of yours like "
        "my_nets:build, got 'mlp'"
    )
    assert str(caught.value) == told


@pytest.mark.parametrize("raw", [None, [], "name: f", 3], ids=repr)
def test_what_is_no_mapping_is_no_sweep(raw):
    with pytest.raises(SweepFileError):
        SweepConfig.from_dict(raw)
