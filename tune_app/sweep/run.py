"""Running a sweep from its SweepConfig to its end, or continuing one from its record."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tune_app.config.data_summary import DataSummary
from tune_app.config.sweep import SweepConfig
from tune_app.data.data_checks import summarize_data
from tune_app.data.sets import SearchData, data_shape
from tune_app.errors import SpaceError, SweepExistsError
from tune_app.hints import hint
from tune_app.results.housekeeping import require_files
from tune_app.results.store import Resolved, SweepRecord, open_store, this_process
from tune_app.results.store.names import numbered_name, resume_command
from tune_app.results.store.statuses import SweepStatus
from tune_app.sweep.final_run import with_final
from tune_app.sweep.launch import (
    Launch,
    noted_again,
    ray_and_data,
    require_same_data,
    surroundings,
)
from tune_app.sweep.ray_tune.placement import plan_placement
from tune_app.sweep.search.feasible import FeasibleSpace
from tune_app.sweep.search.predefined import grid_draws, predefined_draws
from tune_app.sweep.search.smallest_network import require_budgets
from tune_app.sweep.session import Outcome, SearchSession
from tune_app.sweep.signals import StopSignals
from tune_app.sweep.sweep_run import SweepRun
from tune_app.sweep.trial.user_code import (
    UserFunctions,
    copy_user_code,
    describe_user_functions,
    find_recorded_functions,
    find_user_functions,
    name_user_functions,
)
from tune_app.training.metric_functions import require_metrics


def named(config: SweepConfig, storage: Path, *, new: bool = False) -> SweepConfig:
    """Return `config` with a name that is free in `storage`; `new` numbers a taken name.

    Raises:
        SweepExistsError: A sweep has the name, or a folder of that name holds other files.
    """
    store = open_store(storage)
    if store.is_free(config.name):
        return config
    if new:
        free = numbered_name(config.name, store.is_free)
        return config.model_copy(update={"name": free})
    if any(record.name == config.name for record in store.list_sweeps(archived=True)):
        again = resume_command(config.name, storage)
        raise SweepExistsError(
            f"a sweep named '{config.name}' exists",
            hint=hint("resume_or_rename", resume=again, sweep=config.name),
        )
    raise SweepExistsError(
        f"{store.sweep_folder(config.name)} holds files of a sweep that the record does not know",
        hint=hint("another_name"),
    )


def start_sweep(config: SweepConfig, launch: Launch) -> Outcome:
    """Run a new sweep to its end.

    The record names the functions that are passed with `launch`; functions that the file names are
    searched in `launch.folders`.

    Raises:
        SweepExistsError: The name is taken; see `named`.
        FunctionError: User code is missing, or does not fit the parameters.
        SpaceError, BudgetError, UnknownSweepError: The search file cannot be run as it is.
        DataMissingError, DataError, StorageError, ClusterError: The sweep cannot start.
        StopRequested: SIGINT or SIGTERM came before the first trial.
    """
    if launch.announce is not None:
        launch.announce(config)
    config = name_user_functions(config, launch.model, launch.train)
    with StopSignals() as signals:
        named(config, launch.storage)
        functions = find_user_functions(
            config, launch.folders, model=launch.model, train=launch.train
        )
        summary = summarize_data(config, launch.data_root)
        if launch.announce_data is not None:
            launch.announce_data(summary)
        feasible = _feasible(config, launch, functions)
        require_budgets(feasible)
        config = _complete(config, feasible)
        store = open_store(launch.storage)
        if config.search.start_from is not None:
            store.get_sweep(config.search.start_from)
        with ray_and_data(config, launch, signals) as (cluster, data, kernels):
            plan_placement(config.resources, cluster.nodes)
            record = _record(config, launch, data, kernels, functions, summary)
            store.create_sweep(record)
            copy_user_code(store, config.name, functions)
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
            return with_final(run, SearchSession(run, feasible).run())


def resume_sweep(
    name: str,
    launch: Launch,
    *,
    trials: int | None = None,
) -> Outcome | None:
    """Continue a sweep from its record: unfinished trials first, then new ones.

    `trials` extends the search to that many trials. The final stage follows unless it is done; if
    only the final stage is left, the outcome counts the trials of the search as recorded. Returns
    None if nothing is left to do.

    Raises:
        UnknownSweepError, SweepBusyError: The sweep does not exist, or a live process owns it.
        SpaceError: The sweep already has more trials than `trials`.
        DataError: The data set has changed since the sweep began.
        StorageError: The files of the sweep are not in this storage.
        FunctionError: User code of the sweep is missing.
    """
    store = open_store(launch.storage)
    record = store.get_sweep(name)
    config = record.sweep_config
    if trials is not None:
        search = config.search.model_copy(update={"trials": trials})
        config = config.model_copy(update={"search": search})
    if launch.announce is not None:
        launch.announce(config)
    drawn = sum(trial.stage == "search" for trial in store.trials(name))
    if record.status == SweepStatus.COMPLETE and (trials is None or trials <= drawn):
        return None
    if trials is not None and trials < drawn:
        raise SpaceError(f"sweep '{name}' has {drawn} trials already", hint=hint("more_trials"))
    store.refuse_if_live(name)
    require_files(store, name)
    config = name_user_functions(config, launch.model, launch.train)
    functions = find_recorded_functions(store, record, config, launch)
    with StopSignals() as signals:
        feasible = _feasible(config, launch, functions)
        require_budgets(feasible)
        with ray_and_data(config, launch, signals, record.resolved) as (cluster, data, _):
            require_same_data(data, record)
            plan_placement(config.resources, cluster.nodes)
            run = SweepRun(
                config=config,
                record=replace(noted_again(record, launch), config=config.to_dict()),
                store=store,
                launch=launch,
                cluster=cluster,
                data=data,
                signals=signals,
                functions=functions,
            )
            return with_final(run, SearchSession(run, feasible).run())


def _feasible(config: SweepConfig, launch: Launch, functions: UserFunctions) -> FeasibleSpace:
    shape = data_shape(config.dataset, launch.data_root)
    require_metrics(config.metrics, shape.task, shape.outputs)
    return FeasibleSpace(config, shape.input_shape, shape.outputs, functions.model)


def _complete(config: SweepConfig, feasible: FeasibleSpace) -> SweepConfig:
    """Return `config` for the record: with the number of a grid's trials, and an absolute path.

    Raises:
        SpaceError, BudgetError: A configuration of `start_with` cannot come first.
    """
    search = config.search
    if search.sampler == "grid":
        if search.start_with:
            raise SpaceError("search.start_with goes with tpe and random; a grid draws everything")
        if "trials" not in search.model_fields_set:
            count = len(grid_draws(feasible)[0])
            config = config.model_copy(
                update={"search": search.model_copy(update={"trials": count})}
            )
    else:
        predefined_draws(config, feasible)
    path = config.dataset.path and Path(config.dataset.path).expanduser()
    if path and path.exists():  # otherwise it is relative to the data root, see `find_path`
        dataset = config.dataset.model_copy(update={"path": str(path.absolute())})
        config = config.model_copy(update={"dataset": dataset})
    return config


def _record(
    config: SweepConfig,
    launch: Launch,
    data: SearchData,
    kernels: Mapping[str, Any],
    functions: UserFunctions,
    summary: DataSummary,
) -> SweepRecord:
    # bf16 is used on request only: on the processors measured so far it either does not help
    # (they have no native bf16), or what it costs in accuracy at small sizes is unknown.
    precision = "fp32" if config.resources.precision == "auto" else config.resources.precision
    noted = surroundings(launch)
    described = describe_user_functions(functions)
    code = {"code": [str(folder) for folder in functions.folders]} if described else {}
    return SweepRecord(
        name=config.name,
        dataset=config.dataset.name,
        model=config.model,
        budgets=config.budgets,
        config=config.to_dict(),
        source=launch.source,
        command=launch.command,
        versions=noted["versions"],
        git_commit=noted["git_commit"],
        hardware=noted["hardware"],
        seed=config.search.seed,
        resolved=Resolved(
            precision=precision,
            kernels=kernels,
            task=data.task,
            input_shape=data.input_shape,
            input_dtype=data.x_train.dtype.name,
            outputs=data.outputs,
            classes=data.classes,
            mean=data.mean,
            std=data.std,
            data_digest=data.digest,
            train_count=len(data.x_train),
            validation_count=len(data.x_val),
            data=summary.to_json(),
            functions=described,
        ),
        owner=this_process(),
        run_flags={
            "address": launch.address,
            "data_root": str(launch.data_root.absolute()),
            **code,
        },
    )
