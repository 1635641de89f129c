"""Running the final stage: after a search, or on its own."""

from collections.abc import Sequence
from dataclasses import replace

from tune_app.config.sweep import SweepConfig
from tune_app.config.user_functions import Function
from tune_app.data.sets import load_final_data
from tune_app.errors import TuneAppError
from tune_app.results.housekeeping import require_files
from tune_app.results.store import Store, SweepRecord, open_store
from tune_app.results.test_split_log import note_test_reading
from tune_app.sweep.final import FinalSession, with_final_plan
from tune_app.sweep.launch import Launch, ray_and_data, require_same_data, surroundings
from tune_app.sweep.ray_tune.cluster import Cluster
from tune_app.sweep.ray_tune.engine import OUT_OF_TIME, Watch
from tune_app.sweep.session import Outcome
from tune_app.sweep.signals import StopSignals
from tune_app.sweep.trial.user_code import OwnFunctions, find_recorded


def run_final(
    name: str,
    launch: Launch,
    *,
    budgets: Sequence[int | None] = (),
    top: int | None = None,
    seeds: int | None = None,
    watch: Watch | None = None,
    model: Function | None = None,
    train: Function | None = None,
) -> Outcome:
    """Retrain the winners of a sweep's search over seeds and test them; see final.py.

    What was trained already is kept. `budgets`, `top` and `seeds` are those of the search file,
    or all, 3 and 5, if left out. `model` and `train` are the sweep's own functions, if not those
    that it keeps.

    Raises:
        UnknownSweepError, SweepBusyError: There is no such sweep, or a live process owns it.
        BudgetError, SpaceError: There is nothing to train for what is asked.
        DataError: The data set is not what the sweep began with.
        StorageError: Its files are not in this storage.
        FunctionError: A function of its own is not there.
    """
    store = open_store(launch.storage)
    record = store.get_sweep(name)
    store.refuse_if_live(name)
    require_files(store, name)
    record = with_final_plan(store, record, budgets=budgets, top=top, seeds=seeds)
    config = SweepConfig.from_dict(record.config)
    own = find_recorded(store, record, model=model, train=train)
    with (
        StopSignals() as signals,
        ray_and_data(config, launch, signals, record.resolved) as (cluster, data, _),
    ):
        require_same_data(data, record)
        resumed = [*record.run_flags.get("resumed", []), surroundings(launch)]
        record = replace(record, run_flags={**record.run_flags, "resumed": resumed})
        return _run_final(record, store, launch, cluster, signals, watch, own)


def wants_final(config: SweepConfig) -> bool:
    """Tell whether a search file asks for a final stage."""
    return config.final is not None or bool(config.baselines)


def with_final(
    outcome: Outcome,
    store: Store,
    launch: Launch,
    cluster: Cluster,
    signals: StopSignals,
    watch: Watch | None,
    own: OwnFunctions,
) -> Outcome:
    """Return the outcome of a search with that of the final stage, if it is to follow."""
    record = store.get_sweep(outcome.name)
    config = SweepConfig.from_dict(record.config)
    # One that was begun from the command line is gone on with too.
    wanted = wants_final(config) or bool(record.final)
    ended = outcome.status == "complete" or outcome.reason == OUT_OF_TIME
    if not (wanted and ended and outcome.usable):
        return outcome
    try:
        if config.final is not None:
            record = with_final_plan(store, record)
        final = _run_final(record, store, launch, cluster, signals, watch, own)
    except TuneAppError as error:  # the search stands, and its caller has yet to show it
        return replace(outcome, final_error=error)
    if final.status == "complete":
        return replace(outcome, final=final)
    return replace(
        outcome, status=final.status, reason=final.reason, signal=final.signal, final=final
    )


def _run_final(
    record: SweepRecord,
    store: Store,
    launch: Launch,
    cluster: Cluster,
    signals: StopSignals,
    watch: Watch | None,
    own: OwnFunctions,
) -> Outcome:
    data = load_final_data(SweepConfig.from_dict(record.config).dataset, launch.data_root)
    note_test_reading(store, record.name, "the final stage")
    session = FinalSession(store, record, cluster, data, signals)
    return session.run(watch=watch, own=own)
