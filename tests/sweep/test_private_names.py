"""Private names of Ray and Optuna: where they are used, what they must take, and life without them.

A new release of either fails here, in one place, with the name that it changed.
"""

import ast
import importlib
import importlib.util
import inspect
import logging
import re
import subprocess
import sys
import types
from collections import Counter
from pathlib import Path

import optuna
import pytest

from tune_app.config.search_file import parse_sweep
from tune_app.results.store import open_store
from tune_app.results.store.statuses import TrialStatus
from tune_app.sweep.fallbacks import Fallbacks, accepts
from tune_app.sweep.launch import Launch
from tune_app.sweep.ray_tune import patches
from tune_app.sweep.run import start_sweep
from tune_app.sweep.search import optuna_private, samplers
from tune_app.sweep.search.feasible import FeasibleSpace
from tune_app.sweep.search.trial_chooser import TrialChooser
from tune_app.sweep.search.tune_searcher import BudgetSearcher
from tune_app.sweep.trial.tasks import TASK, Ledger

ROOM = Path(patches.__file__).parents[1]
QUARANTINE = {"ray_tune/patches.py", "search/optuna_private.py"}
FOREIGN = ("ray", "optuna")

FILE = """
name: small
dataset: {name: digits}
model: fcn
budgets: [1k, 3k]
parameters:
  width: {int: [4, 64], log: true}
  lr: {float: [1e-4, 1e-1], log: true}
  optimizer: {choice: [sgd, adam]}
  momentum: {float: [0.8, 0.99], when: {optimizer: [sgd]}}
  epochs: 2
search: {trials: 24}
resources: {precision: fp32, max_concurrent: 1}
"""


# -- where they are used ------------------------------------------------------------------------


