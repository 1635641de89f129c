"""The cards at the top of a sweep's page, with the best trial of each budget."""

from collections.abc import Sequence
from dataclasses import dataclass

from tune_app.results.ranking import fits
from tune_app.results.tables.layout import value_text
from tune_app.results.tables.trial_row import TrialRow
from tune_app.results.tables.trial_table import objective_of, table_budgets
from tune_app.service.pages.selection import ranked_trials
from tune_app.service.snapshots import Snapshot

RECENT_TRIALS = 10
_UNDER_WAY = ("pending", "running")


@dataclass(frozen=True)
class BestTrialCard:
    """The best trial of a budget; without a ranked trial, only `budget` is set."""

    budget: int | None
    trial_id: str = ""
    value: str = ""
    weights: str = ""
    gain: str = ""  # what the latest trials added


def best_trial_cards(snapshot: Snapshot) -> list[BestTrialCard]:
    """Return the best trial of each budget, and the improvement by the last ten trials."""
    recent = _recent_trials(snapshot.rows)
    return [_card(snapshot, budget, recent) for budget in table_budgets(snapshot.record)]


def _card(snapshot: Snapshot, budget: int | None, recent: Sequence[str]) -> BestTrialCard:
    ranked = [row for row in ranked_trials(snapshot) if fits(row, budget)]
    if not ranked:
        return BestTrialCard(budget)
    metric, _ = objective_of(snapshot.record)
    best = ranked[0]
    return BestTrialCard(
        budget=budget,
        trial_id=best.trial_id,
        value=value_text(best.result(metric), metric),
        weights="" if best.weights is None else f"{best.weights:,}",
        gain=_gain(ranked, metric, recent),
    )


def _recent_trials(rows: Sequence[TrialRow]) -> list[str]:
    """Return the trials that ended last; none if the sweep has no earlier trials."""
    ended = [row for row in rows if row.stage == "search" and row.status not in _UNDER_WAY]
    ended.sort(key=lambda row: (row.ended or row.started or row.created, row.number))
    if len(ended) <= RECENT_TRIALS:
        return []
    return [row.trial_id for row in ended[-RECENT_TRIALS:]]


def _gain(ranked: Sequence[TrialRow], metric: str, recent: Sequence[str]) -> str:
    if not recent:
        return ""
    earlier = next((row for row in ranked if row.trial_id not in recent), None)
    if earlier is None:
        return f"first result in the last {len(recent)} trials"
    difference = ranked[0].result(metric) - earlier.result(metric)
    if not difference:
        return f"no gain in the last {len(recent)} trials"
    sign = "+" if difference > 0 else "−"
    return f"{sign}{value_text(abs(difference), metric)} in the last {len(recent)} trials"
