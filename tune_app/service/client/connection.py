"""Requests to a service, and its errors as ours."""

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

TIMEOUT_S = 330.0  # a report takes minutes
_KINDS: dict[int, type[TuneAppError]] = {
    404: errors.UnknownSweepError,
    409: errors.SweepBusyError,
    503: EnvironmentalError,
}


@dataclass(frozen=True)
class Answer:
    """The body of an answer, and the name of the file that it is, if it is one."""

    body: bytes
    name: str | None

    def json(self) -> Any:
        return json.loads(self.body)

    def write(self, folder: Path) -> Path:
        """Write the file into a folder and return where it is.

        Raises:
            StorageError: It cannot be written.
        """
        path = folder / Path(self.name or "download").name
        try:
            path.write_bytes(self.body)
        except OSError as err:
            raise StorageError(f"cannot write {path}: {err.strerror}") from err
        return path


class ServiceConnection:
    """Where a service is, and the token that it asks for."""

    def __init__(self, url: str, token: str | None = None) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise TuneAppError(f"'{url}' is no address of a service: http://127.0.0.1:8300")
        self.url, self._token = url, token

    def get(self, path: str, **query: Any) -> Any:
        """Return what a path below `/api/v1` answers, from JSON."""
        return self.request("GET", f"/api/v1{path}{to_query(query)}").json()

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send an object to a path below `/api/v1` and return its answer, from JSON."""
        return self.request("POST", f"/api/v1{path}", body).json()

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Return the answer to a request.

        Raises:
            TuneAppError: As the service's error says.
        """
        with self.open(method, path, body) as response:
            name = response.headers.get_filename()
            return Answer(response.read(), name)

    def open(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the response to a request, to be read and closed; raises as `request`."""
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
    """Return the query of an address, without what is None; a list is given again and again."""
    pairs = []
    for key, value in values.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                pairs.append((key, "true" if one is True else one))
    return f"?{urlencode(pairs)}" if pairs else ""


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
