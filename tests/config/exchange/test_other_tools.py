"""The tools themselves read what we write, draw what we mean, and write what we read."""

import io
import json

import pytest
import yaml
from drawn_spaces import (
    one_valued_as_constants,
    sweeps_to_share,
    with_parameters,
    without_conditions,
)
from hypothesis import given, settings

from tune_app.config.exchange.formats import read_space, write_space
from tune_app.config.parsing.fields import freeze
from tune_app.config.space import Choice, Constant, FloatRange, IntRange, SearchSpace
from tune_app.config.sweep import SweepConfig

QUICK = settings(max_examples=10, deadline=None)
RANGES = {
    "layers": IntRange(low=1, high=3),
    "width": IntRange(low=2, high=4, log=True),
    "batch_size": IntRange(low=8, high=24, step=8),
    "epochs": IntRange(low=1, high=5, step=2),
    "dropout": FloatRange(low=0, high=0.5, step=0.25),
    "lr": FloatRange(low=1e-4, high=1e-1, log=True),
    "momentum": FloatRange(low=0.5, high=0.9),
}
ENDS = {name: (own.low, own.high) for name, own in RANGES.items()}


@pytest.fixture(scope="module")
def config():
    raw = {"name": "n", "dataset": {"name": "digits"}, "model": "fcn"}
    scheduler = {"type": "none"}
    parameters = {**RANGES, "optimizer": Choice(values=("sgd", "rmsprop"))}
    return SweepConfig.model_validate({**raw, "scheduler": scheduler, "parameters": parameters})


def plain(value):
    """Return a value of numpy as Python's own."""
    return value.item() if hasattr(value, "item") else freeze(value)


@QUICK
@given(sweeps_to_share())
def test_optuna_reads_what_it_would_have_written(config):
    optuna = pytest.importorskip("optuna")
    from tune_app.sweep.search.samplers import to_distribution

    entries = json.loads(write_space(config, "optuna")[0])
    for name, own in one_valued_as_constants(config.space).items():
        theirs = optuna.distributions.json_to_distribution(json.dumps(entries[name]))
        kept = Choice(values=(own.value,)) if isinstance(own, Constant) else own
        assert theirs == to_distribution(kept)
        written = json.loads(optuna.distributions.distribution_to_json(theirs))
        assert {**entries[name], "when": None} == {**written, "when": None}


def test_what_optuna_writes_is_read_with_both_ends(config):
    distributions = pytest.importorskip("optuna").distributions
    from tune_app.sweep.search.samplers import to_distribution

    texts = {
        name: distributions.distribution_to_json(to_distribution(RANGES[name])) for name in RANGES
    }
    space, notes = read_space(json.dumps(texts), source="a.json")
    assert (dict(space), notes) == (RANGES, [])


@QUICK
@given(sweeps_to_share())
def test_configspace_draws_configurations_of_our_space(config):
    module = pytest.importorskip("ConfigSpace")
    theirs = module.ConfigurationSpace.from_json(io.StringIO(write_space(config, "configspace")[0]))
    theirs.seed(0)
    for drawn in theirs.sample_configuration(40):
        values = {name: plain(value) for name, value in dict(drawn).items()}
        for name, own in config.space.items():
            active = config.space.active({**values, "budget": 10_000}, name)
            assert (name in values) == active
            assert not active or own.contains(values[name])


@QUICK
@given(sweeps_to_share())
def test_what_configspace_writes_is_read_with_its_conditions(config):
    module = pytest.importorskip("ConfigSpace")
    theirs = module.ConfigurationSpace.from_json(io.StringIO(write_space(config, "configspace")[0]))
    written = io.StringIO()
    theirs.to_json(written)
    space, _ = read_space(written.getvalue(), source="a.json")
    assert dict(space) == one_valued_as_constants(config.space)


def test_configspace_draws_both_ends(config):
    module = pytest.importorskip("ConfigSpace")
    theirs = module.ConfigurationSpace.from_json(io.StringIO(write_space(config, "configspace")[0]))
    theirs.seed(0)
    drawn = [dict(one) for one in theirs.sample_configuration(500)]
    for name in ("layers", "width", "batch_size", "epochs", "dropout"):
        values = [plain(one[name]) for one in drawn]
        assert (min(values), max(values)) == ENDS[name]
        assert set(values) == set(RANGES[name].listed())


def made_by_ray(config):
    pytest.importorskip("ray.tune")
    found = {}
    exec(write_space(config, "ray")[0], found)
    return found["param_space"]


def test_ray_draws_every_value_and_both_ends(config):
    for name, domain in made_by_ray(config).items():
        drawn = domain.sample(size=500)
        if config.space.is_discrete(name):
            assert set(drawn) == set(config.space.grid_values(name))
        else:
            assert (domain.lower, domain.upper) == ENDS[name]


@QUICK
@given(sweeps_to_share())
def test_tunes_own_searcher_reads_the_same_space_from_ray_as_we_do(config):
    pytest.importorskip("ray.tune")
    from ray.tune.search.optuna import OptunaSearch

    from tune_app.sweep.search.samplers import to_distribution

    parameters = without_conditions(config.space)
    del parameters["augment"]  # of lists, which Optuna cannot store
    shared = with_parameters(config, parameters)
    space = made_by_ray(shared)
    theirs = OptunaSearch.convert_search_space(space)
    assert theirs == {name: to_distribution(parameters[name]) for name in theirs}
    constants = {name: freeze(space[name]) for name in space if name not in theirs}
    assert constants == SearchSpace(parameters).constants_for({})


@QUICK
@given(sweeps_to_share())
def test_the_schema_of_wandb_takes_what_we_write(config):
    schema = pytest.importorskip("sweeps.config.schema", reason="W&B's package sweeps is not here")
    written = yaml.safe_load(write_space(config, "wandb")[0])
    assert list(schema.validator.iter_errors(written)) == []


def test_wandb_draws_every_value_and_both_ends(config):
    params = pytest.importorskip("sweeps.params", reason="W&B's package sweeps is not here")
    written = yaml.safe_load(write_space(config, "wandb")[0])["parameters"]
    for name, own in RANGES.items():
        theirs = params.HyperParameter(name, written[name])
        shares = [position / 200 for position in range(1, 200)]
        values = {plain(theirs.ppf(share)) for share in shares}
        if config.space.is_discrete(name):
            assert values == set(own.listed())
        else:
            ends = tuple(plain(theirs.ppf(share)) for share in (0.0, 1.0))
            assert ends == pytest.approx((own.low, own.high), rel=1e-12)
