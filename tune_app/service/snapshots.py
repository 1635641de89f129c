"""Recent snapshots of sweeps, so that many requests need only one reading of the record."""

import contextlib
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from tune_app.results.store import Store, SweepRecord, TrialStatus
from tune_app.results.tables.trial_row import TrialRow
from tune_app.results.tables.trial_table import flat_row, sweep_summary, trial_rows
from tune_app.service.http.responses import digest

FRESH_S = 1.0  # readers may see a sweep as it was so long ago
SHARE = 0.05  # of its time that a server spends on reading one sweep again and again
MOST_SWEEPS = 8  # whose trials are kept


@dataclass(frozen=True)
class Glance:
    """The facts in one line of the list of sweeps."""

    record: SweepRecord
    tally: tuple[Mapping[str, Any], ...]  # see Store.tally
    summary: Mapping[str, Any]  # see sweep_summary
    revision: str

    @cached_property
    def statuses(self) -> Counter[TrialStatus]:
        """The number of trials of the search for each status."""
        return Counter(
            {row["status"]: row["trials"] for row in self.tally if row["stage"] == "search"}
        )

    @property
    def ended(self) -> int:
        """The number of trials of the search that have ended."""
        return sum(n for status, n in self.statuses.items() if not status.is_under_way)

    @property
    def retraining(self) -> int | None:
        """The number of finished trainings of the final stage while it runs; otherwise None."""
        has_one = self.record.config.get("final") or self.record.final
        if not (self.is_active and has_one and self.ended >= self.planned):
            return None
        final = (row for row in self.tally if row["stage"] == "final")
        return sum(int(row["trials"]) for row in final if not row["status"].is_under_way)

    @property
    def planned(self) -> int:
        """The planned number of trials of the search."""
        return int(self.record.config.get("search", {}).get("trials") or 0)

    @property
    def epochs(self) -> int:
        """The number of trained epochs, including the final stage."""
        return sum(row["epochs"] or 0 for row in self.tally)

    @property
    def is_active(self) -> bool:
        return self.record.status.is_active

    @property
    def elapsed_s(self) -> float | None:
        """The time from the start of the first trial to the end of the last one, or to now."""
        started = [row["started"] for row in self.tally if row["started"] is not None]
        if not started:
            return None
        ended = [row["ended"] for row in self.tally if row["ended"] is not None]
        end = time.time() if self.is_active or not ended else max(ended)
        return float(max(0.001, end - min(started)))

    @property
    def epochs_per_s(self) -> float | None:
        """The number of epochs per second, pauses included; None before the first trial."""
        return None if self.elapsed_s is None else self.epochs / self.elapsed_s

    @property
    def left_s(self) -> float | None:
        """The estimated time left of a running search; None if unknown."""
        if not self.is_active or not self.ended or self.elapsed_s is None:
            return None
        if self.retraining is not None:
            return None
        left = self.elapsed_s / self.ended * max(0, self.planned - self.ended)
        limit = self.record.config.get("search", {}).get("time_limit")
        return left if not limit else min(left, max(0.0, float(limit) - self.elapsed_s))

    def to_json(self) -> dict[str, Any]:
        """Return the summary, extended by the state of a running sweep."""
        return {
            **self.summary,
            "statuses": dict(self.statuses),
            "planned": self.planned,
            "epochs": self.epochs,
            "epochs_per_second": self.epochs_per_s,
            "seconds_left": self.left_s,
            "stop_reason": self.record.stop_reason,
            "revision": self.revision,
        }


@dataclass(frozen=True)
class Snapshot(Glance):
    """A sweep with its trials, as `trial_rows` returns them."""

    rows: tuple[TrialRow, ...]

    @cached_property
    def by_id(self) -> dict[str, TrialRow]:
        return {row.trial_id: row for row in self.rows}

    @cached_property
    def flat(self) -> dict[str, dict[str, Any]]:
        """The trials by their ids, as flat rows with a column for each parameter."""
        return {row.trial_id: flat_row(row) for row in self.rows}

    @cached_property
    def memo(self) -> dict[Any, Any]:
        """A cache of results that were computed from these trials."""
        return {}


