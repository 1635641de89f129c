"""The diagnostics of several trials, by the name that the command line has for each."""

from collections.abc import Callable, Mapping

from tune_app.diagnostics.curvature import diagnose_curvature
from tune_app.diagnostics.diagnosis import Diagnosis
from tune_app.diagnostics.generalisation import diagnose_generalisation
from tune_app.diagnostics.gradients import diagnose_gradients
from tune_app.diagnostics.interpolate import diagnose_interpolation
from tune_app.diagnostics.network import diagnose_network
from tune_app.diagnostics.paths import diagnose_paths
from tune_app.diagnostics.random_labels import diagnose_random_labels
from tune_app.diagnostics.sensitivity import diagnose_sensitivity

# Each takes a list of subjects, and its own options by keyword.
DIAGNOSTICS: Mapping[str, Callable[..., Diagnosis]] = {
    "paths": diagnose_paths,
    "gradients": diagnose_gradients,
    "curvature": diagnose_curvature,
    "interpolate": diagnose_interpolation,
    "sensitivity": diagnose_sensitivity,
    "random_labels": diagnose_random_labels,
    "generalisation": diagnose_generalisation,
    "network": diagnose_network,
}
