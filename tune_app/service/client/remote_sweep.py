"""A sweep of a service from Python: the verbs of a local one, with plain data as answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tune_app.config.budget import format_budget
from tune_app.config.sweep import SweepConfig
from tune_app.errors import BudgetError, UnknownTrialError
from tune_app.service.client.connection import ServiceConnection, to_query

if TYPE_CHECKING:
    import pandas as pd

Budget = int | str | None  # 20_000, "20k"
OF_SWEEPS = ("optuna", "tensorboard")
EVERY = 100_000  # rows, where no number is said


class RemoteSweep:
    """A sweep of a service, with the verbs that a local one has."""

    def __init__(self, connection: ServiceConnection, name: str) -> None:
        self._connection, self.name = connection, name

    @property
    def status(self) -> str:
        """How it stands: running, complete, stopped, ..."""
        return str(self.record["status"])

    @property
    def record(self) -> dict[str, Any]:
        """Everything about the sweep but its trials."""
        return dict(self._get(""))

    @property
    def config(self) -> SweepConfig:
        """What was searched."""
        return SweepConfig.from_dict(self.record["config"])

    def trials(self, *, where: Sequence[str] = (), sort: str | None = None) -> list[dict[str, Any]]:
        """Return all trials that meet the filters `where`, such as `lr>=0.001`."""
        rows: list[dict[str, Any]] = []
        page = pages = 1
        while page <= pages:
            part = self._get("/trials", where=list(where), sort=sort, page=page, size=1000)
            rows += part["trials"]
            page, pages = page + 1, part["pages"]
        return rows

    def trial(self, trial_id: str) -> dict[str, Any]:
        """Return everything about a trial, its epochs as `history`."""
        return dict(self._get(f"/trials/{quote(trial_id)}"))

    def ranked_rows(
        self, budget: Budget = None, *, top: int | None = None, every: bool = False
    ) -> list[dict[str, Any]]:
        """Return the rows of the ranked tables: those of `tune-app show --format json`."""
        return list(self._get("/ranked", budget=budget, top=top, all=every or None))

    def ranked(self, budget: Budget = None, *, top: int | None = None) -> "pd.DataFrame":
        """Return the ranked table of a budget, or those of all, as a DataFrame."""
        from tune_app.results.tables.trial_table import to_frame

        return to_frame(self.ranked_rows(budget, top=top or EVERY))

    def best(self, budget: Budget = None) -> dict[str, Any]:
        """Return the best trial of the search that fits a budget.

        Raises:
            BudgetError: The sweep has several budgets, and none is said.
            UnknownTrialError: No trial that fits has a result.
        """
        budgets = self.record["budgets"] if budget is None else ()
        if len(budgets) > 1:
            raise BudgetError(
                f"sweep '{self.name}' has a best trial for each of its budgets: choose one of "
                f"{', '.join(map(format_budget, budgets))} with budget="
            )
        rows = self.ranked_rows(budget, top=1)
        if not rows:
            raise UnknownTrialError(f"no trial of sweep '{self.name}' that fits has a result")
        return rows[0]

    def table(self, format: str, **options: Any) -> str:
        """Return the ranked tables as csv, json, markdown, latex, html or table."""
        path = f"/api/v1{self._path('/ranked')}{to_query({'format': format, **options})}"
        return self._connection.request("GET", path).body.decode()

    def tested(self, budget: Budget = None) -> list[dict[str, Any]]:
        """Return the winners that were retrained and tested."""
        return list(self._get("/final", budget=budget))

    def importance(self) -> list[dict[str, Any]]:
        """Return which parameters mattered."""
        return list(self._get("/importance"))

    def why(self) -> dict[str, Any]:
        """Return why the ranking is what it is: `findings`, and the `tables` behind them."""
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
        formats: Sequence[str] = ("pt",),
    ) -> Path:
        """Write the export of a network as a zip into the folder `to`; return the file.

        With `budget="all"` it holds one of each budget. Formats optuna and tensorboard, each
        alone, write the whole sweep for these dashboards.
        """
        if len(formats) == 1 and formats[0] in OF_SWEEPS:
            path = f"/api/v1{self._path(f'/{formats[0]}')}"
            return self._connection.request("GET", path).write(Path(to))
        query = to_query({"budget": budget, "trial": trial, "formats": ",".join(formats)})
        answer = self._connection.request("GET", f"/api/v1{self._path('/export')}{query}")
        return answer.write(Path(to))

    def report(self, to: str | Path) -> Path:
        """Write the sweep's HTML report into the folder `to`; return the file."""
        path = f"/api/v1{self._path('/report')}"
        return self._connection.request("POST", path, {}).write(Path(to))

    def stop(self) -> dict[str, Any]:
        """Ask it to stop gracefully."""
        return self._post("/stop")

    def resume(self, *, trials: int | None = None) -> dict[str, Any]:
        """Go on with it, or extend it to so many trials."""
        return self._post("/resume") if trials is None else self._post("/extend", trials=trials)

    def final(
        self,
        *,
        budgets: Sequence[str] = (),
        top: int | None = None,
        seeds: int | None = None,
    ) -> dict[str, Any]:
        """Retrain its winners over seeds and test them."""
        given = {"budgets": list(budgets), "top": top, "seeds": seeds}
        return self._post("/final", **{key: v for key, v in given.items() if v is not None})

    def rename(self, name: str) -> None:
        """Give it another name."""
        self._post("/rename", name=name)
        self.name = name

    def note(self, text: str) -> None:
        """Write a note on it; an empty one removes it."""
        self._post("/note", note=text)

    def archive(self, *, undo: bool = False) -> None:
        """Take it off the list, or bring it back."""
        self._post("/archive", undo=undo)

    def prune(self, *, top: int = 10) -> dict[str, Any]:
        """Remove the weights of all but the best trials of each budget."""
        return self._post("/prune", top=top)

    def delete(self) -> None:
        """Delete it, record and files; it must be archived."""
        self._connection.request("DELETE", f"/api/v1{self._path('')}")

    def _path(self, rest: str) -> str:
        return f"/sweeps/{quote(self.name, safe='')}{rest}"

    def _get(self, rest: str, **query: Any) -> Any:
        return self._connection.get(self._path(rest), **query)

    def _post(self, rest: str, **body: Any) -> dict[str, Any]:
        return dict(self._connection.post(self._path(rest), body))
