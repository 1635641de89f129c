"""The report of one sweep or several: importance and diagnoses computed, then written."""

from collections.abc import Sequence
from pathlib import Path

from tune_app.actions.diagnoses import check_diagnostic, run_diagnostic
from tune_app.results.store import Store


def write_sweep_report(
    store: Store, sweeps: Sequence[str], to: Path, data_root: Path, diagnoses: Sequence[str] = ()
) -> list[Path]:
    """Write the report of `sweeps` to `to` and return every file written, `to` first.

    `diagnoses` names the diagnostics whose findings become sections.

    Raises:
        DiagnosisError: There is no such diagnostic, or it does not suit a sweep.
        UnknownSweepError: There is no such sweep.
        TuneAppError: `to` does not end in .html, .md or .tex.
        StorageError: A file cannot be written.
    """
    for name in diagnoses:
        check_diagnostic(name)
    records = [store.get_sweep(name) for name in sweeps]

    from tune_app.report.sweep_report import build_document, check_target, write_document

    check_target(to)

    from tune_app.sweep.search.parameter_importance import sweep_importance

    importance = {record.name: sweep_importance(store, record) for record in records}
    found = {}
    if diagnoses:
        from tune_app.diagnostics.workbench import Workbench

        bench = Workbench(store, data_root)
        found = {
            record.name: [run_diagnostic(name, bench, record.name).section() for name in diagnoses]
            for record in records
        }
    return write_document(build_document(store, sweeps, data_root, importance, found), to)
