"""Diagnostics of trained networks: which exist, what each reads, and how one is run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tune_app.config.parsing.similar_names import did_you_mean
from tune_app.errors import DiagnosisError

if TYPE_CHECKING:
    from tune_app.diagnostics.diagnosis import Diagnosis
    from tune_app.diagnostics.workbench import Workbench


@dataclass(frozen=True)
class DiagnosticKind:
    """The subject of a diagnostic, and the options that it reads."""

    about: str
    options: tuple[str, ...] = ()


DIAGNOSTIC_KINDS = {
    "paths": DiagnosticKind("how weights moved in training", ("layer", "contours")),
    "gradients": DiagnosticKind("gradient norm and loss", ("by_step", "epochs")),
    "curvature": DiagnosticKind(
        "minimum ratio where the gradient is nearly zero", ("most", "iterations")
    ),
    "interpolate": DiagnosticKind("the line between two trials", ("most", "test")),
    "sensitivity": DiagnosticKind(
        "gradients with respect to the input, and sharpness, against batch size", ("most", "test")
    ),
    "random_labels": DiagnosticKind("the same training on random labels", ("epochs",)),
    "generalisation": DiagnosticKind("loss and accuracy against weights", ("measure",)),
    "network": DiagnosticKind("what one network sees, where it errs and how sure it is"),
    "ranking": DiagnosticKind("what mattered, what fails, where to continue the search"),
}

# These look at one network: the best trial, unless another is named.
_OF_ONE = ("network", "random_labels", "gradients")


def check_diagnostic(name: str) -> None:
    """Raise an error if no diagnostic has this name.

    Raises:
        DiagnosisError: The name is unknown; the text names the most similar one, or all.
    """
    if name not in DIAGNOSTIC_KINDS:
        expected = did_you_mean(name, DIAGNOSTIC_KINDS)
        expected = expected or f"expected one of {', '.join(DIAGNOSTIC_KINDS)}"
        raise DiagnosisError(f"no diagnostic '{name}': {expected}")


def run_diagnostic(
    name: str,
    bench: "Workbench",
    sweep: str,
    trials: Sequence[str] = (),
    options: Mapping[str, Any] = MappingProxyType({}),
) -> "Diagnosis":
    """Return the result of a diagnostic for the named trials, or for all suitable ones.

    Raises:
        DiagnosisError: The trials do not suit the diagnostic, or none has trained.
        UnknownTrialError: There is no such trial.
    """
    if name == "ranking":
        if trials:
            raise DiagnosisError("ranking is about a whole sweep: name no trials")

        from tune_app.diagnostics.studies.ranking_causes import diagnose_ranking
        from tune_app.sweep.search.parameter_importance import sweep_importance

        record = bench.store.get_sweep(sweep)
        return diagnose_ranking(bench.store, record, sweep_importance(bench.store, record))

    from tune_app.diagnostics.catalogue import DIAGNOSTICS

    if name in _OF_ONE and not trials:
        subjects = [bench.best(sweep)]
    else:
        subjects = bench.subjects(sweep, trials)
    if not subjects:
        raise DiagnosisError(f"no trial of sweep '{sweep}' has trained; wait for it, or resume it")
    return DIAGNOSTICS[name](subjects, **options)
