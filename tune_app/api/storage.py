"""Reading sweeps in Python, without Ray: tables, figures, exports, reports and diagnostics."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tune_app.api.figure_list import Figures
from tune_app.config.budget import format_budget, parse_budget
from tune_app.config.sweep import SweepConfig
from tune_app.errors import BudgetError, UnknownTrialError
from tune_app.results.places import find_data_root
from tune_app.results.result_table import Table
from tune_app.results.store import Store, SweepRecord, TrialRecord, open_store
from tune_app.results.tables.layout import full_layout, ranked_layouts
from tune_app.results.tables.sweep_tables import rows_json
from tune_app.results.tables.trial_table import (
    epoch_row,
    epochs_frame,
    ranked_rows,
    table_budgets,
    trial_rows,
)
from tune_app.results.transfer.mirror import storage_folder

if TYPE_CHECKING:
    import pandas as pd

    from tune_app.diagnostics.diagnosis import Diagnosis

Budget = int | str | None  # 20_000, "20k"


def open_storage(folder: str | Path | None = None) -> "Storage":
    """Return the sweeps of a storage folder: `TUNE_APP_STORAGE`, else ./tune_results."""
    return Storage(open_store(storage_folder(folder)))


class Storage:
    """The sweeps of one folder: `storage["name"]`, or all of them in a loop, newest first."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def __getitem__(self, name: str) -> "Sweep":
        """Return the sweep of that name.

        Raises:
            UnknownSweepError: The storage has no sweep of that name.
        """
        self.store.get_sweep(name)
        return Sweep(self.store, name)

    def __iter__(self) -> Iterator["Sweep"]:
        return (Sweep(self.store, record.name) for record in self.store.list_sweeps())

    def __len__(self) -> int:
        return len(self.store.list_sweeps())

    def add(self, record: str | Path) -> "Sweep":
        """Add a sweep from a `record.json`. It can be read like any other, but has no weights.

        Raises:
            StorageError: The file cannot be read, or does not contain a record.
            SweepExistsError: There is a sweep of that name.
        """
        from tune_app.results.transfer.sweep_json import add_file

        added = add_file(self.store, Path(record))
        self.store.push_changes()
        return Sweep(self.store, added.name)

    def compare(self, *names: str) -> Table:
        """Return the winners of several sweeps in one table, the best of each budget marked.

        The winners come from the final stage and are compared on the test split, separately for
        each budget and data set: see `tune_app.results.tables.published_tables.published_rows`.

        Raises:
            UnknownSweepError: There is no such sweep.
        """
        from tune_app.results.tables.published_tables import published_layout, published_rows

        sweeps = [self.store.get_sweep(name) for name in names]
        return Table(
            tuple(published_rows(self.store, sweeps)), (published_layout(self.store, sweeps),)
        )

    def __repr__(self) -> str:
        names = ", ".join(record.name for record in self.store.list_sweeps())
        return f"<sweeps in {self.store.home}: {names or 'none'}>"


