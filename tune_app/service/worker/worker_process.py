"""The worker process of `worker_client.py`: reads a task per line from stdin, answers on stdout."""

import json
import logging
import os
import sys
import tempfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from tune_app.actions.reports import write_sweep_report
from tune_app.actions.searches import forecast_search
from tune_app.config.budget import parse_budget
from tune_app.config.search_file import dump_sweep, parse_sweep
from tune_app.errors import SweepFileError, TuneAppError
from tune_app.hints import Door
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.figures.style import Theme, styled
from tune_app.results.importance_record import Importance
from tune_app.results.store import Store, open_store

LOG = logging.getLogger("tune_app.service.worker.worker_process")
MOST_KEPT = 8  # sweeps and trials of which something is kept
SAMPLES = 400  # random draws a budget, for a forecast
Made = TypeVar("Made")


class Worker:
    """The tasks, each a method; their files are written to `folder`."""

    def __init__(self, storage: Path, data_root: Path, folder: Path) -> None:
        self.store: Store = open_store(storage)
        self.data_root, self.folder = data_root, folder
        self._kept: OrderedDict[str, object] = OrderedDict()

    def figures(self, sweep: str, revision: str) -> dict[str, Any]:
        """Return the list of a sweep's figures."""
        return _listed(*self._sweep_figures(sweep, revision))

    def trial_figures(self, sweep: str, trial: str, revision: str) -> dict[str, Any]:
        """Return the list of a trial's figures, and why others could not be drawn."""
        return _listed(*self._trial_figures(sweep, trial, revision))

    def draw(
        self, sweep: str, trial: str | None, revision: str, name: str, theme: str, format: str
    ) -> str:
        """Draw a figure into a file and return its path."""
        if trial is None:
            found, _ = self._sweep_figures(sweep, revision)
        else:
            found, _ = self._trial_figures(sweep, trial, revision)
        figure = next((one for one in found if one.name == name), None)
        if figure is None:
            names = ", ".join(one.name for one in found) or "none yet"
            raise LookupError(f"there is no figure '{name}': there are {names}")
        path = self._file(f".{format}")
        metadata = dict.fromkeys(("Creator", "Date", "Format", "Type")) if format == "svg" else None
        with styled(Theme(theme)):
            drawn = figure.draw(Theme(theme))
            drawn.savefig(path, format=format, metadata=metadata, dpi=150, transparent=True)
        return str(path)

    def importance(self, sweep: str, revision: str) -> list[dict[str, Any]]:
        """Return the importance of the parameters by method and budget.

        If no budget has enough trials, the result also covers the trials of all budgets together.
        """
        from tune_app.sweep.search.parameter_importance import importance_over_budgets

        found = self._importance(sweep, revision)
        if len({one.budget for one in found}) > 1 and not any(one.shares for one in found):
            found = [*found, *importance_over_budgets(self.store, self.store.get_sweep(sweep))]
        return [
            {
                "method": one.method,
                "budget": one.budget,
                "trials": one.trials,
                "shares": dict(one.shares),
                "left_out": dict(one.left_out),
                "reason": one.reason,
            }
            for one in found
        ]

    def why(self, sweep: str, revision: str) -> dict[str, Any]:
        """Explain a sweep's ranking, with the numbers behind the explanation."""
        from tune_app.diagnostics.studies.ranking_causes import diagnose_ranking

        record = self.store.get_sweep(sweep)
        found = diagnose_ranking(self.store, record, self._importance(sweep, revision))
        return {
            "findings": list(found.findings),
            "method": found.method,
            "cautions": list(found.cautions),
            "tables": {
                name: table.astype(object).where(table.notna(), None).to_dict("records")
                for name, table in found.tables.items()
            },
        }

    def forecast(self, source: str, data_path: str | None, cores: int) -> dict[str, Any]:
        """Return the forecast for a search file, and the weights of random draws."""
        from tune_app.sweep.search.forecast import forecast_json, weights_histogram

        path = [("dataset.path", data_path)] if data_path is not None else []
        config = parse_sweep(source, source="the search file", overrides=path)
        _, result = forecast_search(config, self.data_root, samples=SAMPLES, cpus=cores)
        histograms = []
        for own in result.budgets:
            weights = own.survey.weights
            if weights and min(weights) < max(weights):
                counts, edges = weights_histogram(weights)
                histograms.append({"budget": own.survey.budget, "counts": counts, "edges": edges})
        return {"name": config.name, **forecast_json(result), "histograms": histograms}

    def again(self, sweep: str, trial: str) -> str:
        """Return a search file that trains a trial's configuration once more."""
        from tune_app.report.export.export_choice import pick_trial
        from tune_app.report.export.export_contents import to_search_file

        record = self.store.get_sweep(sweep)
        choice = pick_trial(self.store, record, budget=None, trial_id=trial)
        config = to_search_file(choice).model_copy(update={"exported": None})
        return dump_sweep(config)

    def export(
        self, sweep: str, budget: str | None, trial: str | None, formats: list[str]
    ) -> dict[str, str]:
        """Write the files of one network, or of one per budget, into a zip; return its path."""
        from tune_app.report.export.export_choice import pick_trial
        from tune_app.report.export.export_index import pick_networks, write_exports
        from tune_app.report.export.trial_export import write_export

        record = self.store.get_sweep(sweep)
        if budget == "all":
            choices = pick_networks(self.store, record)
            return self._zip(
                f"{sweep}-networks",
                lambda root: write_exports(self.store, choices, root, formats),
            )
        limit = None if budget is None else parse_budget(budget)
        choice = pick_trial(self.store, record, budget=limit, trial_id=trial)
        return self._zip(
            f"{sweep}-{choice.trial.trial_id}",
            lambda root: write_export(self.store, choice, root, formats),
        )

    def studies(self, sweep: str) -> dict[str, str]:
        """Write a sweep as a file for optuna-dashboard; return its path and its download name."""
        from tune_app.sweep.search.optuna_export import export_studies

        path = self._file(".db")
        path.unlink()
        export_studies(self.store, sweep, path)
        return {"path": str(path), "name": f"{sweep}-optuna.db"}

    def runs(self, sweep: str) -> dict[str, str]:
        """Write a sweep as a zip of runs for TensorBoard; return its path and its download name."""
        from tune_app.report.export.tensorboard_export import export_tensorboard

        return self._zip(
            f"{sweep}-tensorboard", lambda root: export_tensorboard(self.store, sweep, root)
        )

    def report(self, sweeps: list[str]) -> dict[str, str]:
        """Write the report of sweeps; return its path and its download name."""
        path = self._file(".html")
        write_sweep_report(self.store, sweeps, path, self.data_root)
        return {"path": str(path), "name": f"{'-'.join(sweeps)[:80]}-report.html"}

    def _sweep_figures(self, sweep: str, revision: str) -> tuple[list[ReportFigure], list[str]]:
        from tune_app.report.figures.sweeps.sweep_figures import sweep_figures

        def make() -> tuple[list[ReportFigure], list[str]]:
            record = self.store.get_sweep(sweep)
            return sweep_figures(self.store, record, self._importance(sweep, revision)), []

        return self._once(f"{sweep} {revision}", make)

    def _trial_figures(
        self, sweep: str, trial: str, revision: str
    ) -> tuple[list[ReportFigure], list[str]]:
        from tune_app.diagnostics.quick import quick_figures
        from tune_app.diagnostics.workbench import Subject, Workbench
        from tune_app.report.figures.networks.network_figures import FigureRequest, network_figures

        def make() -> tuple[list[ReportFigure], list[str]]:
            record = self.store.get_sweep(sweep)
            own = self.store.get_trial(sweep, trial)
            left_out: list[str] = []
            # Nobody to note a reading: the test split stays closed.
            made = network_figures(
                FigureRequest(self.store, record, own, self.data_root, on_left_out=left_out.append)
            )
            subject = Subject(Workbench(self.store, self.data_root), record, own)
            made += quick_figures(subject, on_left_out=left_out.append)
            return made, left_out

        return self._once(f"{sweep} {trial} {revision}", make)

    def _importance(self, sweep: str, revision: str) -> list[Importance]:
        from tune_app.sweep.search.parameter_importance import sweep_importance

        def make() -> list[Importance]:
            return sweep_importance(self.store, self.store.get_sweep(sweep))

        return self._once(f"what mattered in {sweep} {revision}", make)

    def _once(self, key: str, make: Callable[[], Made]) -> Made:
        if key not in self._kept:
            self._kept[key] = make()
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return cast(Made, self._kept[key])

    def _zip(self, name: str, write: Callable[[Path], object]) -> dict[str, str]:
        """Call `write` with an empty folder; return the path of a zip of its files."""
        with tempfile.TemporaryDirectory(dir=self.folder) as made:
            root = Path(made) / name
            write(root)
            path = self._file(".zip")
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                for file in sorted(root.rglob("*")):
                    if file.is_file():
                        archive.write(file, Path(name) / file.relative_to(root))
        return {"path": str(path), "name": f"{name}.zip"}

    def _file(self, suffix: str) -> Path:
        handle, path = tempfile.mkstemp(suffix=suffix, dir=self.folder)
        os.close(handle)
        return Path(path)


