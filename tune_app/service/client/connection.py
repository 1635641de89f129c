"""HTTP requests to a service; its error answers become the errors of tune-app."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from tune_app import errors
from tune_app.errors import EnvironmentalError, Problem, StorageError, SweepFileError, TuneAppError

TIMEOUT_S = 330.0  # longer than the service itself allows a report to take
_KINDS: dict[int, type[TuneAppError]] = {
    404: errors.UnknownSweepError,
    409: errors.SweepBusyError,
    503: EnvironmentalError,
}


@dataclass(frozen=True)
class Answer:
    """The body of an answer and, for a download, the name of its file."""

    body: bytes
    name: str | None

    def json(self) -> Any:
        return json.loads(self.body)

    def write(self, folder: Path) -> Path:
        """Write the file into a folder and return its path.

        Raises:
            StorageError: The file cannot be written.
        """
        path = folder / Path(self.name or "download").name
        try:
            path.write_bytes(self.body)
        except OSError as err:
            raise StorageError(f"cannot write {path}: {err.strerror}") from err
        return path


class ServiceConnection:
    """The address of a service and its access token."""

    def __init__(self, url: str, token: str | None = None) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise TuneAppError(
                f"'{url}' is not the address of a service, such as http://127.0.0.1:8300"
            )
        self.url, self._token = url, token

    def get(self, path: str, **query: Any) -> Any:
        """Return the parsed JSON answer of a path below `/api/v1`."""
        return self.request("GET", f"/api/v1{path}{to_query(query)}").json()

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send an object to a path below `/api/v1` and return the parsed JSON answer."""
        return self.request("POST", f"/api/v1{path}", body).json()

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Return the answer to a request.

        Raises:
            TuneAppError: The service answered with an error; the kind follows from its status.
        """
        with self.open(method, path, body) as response:
            name = response.headers.get_filename()
            return Answer(response.read(), name)

    def open(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the open response to a request; raises the errors of `request`."""
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


def to_query(values: Mapping[str, Any]) -> str:
    """Return the query of an address; None is left out, and a list repeats its key."""
    pairs = []
    for key, value in values.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                pairs.append((key, "true" if one is True else one))
    return f"?{urlencode(pairs)}" if pairs else ""


def _error_of(status: int, body: bytes) -> TuneAppError:
    try:
        found = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return EnvironmentalError(f"the service answered {status}")
    if found["problems"]:
        problems = [Problem(**problem) for problem in found["problems"]]
        return SweepFileError("the search file", problems)
    kind = _KINDS.get(status, TuneAppError)
    if status == 404 and "no trial" in found["message"]:
        kind = errors.UnknownTrialError
    return kind(found["message"])