def private_uses(path):
    """Yield what a module uses of other packages' and other objects' private names."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    ours = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    } | {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FOREIGN:
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            yield from (name for name in names if name.startswith("_"))
        elif isinstance(node, ast.Attribute) and re.match("_[a-z]", node.attr):
            is_own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if not is_own and node.attr not in {*ours, "_exit"}:  # os._exit is public
                yield node.attr
        elif isinstance(node, ast.Constant) and "ray._" in str(node.value):
            yield node.value


def test_private_names_are_used_in_two_modules_only():
    found = {
        str(path.relative_to(ROOM)): sorted(set(private_uses(path))) for path in ROOM.rglob("*.py")
    }
    used = {module: names for module, names in found.items() if names}
    assert used.keys() == QUARANTINE, used


# -- what they must be: the contract ------------------------------------------------------------


def controller_class():
    return importlib.import_module("ray.tune.execution.tune_controller").TuneController


RELIED_ON = {
    "TuneController._maybe_reuse_cached_actor(trial)": lambda: accepts(
        controller_class()._maybe_reuse_cached_actor, None, None
    ),
    "what TuneController sets": lambda: (
        {"_trial_to_actor", "_resetting_trials", "_actor_cache", "_actor_manager"}
        <= set(controller_class().__init__.__code__.co_names)
    ),
    "_ObjectCache.increase_max(key, by=)": lambda: accepts(
        importlib.import_module("ray.tune.utils.object_cache")._ObjectCache.increase_max,
        None,
        None,
        by=1,
    ),
    "RayActorManager.is_actor_started(worker)": lambda: accepts(
        importlib.import_module(
            "ray.air.execution._internal.actor_manager"
        ).RayActorManager.is_actor_started,
        None,
        None,
    ),
    "class_cache.DEFAULT_ENV_VARS and ENV_VARS_TO_PROPAGATE": lambda: all(
        hasattr(importlib.import_module("ray.tune.execution.class_cache"), name)
        for name in ("DEFAULT_ENV_VARS", "ENV_VARS_TO_PROPAGATE")
    ),
    "ray._private.utils.set_sigterm_handler(handler)": lambda: accepts(
        importlib.import_module("ray._private.utils").set_sigterm_handler, None
    ),
    "ray._raylet.GcsClient": lambda: callable(importlib.import_module("ray._raylet").GcsClient),
    "Trial.run_metadata.num_failures": lambda: isinstance(
        importlib.import_module("ray.tune.trainable.metadata")._TrainingRunMetadata().num_failures,
        int,
    ),
    "optuna: _split_trials, default_gamma, _build_parzen_estimator, _compute_acquisition_func": (
        optuna_private._has_what_we_use
    ),
    "optuna: TPESampler._rng.rng": lambda: hasattr(optuna.samplers.TPESampler(seed=0)._rng, "rng"),
}


@pytest.mark.parametrize("name", RELIED_ON)
def test_the_installed_releases_have_what_the_patches_rely_on(name):
    assert RELIED_ON[name](), f"this release has changed {name}: see patches.py, optuna_private.py"


def test_the_installed_ray_needs_no_fallback():
    fallbacks = Fallbacks()
    patches.check_without_shell(fallbacks)
    assert patches.may_reuse_workers(fallbacks)
    with patches.started_workers_used(fallbacks), patches.signal_handlers_kept(fallbacks):
        pass
    assert fallbacks.said == ()


# -- life without them: Optuna --------------------------------------------------------------------


def drive():
    """Draw a whole search with made-up results; return its tasks, and what it did without."""
    config = parse_sweep(FILE, source="small.yaml")
    ledger = Ledger()
    chooser = TrialChooser(
        config,
        FeasibleSpace(config, (1, 8, 8), 10),
        ledger,
        directory=lambda trial_id: f"/x/{trial_id}",
        on_draw=lambda task: None,
    )
    searcher = BudgetSearcher(chooser)
    tasks = []
    while (drawn := searcher.suggest(f"ray{len(tasks)}")) != "FINISHED":
        task = drawn[TASK]
        ledger.trials[task.trial_id].value = -abs(task.draw.config["lr"] - 0.01)
        ledger.end(task.trial_id, TrialStatus.FINISHED, None)
        searcher.on_trial_complete(f"ray{len(tasks)}", {})
        tasks.append(task)
    return tasks, ledger.fallbacks.said


def changed(*_, surprise):
    """Stand for a function that takes something new."""


def renamed(module_name, *names):
    """Return a copy of a module as a newer release may have it: names are other ones throughout."""
    source = inspect.getsource(importlib.import_module(module_name))
    for name in names:
        source = re.sub(rf"\b{name}\b", f"{name}_in_a_newer_release", source)
    copy = types.ModuleType(module_name)
    copy.__file__ = importlib.import_module(module_name).__file__
    exec(compile(source, module_name, "exec"), copy.__dict__)
    return copy


TPE = "optuna.samplers._tpe.sampler"
TPE_NAMES = ("_split_trials", "default_gamma", "_build_parzen_estimator")
WITHOUT_TPE = f"this release of {optuna_private.LOST} has changed: {optuna_private.WITHOUT}"


@pytest.mark.parametrize("how", ["gone", "changed"])
@pytest.mark.parametrize("name", [*TPE_NAMES, "_compute_acquisition_func", "_rng"])
def test_without_a_name_of_optuna_tpe_still_chooses_what_fits(name, how, monkeypatch, caplog):
    module = renamed(TPE, name)
    if how == "changed":
        holder = module if name in TPE_NAMES[:2] else module.TPESampler
        setattr(holder, name, changed)
    monkeypatch.setitem(sys.modules, TPE, module)
    monkeypatch.setattr(optuna.samplers, "TPESampler", module.TPESampler)
    spec = importlib.util.spec_from_file_location("of_newer", optuna_private.__file__)
    newer = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "of_newer", newer)
    spec.loader.exec_module(newer)
    monkeypatch.setattr(samplers, "CandidateTpe", newer.CandidateTpe)
    tasks, said = drive()
    assert said == (WITHOUT_TPE,)
    assert [record.getMessage() for record in caplog.records] == [WITHOUT_TPE]
    assert all(task.draw.weights <= task.draw.budget for task in tasks)
    assert Counter(task.sampler for task in tasks)["tpe"] >= 10


# -- life without them: Ray -----------------------------------------------------------------------

CONTROLLER = "ray.tune.execution.tune_controller"
CONTROLLER_NAMES = (
    "_maybe_reuse_cached_actor",
    "_actor_cache",
    "_actor_manager",
    "_trial_to_actor",
    "_resetting_trials",
)


class Cache:
    def increase_max(self, key, by=1):
        """Take what Ray's takes."""


class Manager:
    def is_actor_started(self, worker):
        return True


