"""A running service in Python: the commands of tune-app, with plain data as results."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tune_app.errors import Problem
from tune_app.service.client.connection import ServiceConnection
from tune_app.service.client.remote_sweep import RemoteSweep


def connect(url: str, token: str | None = None) -> "Service":
    """Return the service at `url` after checking that it answers; `token` is its access token.

    Raises:
        EnvironmentalError: No service answers at this address.
        TuneAppError: The token is missing or wrong.
    """
    service = Service(url.rstrip("/"), token)
    service.request("GET", "/api/v1/sweeps")
    return service


class Service(ServiceConnection):
    """The sweeps of a service."""

    def sweeps(self, *, archived: bool = False) -> list[dict[str, Any]]:
        """Return a summary of each sweep, newest first."""
        return list(self.get("/sweeps", archived=archived or None))

    def sweep(self, name: str) -> RemoteSweep:
        """Return a sweep.

        Raises:
            UnknownSweepError: There is no such sweep.
        """
        self.get(f"/sweeps/{quote(name, safe='')}")
        return RemoteSweep(self, name)

    def __getitem__(self, name: str) -> RemoteSweep:
        """Return the sweep of that name, as `sweep` does."""
        return self.sweep(name)

    def __iter__(self) -> Iterator[RemoteSweep]:
        return (RemoteSweep(self, one["name"]) for one in self.sweeps())

    def __len__(self) -> int:
        return len(self.sweeps())

    def __repr__(self) -> str:
        return f"<service at {self.url}>"

    def queue(self) -> list[dict[str, Any]]:
        """Return the commands that wait, are starting or could not be started."""
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
        """Queue a run of the search file with the text `source`; return its name and place.

        Raises:
            SweepFileError: The file has problems, which the error lists.
            SweepBusyError: The name is taken.
        """
        given = {"name": name, "trials": trials, "new": new, "no_final": no_final}
        body = {key: value for key, value in given.items() if value is not None}
        return dict(self.post("/sweeps", {"source": source, **body}))

    def check(self, source: str) -> list[Problem]:
        """Return the problems of a search file, given as text."""
        found = self.post("/check", {"source": source})["problems"]
        return [Problem(**problem) for problem in found]

    def forecast(self, source: str) -> dict[str, Any]:
        """Return the forecast of sizes and time for a search file."""
        return dict(self.post("/forecast", {"source": source}))

    def report(self, sweeps: Sequence[str], to: str | Path) -> Path:
        """Write one HTML report of several sweeps into the folder `to`; return its path."""
        return self.request("POST", "/api/v1/report", {"sweeps": list(sweeps)}).write(Path(to))

    def events(self, sweep: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the current state, and then each change as it is recorded."""
        query = f"?sweep={quote(sweep)}" if sweep else ""
        with self.open("GET", f"/api/v1/events{query}") as stream:
            for line in stream:
                if line.startswith(b"data: "):
                    yield json.loads(line.removeprefix(b"data: "))
