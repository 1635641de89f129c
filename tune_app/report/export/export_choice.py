"""Choose the network of a sweep that is exported."""

from dataclasses import dataclass

from tune_app.config.budget import format_budget
from tune_app.errors import ExportError
from tune_app.hints import hint
from tune_app.results.final_results import WinnerRow, choose_export, final_rows
from tune_app.results.store import Store, SweepRecord, TrialRecord
from tune_app.results.tables.trial_table import ranked_rows, table_budgets, trial_rows


@dataclass(frozen=True)
class ExportChoice:
    """A trial to export, and how it was chosen."""

    sweep: SweepRecord
    trial: TrialRecord
    searched: int  # number of search trials that it was chosen from
    winner: WinnerRow | None = None  # of a final trial: the row of its replicates

    @property
    def is_first_seed(self) -> bool:
        """Whether it is the replicate with the first seed, which no test result influenced."""
        return self.winner is not None and self.winner.first_seed_trial == self.trial.trial_id


def pick_trial(
    store: Store, sweep: SweepRecord, *, budget: int | None = None, trial_id: str | None = None
) -> ExportChoice:
    """Return the trial with that id, or else the best choice among those that fit `budget`.

    After a final stage this is the winner's replicate with the first seed (see `choose_export`),
    which is not always the replicate with the best test result. Without a final stage it is the
    best trial of the search.

    Raises:
        UnknownTrialError: The sweep has no trial with that id.
        ExportError: No trial fits, or the sweep has several budgets and none was chosen.
    """
    searched = sum(trial.stage == "search" for trial in store.trials(sweep.name))
    if trial_id is not None:
        if budget is not None:
            raise ExportError(
                "a budget and a trial exclude each other", hint=hint("budget_or_trial")
            )
        trial = store.get_trial(sweep.name, trial_id)
        return ExportChoice(sweep, trial, searched, _winner_of(store, sweep, trial))
    limits = table_budgets(sweep)
    if budget is None and len(limits) > 1:
        names = ", ".join(format_budget(limit) for limit in sweep.budgets)
        raise ExportError(
            f"sweep '{sweep.name}' has a best network for each of its budgets",
            hint=hint("choose_network", names=names),
        )
    limit = limits[0] if budget is None else budget
    # After a final stage its winner is exported, else the best trial of the search.
    winner = choose_export(final_rows(store, sweep, limit))
    if winner is not None and winner.first_seed_trial is not None:
        trial = store.get_trial(sweep.name, winner.first_seed_trial)
        return ExportChoice(sweep, trial, searched, winner)
    ranked = ranked_rows(trial_rows(store, sweep), sweep, limit)
    if not ranked:
        what = "" if limit is None else f" of at most {limit:,} weights"
        raise ExportError(
            f"sweep '{sweep.name}' has no ranked trial{what}",
            hint=hint("list_trials", sweep=sweep.name),
        )
    return ExportChoice(sweep, store.get_trial(sweep.name, ranked[0].trial_id), searched)


def _winner_of(store: Store, sweep: SweepRecord, trial: TrialRecord) -> WinnerRow | None:
    """Return the row of the winner that a final trial is a replicate of; None for other trials."""
    if trial.stage != "final":
        return None
    rows = (row for limit in table_budgets(sweep) for row in final_rows(store, sweep, limit))
    return next((row for row in rows if row.trial_id == trial.source), None)