@dataclass
class _Kept:
    glance: Glance
    looked: float  # when, by the monotonic clock
    snapshot: Snapshot | None = None
    read: float = 0.0  # when its trials were
    fresh_s: float = FRESH_S  # for so long these do, whatever changes


class Snapshots:
    """Reads the record, and caches the result until the record changes."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    def glances(self, *, archived: bool = False) -> list[Glance]:
        """Return the sweeps, newest first."""
        found = []
        for record in self.store.list_sweeps(archived=archived):
            kept = self._kept.get(record.name)
            if kept is not None and time.monotonic() - kept.looked < FRESH_S:
                found.append(kept.glance)
            else:
                with self._lock_of(record.name):
                    found.append(self._look(record))
        return found

    def glance(self, name: str) -> Glance:
        """Return a sweep without its trials, at most a second old."""
        kept = self._kept.get(name)
        if kept is not None and time.monotonic() - kept.looked < FRESH_S:
            return kept.glance
        record = self.store.get_sweep(name)
        with self._lock_of(name):
            return self._look(record)

    def snapshot(self, name: str) -> Snapshot:
        """Return a sweep with its trials; large sweeps are read again less often."""
        glance = self.glance(name)
        kept = self._kept.get(name)
        if kept is not None and kept.snapshot is not None and self._will_do(kept, glance):
            return kept.snapshot
        with self._lock_of(name):
            kept = self._kept.get(name)
            if kept is not None and kept.snapshot is not None and self._will_do(kept, glance):
                return kept.snapshot  # read by another, while we waited
            glance = self._look(self.store.get_sweep(name))
            # A change may have dropped the entry since: what is read now then serves this request
            # alone, and the next one reads the changed sweep.
            kept = self._kept.get(name) or _Kept(glance, time.monotonic())
            started = time.monotonic()
            rows = tuple(trial_rows(self.store, glance.record))
            kept.read = time.monotonic()
            kept.fresh_s = max(FRESH_S, (kept.read - started) / SHARE)
            kept.snapshot = Snapshot(**_fields(glance), rows=rows)
            with contextlib.suppress(KeyError):
                self._kept.move_to_end(name)
            self._forget_trials()
            return kept.snapshot

    def _will_do(self, kept: "_Kept", glance: Glance) -> bool:
        """Tell whether the cached trials are still valid, or recent enough for a large sweep."""
        assert kept.snapshot is not None
        if kept.snapshot.revision == glance.revision:
            return True
        recent = time.monotonic() - kept.read < kept.fresh_s
        return recent and kept.snapshot.record.status == glance.record.status

    def forget(self, name: str) -> None:
        """Discard a sweep from the cache, because the service changed it."""
        self._kept.pop(name, None)

    def _look(self, record: SweepRecord) -> Glance:
        kept = self._kept.get(record.name)
        tally = tuple(self.store.tally(record.name))
        revision = digest(replace(record, heartbeat=None), tally)
        if kept is not None and kept.glance.revision == revision:
            kept.looked = time.monotonic()
            return kept.glance
        glance = Glance(record, tally, sweep_summary(self.store, record), revision)
        if kept is None:
            self._kept[record.name] = _Kept(glance, time.monotonic())
        else:
            kept.glance, kept.looked = glance, time.monotonic()
        return glance

    def _forget_trials(self) -> None:
        holding = [kept for kept in list(self._kept.values()) if kept.snapshot is not None]
        for kept in holding[:-MOST_SWEEPS]:
            kept.snapshot = None

    def _lock_of(self, name: str) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(name, threading.Lock())


def _fields(glance: Glance) -> dict[str, Any]:
    return {
        "record": glance.record,
        "tally": glance.tally,
        "summary": glance.summary,
        "revision": glance.revision,
    }