class Sweep:
    """A recorded sweep. Each call reads the record anew."""

    def __init__(self, store: Store, name: str) -> None:
        self.store, self.name = store, name

    @property
    def record(self) -> SweepRecord:
        """The record of the sweep itself."""
        return self.store.get_sweep(self.name)

    @property
    def status(self) -> str:
        """One of running, stopping, complete, stopped, interrupted."""
        return self.record.status

    @property
    def config(self) -> SweepConfig:
        """The search file of the sweep."""
        return self.record.sweep_config

    def ranked(self, budget: Budget = None, *, top: int | None = None) -> Table:
        """Return the ranked table of a budget; without `budget`, those of all budgets.

        Raises:
            SpaceError: `budget` is no number of weights.
        """
        record = self.record
        rows = trial_rows(self.store, record)
        limits = table_budgets(record) if budget is None else (parse_budget(budget),)
        shown = [row for limit in limits for row in ranked_rows(rows, record, limit)[:top]]
        layouts = ranked_layouts(rows, record, budgets=limits, top=top)
        return Table(tuple(rows_json(shown)), tuple(layouts))

    def trials(self) -> Table:
        """Return every trial, including failed trials and those of the final stage."""
        record = self.record
        rows = trial_rows(self.store, record)
        return Table(tuple(rows_json(rows)), (full_layout(rows, rows, record),))

    def tested(self, budget: Budget = None) -> Table:
        """Return the retrained and tested winners of a budget; without `budget`, of all budgets.

        Its rows are those of `results.final_results.final_rows`; empty before the final stage.

        Raises:
            SpaceError: `budget` is no number of weights.
        """
        from tune_app.results.tables.final_layout import final_layouts
        from tune_app.results.tables.sweep_tables import winners_json

        record = self.record
        rows = trial_rows(self.store, record)
        limits = None if budget is None else (parse_budget(budget),)
        layouts = final_layouts(rows, record, budgets=limits)
        return Table(tuple(winners_json(rows, record, limits)), tuple(layouts))

    def best(self, budget: Budget = None) -> TrialRecord:
        """Return the best trial of the search that fits a budget.

        Raises:
            BudgetError: The sweep has several budgets, and `budget` is missing.
            UnknownTrialError: No trial that fits has a result.
        """
        limits = table_budgets(self.record)
        if budget is None and len(limits) > 1:
            names = ", ".join(format_budget(limit) for limit in limits if limit is not None)
            raise BudgetError(
                f"sweep '{self.name}' has a best trial for each of its budgets: choose one of "
                f"{names} with budget="
            )
        rows = self.ranked(budget, top=1)
        if not rows:
            raise UnknownTrialError(f"no trial of sweep '{self.name}' that fits has a result")
        return self.store.get_trial(self.name, rows[0]["trial_id"])

    def export(
        self,
        to: str | Path,
        *,
        budget: Budget = None,
        trial: str | None = None,
        formats: Collection[str] = ("pt",),
    ) -> TrialRecord:
        """Write a network to the folder `to`, as `tune-app export` does; return its trial.

        `formats` can contain pt, safetensors, onnx and pt2. If torch.export cannot trace the
        network, predict.py is left out and a note is printed on stderr.

        Raises:
            ExportError: No trial fits, its weights were deleted, or `to` has other files.
        """
        from tune_app.actions.export_notes import note_left_out
        from tune_app.report.export.export_choice import pick_trial
        from tune_app.report.export.trial_export import write_export

        limit = None if budget is None else parse_budget(budget)
        record = self.store.get_sweep(self.name)
        choice = pick_trial(self.store, record, budget=limit, trial_id=trial)
        write_export(self.store, choice, Path(to), formats, on_left_out=note_left_out)
        return choice.trial

    def report(self, to: str | Path, *, data_root: str | Path | None = None) -> Path:
        """Write tables, figures and the protocol to FILE.html, FILE.md or FILE.tex.

        Raises:
            TuneAppError: `to` has another suffix.
            StorageError: A file cannot be written.
        """
        from tune_app.actions.reports import write_sweep_report

        write_sweep_report(self.store, [self.name], Path(to), find_data_root(data_root))
        self.store.push_changes()
        return Path(to)

    def diagnose(
        self, what: str, *trials: str, data_root: str | Path | None = None, **options: Any
    ) -> "Diagnosis":
        """Return what a diagnostic finds in trials, as `tune-app diagnose` does.

        A notebook shows the findings and the figures of the result; its `tables` are DataFrames.

        Raises:
            DiagnosisError: There is no such diagnostic, or these trials do not suit it.
            UnknownTrialError: There is no such trial.
        """
        from tune_app.actions.diagnoses import check_diagnostic, run_diagnostic
        from tune_app.diagnostics.workbench import Workbench

        check_diagnostic(what)
        bench = Workbench(self.store, find_data_root(data_root))
        try:
            return run_diagnostic(what, bench, self.name, trials, options)
        finally:
            self.store.push_changes()  # a reading of the test split is noted

    def figures(self) -> Figures:
        """Return the figures of the search, as a report has them; a notebook shows each."""
        from tune_app.report.figures.sweeps.sweep_figures import sweep_figures
        from tune_app.sweep.search.parameter_importance import sweep_importance

        record = self.record
        drawn = sweep_figures(self.store, record, sweep_importance(self.store, record))
        return Figures(list(drawn))

    def epochs(self) -> "pd.DataFrame":
        """Return the measurements of all trials, with a line for each trial and epoch."""
        rows: dict[str, list[dict[str, Any]]] = {}
        for epoch in self.store.all_epochs(self.name):
            rows.setdefault(epoch.trial_id, []).append(epoch_row(epoch))
        return epochs_frame(rows)

    def final(
        self,
        *,
        budgets: Sequence[Budget] = (),
        top: int | None = None,
        seeds: int | None = None,
        quiet: bool = False,
    ) -> "Sweep":
        """Retrain the winners of budgets over seeds, test them once, and return the sweep.

        The search file supplies missing arguments; its own defaults are all budgets, 3 winners and
        5 seeds. `tested` has the results.

        Raises:
            BudgetError, SpaceError: The sweep has no such budget, or no trial with a result.
            TuneAppError: See `tune_app.sweep.final_run.run_final`.
        """
        from tune_app.actions.searches import same_launch
        from tune_app.api.notebook_progress import announcer
        from tune_app.sweep.final_run import run_final

        launch = same_launch(self.record, self.store.storage, "tune_app.Sweep.final")
        launch = replace(launch, watch=announcer(quiet).watch)
        limits = [None if budget is None else parse_budget(budget) for budget in budgets]
        run_final(self.name, launch, budgets=limits, top=top, seeds=seeds)
        return self

    def __repr__(self) -> str:
        return f"<sweep {self.name}: {self.status}>"

    def _repr_html_(self) -> str:
        return self.ranked(top=_SHOWN)._repr_html_()


_SHOWN = 5
