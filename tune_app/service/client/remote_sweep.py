"""A sweep of a service in Python, with the methods and types of a local sweep."""

import io
import json
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tune_app.atomic_file import replacing
from tune_app.config.budget import format_budget, parse_budget
from tune_app.config.sweep import SweepConfig
from tune_app.errors import BudgetError, ExportError, UnknownTrialError
from tune_app.results.result_table import Table
from tune_app.results.store import SweepRecord, TrialRecord
from tune_app.results.store.records import record_from_json
from tune_app.results.tables.final_layout import final_layouts
from tune_app.results.tables.layout import full_layout, ranked_layouts
from tune_app.results.tables.trial_row import row_from_json
from tune_app.results.tables.trial_table import epochs_frame, table_budgets
from tune_app.service.client.connection import Answer, ServiceConnection, to_query

if TYPE_CHECKING:
    import pandas as pd

Budget = int | str | None  # 20_000, "20k"
OF_SWEEPS = ("optuna", "tensorboard")
MOST_CURVES = 50  # trials whose epochs the service gives at once
EVERY = 100_000  # rows, where no number is said


class RemoteSweep:
    """A sweep of a service, with the methods of a local one."""

    def __init__(self, connection: ServiceConnection, name: str) -> None:
        self._connection, self.name = connection, name

    @property
    def status(self) -> str:
        """One of running, stopping, complete, stopped, interrupted."""
        return self.record.status

    @property
    def record(self) -> SweepRecord:
        """The record of the sweep, as the service returns it."""
        return record_from_json(SweepRecord, self._get(""))

    @property
    def config(self) -> SweepConfig:
        """The search file of the sweep."""
        return self.record.sweep_config

    def trials(self, *, where: Sequence[str] = (), sort: str | None = None) -> Table:
        """Return all trials that meet the filters `where`, such as `lr>=0.001`."""
        rows: list[dict[str, Any]] = []
        page = pages = 1
        while page <= pages:
            part = self._get("/trials", where=list(where), sort=sort, page=page, size=1000)
            rows += part["trials"]
            page, pages = page + 1, part["pages"]
        shown = [row_from_json(row) for row in rows]
        return Table(tuple(rows), (full_layout(shown, shown, self.record),))

    def trial(self, trial_id: str) -> dict[str, Any]:
        """Return everything about a trial; `history` holds its epochs."""
        return dict(self._get(f"/trials/{quote(trial_id)}"))

    def ranked_rows(
        self, budget: Budget = None, *, top: int | None = None, every: bool = False
    ) -> list[dict[str, Any]]:
        """Return the rows of the ranked tables, like `tune-app show --format json`."""
        return list(self._get("/ranked", budget=budget, top=top, all=every or None))

    def ranked(self, budget: Budget = None, *, top: int | None = None) -> Table:
        """Return the ranked table of a budget; without `budget`, those of all budgets."""
        record, rows = self.record, self.ranked_rows(budget, top=top or EVERY)
        limits = table_budgets(record) if budget is None else (parse_budget(budget),)
        trials = {row["trial_id"]: row_from_json(row) for row in rows}
        layouts = ranked_layouts(list(trials.values()), record, budgets=limits, top=top)
        return Table(tuple(rows), tuple(layouts))

    def best(self, budget: Budget = None) -> TrialRecord:
        """Return the best trial of the search that fits a budget.

        Raises:
            BudgetError: The sweep has several budgets, and none is given.
            UnknownTrialError: No trial that fits the budget has a result.
        """
        budgets = self.record.budgets if budget is None else ()
        if len(budgets) > 1:
            raise BudgetError(
                f"sweep '{self.name}' has a best trial for each of its budgets: choose one of "
                f"{', '.join(map(format_budget, budgets))} with budget="
            )
        rows = self.ranked_rows(budget, top=1)
        if not rows:
            raise UnknownTrialError(f"no trial of sweep '{self.name}' that fits has a result")
        return _to_record(rows[0])

    def epochs(self) -> "pd.DataFrame":
        """Return the measurements of all trials, with a line for each trial and epoch."""
        ids = [row["trial_id"] for row in self.trials()]
        found: dict[str, list[dict[str, Any]]] = {}
        for start in range(0, len(ids), MOST_CURVES):
            part = ids[start : start + MOST_CURVES]
            found |= self._get("/curves", trials=",".join(part))["curves"]
        return epochs_frame({trial_id: found[trial_id] for trial_id in sorted(found)})

    def table(self, format: str, **options: Any) -> str:
        """Return the ranked tables as csv, json, markdown, latex, html or table."""
        path = f"/api/v1{self._path('/ranked')}{to_query({'format': format, **options})}"
        return self._connection.request("GET", path).body.decode()

    def tested(self, budget: Budget = None) -> Table:
        """Return the retrained and tested winners of a budget; without `budget`, of all budgets."""
        limits = None if budget is None else (parse_budget(budget),)
        rows = [row_from_json(row) for row in self.trials()]
        layouts = final_layouts(rows, self.record, budgets=limits)
        return Table(tuple(self._get("/final", budget=budget)), tuple(layouts))

    def importance(self) -> list[dict[str, Any]]:
        """Return the importance of each parameter by method and budget."""
        return list(self._get("/importance"))

    def why(self) -> dict[str, Any]:
        """Return an explanation of the ranking: `findings`, and the `tables` behind them."""
        return dict(self._get("/why"))

    def figures(self) -> list[dict[str, str]]:
        """Return the figures of the sweep's report: name, title and caption of each."""
        return list(self._get("/figures")["figures"])

    def figure(self, name: str, *, theme: str = "light", format: str = "svg") -> bytes:
        """Return a figure of the sweep's report."""
        query = to_query({"theme": theme, "format": format})
        path = f"/api/v1{self._path(f'/figures/{quote(name)}')}{query}"
        return self._connection.request("GET", path).body

    def export(
        self,
        to: str | Path,
        *,
        budget: Budget = None,
        trial: str | None = None,
        formats: Collection[str] = ("pt",),
    ) -> TrialRecord:
        """Write a network to the folder `to` and return its trial, as a local sweep does.

        Raises:
            ExportError: No trial fits, its weights were deleted, or `to` has other files.
        """
        folder = Path(to)
        if folder.is_dir() and any(folder.iterdir()):
            raise ExportError(f"{folder} holds files already; name another folder")
        with zipfile.ZipFile(io.BytesIO(self._exported(budget, trial, formats).body)) as archive:
            unpack(archive, folder)
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        return _to_record(self.trial(metrics["trial_id"]))

    def download(
        self,
        to: str | Path,
        *,
        budget: Budget = None,
        trial: str | None = None,
        formats: Collection[str] = ("pt",),
    ) -> Path:
        """Write an export as one file into the folder `to`; return its path.

        A network is exported as a zip; with `budget="all"`, the zip contains a network for each
        budget. The formats optuna and tensorboard cannot be combined with others; each exports the
        whole sweep for that dashboard.
        """
        return self._exported(budget, trial, formats).write(Path(to))

    def _exported(self, budget: Budget, trial: str | None, formats: Collection[str]) -> Answer:
        (only, *others) = formats
        if only in OF_SWEEPS and not others:
            return self._connection.request("GET", f"/api/v1{self._path(f'/{only}')}")
        query = to_query({"budget": budget, "trial": trial, "formats": ",".join(formats)})
        return self._connection.request("GET", f"/api/v1{self._path('/export')}{query}")

    def report(self, to: str | Path) -> Path:
        """Write the sweep's HTML report into the folder `to`; return its path."""
        path = f"/api/v1{self._path('/report')}"
        return self._connection.request("POST", path, {}).write(Path(to))

    def stop(self) -> dict[str, Any]:
        """Ask the sweep to stop gracefully."""
        return self._post("/stop")

    def resume(self, *, trials: int | None = None) -> dict[str, Any]:
        """Queue the rest of the sweep; with `trials`, extend it."""
        return self._post("/resume") if trials is None else self.extend(trials)

    def extend(self, trials: int) -> dict[str, Any]:
        """Queue more trials, up to `trials` in all.

        Raises:
            TuneAppError: The sweep has this many trials already.
        """
        return self._post("/extend", trials=trials)

    def final(
        self,
        *,
        budgets: Sequence[str] = (),
        top: int | None = None,
        seeds: int | None = None,
    ) -> dict[str, Any]:
        """Queue the final stage: retrain the winners with several seeds and test them."""
        given = {"budgets": list(budgets), "top": top, "seeds": seeds}
        return self._post("/final", **{key: v for key, v in given.items() if v is not None})

    def rename(self, name: str) -> None:
        """Rename the sweep."""
        self._post("/rename", name=name)
        self.name = name

    def note(self, text: str) -> None:
        """Write the note of the sweep; an empty text removes it."""
        self._post("/note", note=text)

    def archive(self, *, undo: bool = False) -> None:
        """Archive the sweep, or restore it."""
        self._post("/archive", undo=undo)

    def prune(self, *, top: int = 10) -> dict[str, Any]:
        """Delete the weights of all but the best trials of each budget."""
        return self._post("/prune", top=top)

    def delete(self) -> None:
        """Delete the sweep with its record and files; it must be archived first."""
        self._connection.request("DELETE", f"/api/v1{self._path('')}")

    def _path(self, rest: str) -> str:
        return f"/sweeps/{quote(self.name, safe='')}{rest}"

    def _get(self, rest: str, **query: Any) -> Any:
        return self._connection.get(self._path(rest), **query)

    def _post(self, rest: str, **body: Any) -> dict[str, Any]:
        return dict(self._connection.post(self._path(rest), body))

    def __repr__(self) -> str:
        return f"<sweep {self.name} of {self._connection.url}>"


def unpack(archive: zipfile.ZipFile, folder: Path) -> None:
    """Unpack the zip of an export into a folder, without the zip's top folder.

    Raises:
        StorageError: A file cannot be written.
    """
    for entry in archive.infolist():
        inner = PurePosixPath(entry.filename).parts[1:]
        if entry.is_dir() or not inner or ".." in inner:
            continue
        with replacing(folder.joinpath(*inner)) as file:
            file.write(archive.read(entry))


def _to_record(values: Mapping[str, Any]) -> TrialRecord:
    row = row_from_json(values)
    return TrialRecord(**{one.name: getattr(row, one.name) for one in fields(TrialRecord)})
