"""Running the final stage, after a search or by itself."""

from collections.abc import Sequence
from dataclasses import replace

from tune_app.config.sections import FinalConfig
from tune_app.config.sweep import SweepConfig
from tune_app.data.sets import load_final_data
from tune_app.errors import TuneAppError
from tune_app.results.housekeeping import require_files
from tune_app.results.store import open_store
from tune_app.results.store.statuses import SweepStatus
from tune_app.results.test_split_log import note_test_reading
from tune_app.sweep.final import FinalSession, with_final_plan
from tune_app.sweep.launch import Launch, noted_again, ray_and_data, require_same_data
from tune_app.sweep.ray_tune.engine import OUT_OF_TIME
from tune_app.sweep.session import Outcome
from tune_app.sweep.signals import StopSignals
from tune_app.sweep.sweep_run import SweepRun
from tune_app.sweep.trial.user_code import find_recorded_functions


def run_final(
    name: str,
    launch: Launch,
    *,
    budgets: Sequence[int | None] = (),
    top: int | None = None,
    seeds: int | None = None,
) -> Outcome:
    """Retrain the winners of a sweep's search over seeds and test them; see final.py.

    Earlier final trainings are kept. The search file supplies missing `budgets`, `top` and `seeds`;
    its own defaults are all budgets, 3 winners and 5 seeds.

    Raises:
        UnknownSweepError, SweepBusyError: The sweep does not exist, or a live process owns it.
        BudgetError, SpaceError: The sweep has no such budget, or no trial with a result.
        DataError: The data set has changed since the sweep began.
        StorageError: The files of the sweep are not in this storage.
        FunctionError: User code of the sweep is missing.
    """
    store = open_store(launch.storage)
    record = store.get_sweep(name)
    store.refuse_if_live(name)
    require_files(store, name)
    config = record.sweep_config
    wanted = config.final or FinalConfig()
    wanted = wanted.model_copy(update={"top": top or wanted.top, "seeds": seeds or wanted.seeds})
    record = with_final_plan(store, record, wanted, budgets)
    functions = find_recorded_functions(store, record, config, launch)
    with (
        StopSignals() as signals,
        ray_and_data(config, launch, signals, record.resolved) as (cluster, data, _),
    ):
        require_same_data(data, record)
        record = noted_again(record, launch)
        run = SweepRun(
            config=config,
            record=record,
            store=store,
            launch=launch,
            cluster=cluster,
            data=data,
            signals=signals,
            functions=functions,
        )
        return _run_final(run)


def wants_final(config: SweepConfig) -> bool:
    """Tell whether a search file asks for a final stage."""
    return config.final is not None or bool(config.baselines)


def with_final(run: SweepRun, outcome: Outcome) -> Outcome:
    """Run the final stage if one follows, and return the outcome of the search with its outcome."""
    run = replace(run, record=run.store.get_sweep(run.name))
    # A final stage that was started by itself earlier is continued too.
    wanted = wants_final(run.config) or bool(run.record.final)
    ended = outcome.status == SweepStatus.COMPLETE or outcome.reason == OUT_OF_TIME
    if not (wanted and ended and outcome.usable):
        return outcome
    try:
        if run.config.final is not None:
            run = replace(run, record=with_final_plan(run.store, run.record, run.config.final))
        final = _run_final(run)
    except TuneAppError as error:  # the search is recorded, and the caller has yet to show it
        return replace(outcome, final_error=error)
    if final.status == SweepStatus.COMPLETE:
        return replace(outcome, final=final)
    return replace(
        outcome, status=final.status, reason=final.reason, signal=final.signal, final=final
    )


def _run_final(run: SweepRun) -> Outcome:
    data = load_final_data(run.config.dataset, run.launch.data_root)
    note_test_reading(run.store, run.name, "the final stage")
    return FinalSession(replace(run, data=data)).run()