class Controller:
    """Has all that `WorkerKeeper` uses, as Ray's own controller does."""

    def __init__(self):
        self._actor_cache, self._actor_manager = Cache(), Manager()
        self._trial_to_actor, self._resetting_trials = {}, set()
        self._maybe_reuse_cached_actor = lambda trial: False


def keeper_of(controller):
    fallbacks = Fallbacks()
    wrapper = types.SimpleNamespace(_tune_controller=controller)
    return patches.WorkerKeeper.of(wrapper, fallbacks), fallbacks.said


def test_a_controller_as_we_know_it_is_kept():
    keeper, said = keeper_of(Controller())
    assert keeper is not None
    assert said == ()


@pytest.mark.parametrize("name", CONTROLLER_NAMES)
def test_without_a_name_of_its_controller_tune_keeps_workers_as_it_likes(name):
    controller = Controller()
    delattr(controller, name)
    keeper, said = keeper_of(controller)
    assert keeper is None
    assert len(said) == 1


def test_a_scheduler_that_gets_no_controller_goes_on():
    fallbacks = Fallbacks()
    assert patches.WorkerKeeper.of(object(), fallbacks) is None
    assert len(fallbacks.said) == 1


@pytest.mark.parametrize("how", ["gone", "changed"])
def test_workers_are_not_handed_on_where_that_has_changed(how, monkeypatch):
    name = "_maybe_reuse_cached_actor"
    if how == "gone":
        monkeypatch.delattr(controller_class(), name)
    else:
        monkeypatch.setattr(controller_class(), name, changed)
    fallbacks = Fallbacks()
    assert not patches.may_reuse_workers(fallbacks)
    assert len(fallbacks.said) == 1


def test_without_its_name_of_a_signal_handler_ray_finds_one_while_it_starts(monkeypatch):
    from ray._private import utils

    monkeypatch.delattr(utils, "set_sigterm_handler")
    fallbacks = Fallbacks()
    with patches.signal_handlers_kept(fallbacks):
        assert utils.set_sigterm_handler(print) is None
    assert not hasattr(utils, "set_sigterm_handler")
    assert fallbacks.said == (
        f"this release of {patches.SIGTERM} has changed: a SIGTERM while Ray starts may end the "
        "process without a word",
    )


def test_without_its_client_a_head_is_asked_by_ray_itself(monkeypatch):
    done = subprocess.CompletedProcess([], patches.NO_SUCH_NAME, "", "")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    fallbacks = Fallbacks()
    assert patches.ask_head("127.0.0.1:6379", 1.0, fallbacks) is None
    assert len(fallbacks.said) == 1


def test_without_the_count_of_failures_a_lost_node_counts_as_one():
    fallbacks = Fallbacks()
    patches.forgive_failure(types.SimpleNamespace(run_metadata=None), fallbacks)
    assert len(fallbacks.said) == 1


def test_a_sentence_is_said_once(caplog):
    fallbacks = Fallbacks()
    with caplog.at_level(logging.WARNING):
        fallbacks.note("Ray", "slower")
        fallbacks.note("Ray", "slower")
    assert fallbacks.said == ("this release of Ray has changed: slower",)
    assert len(caplog.records) == 1


def test_a_sweep_runs_on_a_ray_that_renamed_all_of_it(ray_session, tmp_path, monkeypatch):
    import ray.tune.execution
    import ray.tune.trainable.function_trainable as functions

    newer = renamed(CONTROLLER, *CONTROLLER_NAMES, "_tune_controller")
    monkeypatch.setitem(sys.modules, CONTROLLER, newer)
    monkeypatch.setattr("ray.tune.tune.TuneController", newer.TuneController)
    monkeypatch.setattr(ray.tune.execution, "class_cache", types.ModuleType("class_cache"))
    monkeypatch.setattr(functions, "wrap_function", changed)
    config = parse_sweep(FILE, source="small.yaml", overrides=[("search.trials", 2)])
    outcome = start_sweep(config, Launch(storage=tmp_path / "results", data_root=tmp_path))
    assert (outcome.status, outcome.usable) == ("complete", 2)
    said = open_store(tmp_path / "results").get_sweep("small").run_flags["fallbacks"]
    assert [sentence.partition(")")[0] + ")" for sentence in said] == [
        f"this release of {name}" for name in (patches.MIXINS, patches.CONTROLLER, patches.WRAPPER)
    ]