def _listed(figures: list[ReportFigure], left_out: list[str]) -> dict[str, Any]:
    return {
        "figures": [
            {"name": one.name, "title": one.title, "caption": one.caption} for one in figures
        ],
        "left_out": left_out,
    }


TASKS = (
    *("figures", "trial_figures", "draw", "importance", "why", "forecast"),
    *("again", "export", "studies", "runs", "report"),
)


def answer(worker: Worker, line: str) -> dict[str, Any]:
    """Run the task of a line and return the answer."""
    request = json.loads(line)
    task = request.pop("task")
    if task not in TASKS:
        return {"error": "TuneAppError", "text": f"no task '{task}'"}
    try:
        return {"value": getattr(worker, task)(**request)}
    except SweepFileError as error:
        problems = [vars(problem) for problem in error.problems]
        return {"error": "SweepFileError", "source": error.source, "problems": problems}
    except TuneAppError as error:
        return {"error": type(error).__name__, "text": error.worded(Door.REST)}
    except LookupError as error:
        return {"error": "UnknownTrialError", "text": str(error)}
    except Exception:
        LOG.exception("task %s failed", task)
        return {"error": "EnvironmentalError", "text": "it failed; the server's log says how"}


def main() -> None:
    """Answer tasks until stdin is closed, at the latest when the service ends."""
    storage, data_root, folder = map(Path, sys.argv[1:])
    os.nice(5)
    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print; stdout is ours
    worker = Worker(storage, data_root, folder)
    for line in sys.stdin:
        said.write(json.dumps(answer(worker, line)) + "\n")
        said.flush()


if __name__ == "__main__":
    main()
