"""Parameter importance by Optuna's evaluators, for each budget separately.

fANOVA (Hutter, Hoos and Leyton-Brown 2014, "An Efficient Approach for Assessing Hyperparameter
Importance") fits a forest to all trials and gives each parameter the part of the variance that
it explains alone. It needs parameters that every trial has. PED-ANOVA (Watanabe, Bansal and
Hutter 2023, arXiv:2304.10255) compares the distribution of the best trials with that of the others;
its conditional form (arXiv:2601.20800) also covers parameters that only some trials have.
"""

import warnings
from collections.abc import Mapping, Sequence

import optuna
from optuna.distributions import BaseDistribution
from optuna.importance import (
    BaseImportanceEvaluator,
    FanovaImportanceEvaluator,
    PedAnovaImportanceEvaluator,
    get_param_importances,
)
from optuna.trial import FrozenTrial, create_trial

from tune_app.config.sweep import Objective, SweepConfig
from tune_app.results.importance_record import Importance
from tune_app.results.ranking import is_number
from tune_app.results.store import Store, SweepRecord, TrialRecord
from tune_app.results.tables.trial_table import table_budgets
from tune_app.sweep.search.samplers import to_distribution, to_study

FEWEST_TRIALS = 10
BEST_SHARE, FEWEST_BEST = 0.1, 5  # what PED-ANOVA takes for the best trials
METHODS = ("fanova", "ped-anova")


def sweep_importance(store: Store, sweep: SweepRecord) -> list[Importance]:
    """Return the importance of parameters in a search, for each method and budget.

    The value of a trial is that of its best epoch, by which it is ranked, even if it was stopped
    early. So a parameter that caused early stops counts as one that made results worse.
    """
    config = sweep.sweep_config
    trials = [trial for trial in store.trials(sweep.name) if trial.stage == "search"]
    return [
        importance_among(
            [trial for trial in trials if trial.budget == budget], config, method, budget
        )
        for method in METHODS
        for budget in table_budgets(sweep)
    ]


def importance_over_budgets(store: Store, sweep: SweepRecord) -> list[Importance]:
    """Return the importance of parameters among the trials of all budgets together, by method.

    This is less informative than `sweep_importance`, since a parameter may matter only in large
    networks. But it needs only ten trials in total, instead of ten for each budget.
    """
    trials = [trial for trial in store.trials(sweep.name) if trial.stage == "search"]
    return [importance_among(trials, sweep.sweep_config, method) for method in METHODS]


def importance_among(
    trials: Sequence[TrialRecord], config: SweepConfig, method: str, budget: int | None = None
) -> Importance:
    """Return the importance of parameters among `trials`, by one of METHODS."""
    metric = config.objective.metric
    scored = [
        trial for trial in trials if trial.status.is_ranked and is_number(trial.measured(metric))
    ]
    compared, left_out = _comparable(scored, config, every=method == "fanova")
    reason = _reason_against(scored, compared, metric)
    shares: dict[str, float] = {}
    if reason is None:
        distributions = {name: to_distribution(config.space[name]) for name in compared}
        shares = _shares(scored, distributions, config.objective, method)
        if not shares:
            reason = "no parameter sets the best trials apart"
    return Importance(method, budget, len(scored), shares, left_out, reason)


def _comparable(
    trials: Sequence[TrialRecord], config: SweepConfig, *, every: bool
) -> tuple[list[str], dict[str, str]]:
    """Return the parameters to compare, and the reason for each one that is left out."""
    compared, left_out = [], {}
    for name in config.space.varied:
        values = [trial.parameters[name] for trial in trials if name in trial.parameters]
        if not values:
            left_out[name] = "no trial has it"
        elif every and len(values) < len(trials):
            left_out[name] = f"only {len(values)} of {len(trials)} trials have it"
        elif len(values) == len(trials) and all(value == values[0] for value in values):
            left_out[name] = "it is the same in every trial"
        elif len(values) < 2 or len(trials) - len(values) == 1:
            left_out[name] = f"{len(values)} of {len(trials)} trials have it"
        else:
            compared.append(name)
    return compared, left_out


def _reason_against(
    scored: Sequence[TrialRecord], compared: Sequence[str], metric: str
) -> str | None:
    if len(scored) < FEWEST_TRIALS:
        return f"{len(scored)} trials have a result; at least {FEWEST_TRIALS} are needed"
    if not compared:
        return "no parameter varies in all of its trials"
    if len({trial.measured(metric) for trial in scored}) == 1:
        return f"all {len(scored)} trials have the same result"
    return None


def _shares(
    trials: Sequence[TrialRecord],
    distributions: Mapping[str, BaseDistribution],
    objective: Objective,
    method: str,
) -> dict[str, float]:
    """Return the share of each parameter, largest first; empty if none made a difference."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        direction="maximize" if objective.mode == "max" else "minimize",
        sampler=optuna.samplers.RandomSampler(seed=0),
    )
    study.add_trials(
        [_study_trial(trial, distributions, objective) for trial in trials],
    )
    evaluator: BaseImportanceEvaluator
    if method == "fanova":
        evaluator = FanovaImportanceEvaluator(seed=0)
    else:
        best = max(BEST_SHARE, FEWEST_BEST / len(trials))
        evaluator = PedAnovaImportanceEvaluator(target_quantile=best)
    with warnings.catch_warnings():
        # Asking for the raw numbers is "experimental"; normalised ones hide that all are 0.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # Ties put every trial among the best: the numbers are 0 then, and we say so.
        warnings.filterwarnings("ignore", message="Target and region quantiles")
        raw = get_param_importances(study, evaluator=evaluator, normalize=False)
    total = sum(raw.values())
    if total <= 0:
        return {}
    ordered = sorted(raw.items(), key=lambda item: (-item[1], item[0]))
    return {name: float(value / total) for name, value in ordered}


def _study_trial(
    trial: TrialRecord, distributions: Mapping[str, BaseDistribution], objective: Objective
) -> FrozenTrial:
    compared = {n: value for n, value in trial.parameters.items() if n in distributions}
    return create_trial(
        value=trial.measured(objective.metric),
        params={name: to_study(value) for name, value in compared.items()},
        distributions={name: distributions[name] for name in compared},
    )
