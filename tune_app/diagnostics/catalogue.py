"""All diagnostics of trials by name."""

from collections.abc import Callable, Mapping

from tune_app.diagnostics.diagnosis import Diagnosis
from tune_app.diagnostics.studies.curvature import diagnose_curvature
from tune_app.diagnostics.studies.generalisation import diagnose_generalisation
from tune_app.diagnostics.studies.gradients import diagnose_gradients
from tune_app.diagnostics.studies.interpolation import diagnose_interpolation
from tune_app.diagnostics.studies.network_behaviour import diagnose_network
from tune_app.diagnostics.studies.random_labels import diagnose_random_labels
from tune_app.diagnostics.studies.sensitivity import diagnose_sensitivity
from tune_app.diagnostics.studies.weight_paths import diagnose_paths

# Each takes a list of subjects, and its options by keyword.
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
