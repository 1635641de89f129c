"""Choose the figures of a sweep, or of several sweeps, and their order."""

from collections.abc import Sequence

from tune_app.report.figures.axes import parameter_scales, scored_rows
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.sweeps.best_so_far import progress_figure
from tune_app.report.figures.sweeps.heat_map import heat_map_figure, heat_map_pair
from tune_app.report.figures.sweeps.importance_figure import importance_figure, important_parameters
from tune_app.report.figures.sweeps.learning_curves import final_curves, learning_curves
from tune_app.report.figures.sweeps.parallel_coordinates import parallel_figure
from tune_app.report.figures.sweeps.rungs import rung_figure, rung_numbers
from tune_app.report.figures.sweeps.scatter import comparison_figure, pareto_figure, time_figure
from tune_app.report.figures.sweeps.scatter_numbers import compared_numbers, scatter_numbers
from tune_app.report.figures.sweeps.slices import slice_figure
from tune_app.results.importance_record import Importance
from tune_app.results.store import Store, SweepRecord
from tune_app.results.tables.trial_row import TrialRow
from tune_app.results.tables.trial_table import objective_of, ranked_rows, table_budgets, trial_rows

_CURVES_WITHOUT_BUDGETS = 3


def sweep_figures(
    store: Store, sweep: SweepRecord, importance: Sequence[Importance] | None = None
) -> list[ReportFigure]:
    """Return the figures of a sweep; none if no trial has a result.

    `importance` comes from `sweep.search.parameter_importance`, which needs Optuna.
    """
    rows = trial_rows(store, sweep)
    ranked = scored_rows(rows, sweep)
    if not ranked:
        return []
    figures = [pareto_figure(rows, sweep)]
    if scatter_numbers(rows, sweep, "seconds").points:
        figures.append(time_figure(rows, sweep))
    figures.append(_best_curves(store, sweep, rows))
    if retrained := _retrained_winners(sweep, rows):
        figures.append(final_curves(store, sweep, retrained))
    figures.append(progress_figure(rows, sweep))
    if any(any(rung.reached for rung in rungs) for rungs in rung_numbers(rows, sweep).values()):
        figures.append(rung_figure(rows, sweep))
    found = importance or []
    if any(one.shares for one in found):
        figures.append(importance_figure(found))
    scales = parameter_scales(ranked, sweep)
    if len(scales) > 1:
        figures.append(parallel_figure(rows, sweep))
    if any(scale.name != "budget" for scale in scales):
        figures.append(slice_figure(rows, sweep))
    if pair := heat_map_pair(rows, sweep, important_parameters(found)):
        figures.append(heat_map_figure(rows, sweep, *pair))
    return figures


def comparison_figures(store: Store, sweeps: Sequence[SweepRecord]) -> list[ReportFigure]:
    """Return figures that compare several sweeps; none if their objectives differ.

    Sweeps without a result are left out.
    """
    with_rows = [(sweep, trial_rows(store, sweep)) for sweep in sweeps]
    shown = [(sweep, rows) for sweep, rows in with_rows if scored_rows(rows, sweep)]
    if len(shown) < 2 or len({objective_of(sweep) for sweep, _ in shown}) > 1:
        return []
    costs = [cost for cost in ("weights", "seconds") if compared_numbers(shown, cost).points]
    return [comparison_figure(shown, cost) for cost in costs]


def _best_curves(store: Store, sweep: SweepRecord, rows: Sequence[TrialRow]) -> ReportFigure:
    """Return the learning curves of the best trial of each budget, or of the best three trials."""
    tables = {budget: ranked_rows(rows, sweep, budget) for budget in table_budgets(sweep)}
    if sweep.budgets:
        best = [table[0] for table in tables.values() if table]
        title = "Learning curves of the best trial of each budget"
    else:
        best = tables[None][:_CURVES_WITHOUT_BUDGETS]
        title = "Learning curves of the best trials"
    distinct = {row.trial_id: row for row in best}
    return learning_curves(store, sweep, list(distinct.values()), title=title)


def _retrained_winners(sweep: SweepRecord, rows: Sequence[TrialRow]) -> list[TrialRow]:
    """Return the replicates of each budget's first winner, or of the first three winners."""
    winners = sweep.final.get("winners", {})
    count = 1 if sweep.budgets else _CURVES_WITHOUT_BUDGETS
    shown = {source for sources in winners.values() for source in sources[:count]}
    return [row for row in rows if row.stage == "final" and row.source in shown and row.epochs]
