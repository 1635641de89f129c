"""A service from Python: the verbs of the command line, with what they answer as plain data."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from tune_app import errors
from tune_app.errors import EnvironmentalError, Problem, StorageError, SweepFileError, TuneAppError

if TYPE_CHECKING:
    import pandas as pd

TIMEOUT_S = 330.0  # a report takes minutes
_KINDS: dict[int, type[TuneAppError]] = {
    404: errors.UnknownSweepError,
    409: errors.SweepBusyError,
    503: EnvironmentalError,
}


def connect(url: str, token: str | None = None) -> "Service":
    """Return the service at `url`, once it has answered; `token` is what it asks for.

    Raises:
        EnvironmentalError: Nothing answers there.
        TuneAppError: The token is missing or wrong.
    """
    service = Service(url.rstrip("/"), token)
    service.request("GET", "/api/v1/sweeps")
    return service


@dataclass(frozen=True)
class Answer:
    """The body of an answer, and the name of the file that it is, if it is one."""

    body: bytes
    name: str | None

    def json(self) -> Any:
        return json.loads(self.body)


class Service:
    """The sweeps of a service."""

    def __init__(self, url: str, token: str | None = None) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise TuneAppError(f"'{url}' is no address of a service: http://127.0.0.1:8300")
        self.url, self._token = url, token

    def sweeps(self, *, archived: bool = False) -> list[dict[str, Any]]:
        """Return a summary of each sweep, newest first."""
        return list(self.get("/sweeps", archived=archived or None))

    def sweep(self, name: str) -> "RemoteSweep":
        """Return a sweep.

        Raises:
            UnknownSweepError: There is no such sweep.
        """
        sweep = RemoteSweep(self, name)
        sweep.record()
        return sweep

    def queue(self) -> list[dict[str, Any]]:
        """Return what waits to run, starts, or could not be started."""
        return list(self.get("/queue"))

    def run(
        self,
        source: str,
        *,
        name: str | None = None,
        new: bool = False,
        trials: int | None = None,
        no_final: bool = False,
    ) -> dict[str, Any]:
        """Queue the search file whose text is `source`; return its name and place.

        Raises:
            SweepFileError: The file is wrong; with its problems.
            SweepBusyError: The name is taken.
        """
        given = {"name": name, "trials": trials, "new": new, "no_final": no_final}
        body = {key: value for key, value in given.items() if value is not None}
        return dict(self.post("/sweeps", {"source": source, **body}))

    def check(self, source: str) -> list[Problem]:
        """Return what is wrong with a search file's text."""
        found = self.post("/check", {"source": source})["problems"]
        return [Problem(**problem) for problem in found]

    def forecast(self, source: str) -> dict[str, Any]:
        """Return what to expect of a search file."""
        return dict(self.post("/forecast", {"source": source}))

    def events(self, sweep: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield each change as it is recorded; first of all, the state as it is."""
        query = f"?sweep={quote(sweep)}" if sweep else ""
        with self._open("GET", f"/api/v1/events{query}") as stream:
            for line in stream:
                if line.startswith(b"data: "):
                    yield json.loads(line.removeprefix(b"data: "))

    def get(self, path: str, **query: Any) -> Any:
        """Return what a path below `/api/v1` answers, from JSON."""
        return self.request("GET", f"/api/v1{path}{_query(query)}").json()

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send an object to a path below `/api/v1` and return its answer, from JSON."""
        return self.request("POST", f"/api/v1{path}", body).json()

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Return the answer to a request.

        Raises:
            TuneAppError: As the service's error says.
        """
        with self._open(method, path, body) as response:
            name = response.headers.get_filename()
            return Answer(response.read(), name)

    def _open(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        try:
            return urllib.request.urlopen(request, timeout=TIMEOUT_S)
        except urllib.error.HTTPError as err:
            with err:
                raise _error_of(err.code, err.read()) from None
        except (urllib.error.URLError, OSError) as err:
            reason = getattr(err, "reason", err)
            raise EnvironmentalError(f"no service answers at {self.url}: {reason}") from err


class RemoteSweep:
    """A sweep of a service, with the verbs that a local one has."""

    def __init__(self, service: Service, name: str) -> None:
        self._service, self.name = service, name

    @property
    def status(self) -> str:
        """How it stands: running, complete, stopped, ..."""
        return str(self.record()["status"])

    def record(self) -> dict[str, Any]:
        """Return everything about the sweep but its trials."""
        return dict(self._get(""))

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
        self, *, budget: str | int | None = None, top: int | None = None, every: bool = False
    ) -> list[dict[str, Any]]:
        """Return the rows of the ranked tables: those of `tune-app show --format json`."""
        return list(self._get("/ranked", budget=budget, top=top, all=every or None))

    def ranked(self, *, budget: str | int | None = None, top: int = 100_000) -> "pd.DataFrame":
        """Return the ranked table of a budget, or those of all, as a DataFrame."""
        from tune_app.results.table import to_frame

        return to_frame(self.ranked_rows(budget=budget, top=top))

    def best(self, *, budget: str | int | None = None) -> dict[str, Any] | None:
        """Return the best trial of a budget, None where none is ranked."""
        rows = self.ranked_rows(budget=budget, top=1)
        return rows[-1] if rows else None

    def table(self, format: str, **options: Any) -> str:
        """Return the ranked tables as csv, json, markdown, latex, html or table."""
        path = f"/api/v1{self._path('/ranked')}{_query({'format': format, **options})}"
        return self._service.request("GET", path).body.decode()

    def winners(self, *, budget: str | int | None = None) -> list[dict[str, Any]]:
        """Return the winners that were retrained and tested."""
        return list(self._get("/final", budget=budget))

    def importance(self) -> list[dict[str, Any]]:
        """Return which parameters mattered."""
        return list(self._get("/importance"))

    def figure(self, name: str, *, theme: str = "light", format: str = "svg") -> bytes:
        """Return a figure of the sweep's report."""
        query = _query({"theme": theme, "format": format})
        path = f"/api/v1{self._path(f'/figures/{quote(name)}')}{query}"
        return self._service.request("GET", path).body

    def export(
        self,
        to: str | Path,
        *,
        budget: str | int | None = None,
        trial: str | None = None,
        formats: Sequence[str] = ("pt",),
    ) -> Path:
        """Write the export of a network as a zip into the folder `to`; return the file."""
        query = _query({"budget": budget, "trial": trial, "formats": ",".join(formats)})
        answer = self._service.request("GET", f"/api/v1{self._path('/export')}{query}")
        return _written(answer, Path(to))

    def report(self, to: str | Path) -> Path:
        """Write the sweep's HTML report into the folder `to`; return the file."""
        path = f"/api/v1{self._path('/report')}"
        return _written(self._service.request("POST", path, {}), Path(to))

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
        self._service.request("DELETE", f"/api/v1{self._path('')}")

    def _path(self, rest: str) -> str:
        return f"/sweeps/{quote(self.name, safe='')}{rest}"

    def _get(self, rest: str, **query: Any) -> Any:
        return self._service.get(self._path(rest), **query)

    def _post(self, rest: str, **body: Any) -> dict[str, Any]:
        return dict(self._service.post(self._path(rest), body))


def _query(values: Mapping[str, Any]) -> str:
    pairs = []
    for key, value in values.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                pairs.append((key, "true" if one is True else one))
    return f"?{urlencode(pairs)}" if pairs else ""


def _written(answer: Answer, folder: Path) -> Path:
    path = folder / Path(answer.name or "download").name
    try:
        path.write_bytes(answer.body)
    except OSError as err:
        raise StorageError(f"cannot write {path}: {err.strerror}") from err
    return path


def _error_of(status: int, body: bytes) -> TuneAppError:
    try:
        said = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return EnvironmentalError(f"the service answered {status}")
    if said["problems"]:
        problems = [Problem(**problem) for problem in said["problems"]]
        return SweepFileError("the search file", problems)
    kind = _KINDS.get(status, TuneAppError)
    if status == 404 and "no trial" in said["message"]:
        kind = errors.UnknownTrialError
    return kind(said["message"])
