"""The view of a sweep's trials that an address describes: filters, order, columns and page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from tune_app.config.budget import parse_budget
from tune_app.errors import SpaceError, TuneAppError
from tune_app.results.ranking import rank_rows
from tune_app.results.tables.layout import Column, cell_text, parameter_columns
from tune_app.results.tables.trial_row import COLUMNS, RankedRow, TrialRow
from tune_app.results.tables.trial_table import (
    HEADINGS,
    metric_columns,
    objective_of,
    ranked_rows,
    sort_rows,
)
from tune_app.service.pages.filters import Filter, parse_filters, split_filters
from tune_app.service.snapshots import Snapshot

PAGE_SIZE = 25
MOST_ROWS = 1000  # of a page
MOST_VIEWS = 100  # of which something is remembered
ALL = "all"  # every trial, whatever it came to
_TEXT = ("trial_id", "stage", "status", "stop_reason", "error", "sampler", "node", "source")
_SPOILT = ("failed", "diverged")
_HIDDEN = ("sweep", "parameters", "config")


@dataclass(frozen=True)
class View:
    """The query of an address: which trials of a sweep are shown, and how."""

    table: str = ALL  # a budget in plain digits, "ranked" without budgets, or "all"
    where: tuple[str, ...] = ()
    sort: str | None = None
    page: int = 1
    size: int = PAGE_SIZE
    columns: tuple[str, ...] = ()  # none: those that say something
    differs: bool = True  # leave out parameters that are the same in all trials shown

    def query(self, **changes: Any) -> str:
        """Return the query of this view, with changes; values equal to the default are left out."""
        view = replace(self, **changes)
        usual = View(table=view.table)
        pairs: list[tuple[str, str]] = [("table", view.table)]
        if view.where:
            pairs.append(("where", " ".join(view.where)))
        for name in ("sort", "page", "size"):
            value = getattr(view, name)
            if value is not None and value != getattr(usual, name):
                pairs.append((name, str(value)))
        if view.columns:
            pairs.append(("columns", ",".join(view.columns)))
        if not view.differs:
            pairs.append(("differs", "0"))
        return urlencode(pairs)


@dataclass(frozen=True)
class Selection:
    """A page of trials, with its columns and counts."""

    view: View
    filters: tuple[Filter, ...]
    columns: tuple[Column, ...]
    rows: tuple[TrialRow, ...]  # of this page
    matching: int  # trials on all pages
    total: int  # without filters
    known: tuple[str, ...]  # every column that there is
    constants: Mapping[str, Any]  # parameters that are left out because they do not differ

    @property
    def pages(self) -> int:
        return max(1, -(-self.matching // self.view.size))

    @property
    def first(self) -> int:
        """The number of the first trial of this page; 0 if there are no trials."""
        return (self.view.page - 1) * self.view.size + 1 if self.rows else 0


def default_table(snapshot: Snapshot) -> str:
    """Return the default table: that of the largest budget, with networks of every size."""
    budgets = snapshot.record.budgets
    return str(budgets[-1]) if budgets else "ranked"


def read_table(text: str, snapshot: Snapshot) -> str:
    """Return the key of the table that an address names; `20k` means `20000`.

    Raises:
        TuneAppError: There is no such table.
    """
    if text in (ALL, "ranked"):
        return text
    try:
        return str(parse_budget(text))
    except SpaceError:
        names = [ALL, *map(str, snapshot.record.budgets)]
        raise TuneAppError(f"no table '{text[:40]}': choose one of {', '.join(names)}") from None


def select(snapshot: Snapshot, view: View) -> Selection:
    """Return the trials that a view shows.

    Raises:
        TuneAppError: The view names an unknown column, or a filter is malformed.
    """
    rows, flat = _table(snapshot, view.table)
    known = known_columns(snapshot)
    filters = read_filters(snapshot, view.where)
    if filters:
        pairs = [(r, f) for r, f in zip(rows, flat, strict=True) if _meets(r, f, filters)]
        rows, flat = [row for row, _ in pairs], [own for _, own in pairs]
    kept = _sorted(rows, flat, view.sort) if view.sort and rows else rows
    pages = max(1, -(-len(kept) // view.size))
    view = replace(view, page=min(view.page, pages), where=tuple(map(str, filters)))
    start = (view.page - 1) * view.size
    asked = (view.table, view.where, view.columns, view.differs)
    if asked not in snapshot.memo:
        if len(snapshot.memo) > MOST_VIEWS:
            snapshot.memo.clear()
        snapshot.memo[asked] = _columns(snapshot, view, rows, known)
    columns, constants = snapshot.memo[asked]
    return Selection(
        view=view,
        filters=filters,
        columns=columns,
        rows=tuple(kept[start : start + view.size]),
        matching=len(kept),
        total=len(_table(snapshot, view.table)[0]),
        known=known,
        constants=constants,
    )


def read_filters(snapshot: Snapshot, where: Sequence[str]) -> tuple[Filter, ...]:
    """Return the conditions in the query of an address.

    Raises:
        TuneAppError: A condition is malformed, or names a column that the sweep does not have.
    """
    texts = [part for text in where for part in split_filters(text)]
    return parse_filters(texts, known_columns(snapshot))


def matching_trials(snapshot: Snapshot, where: Sequence[str]) -> frozenset[str]:
    """Return the ids of the trials in any table that meet every condition.

    Raises:
        TuneAppError: See `read_filters`.
    """
    filters = read_filters(snapshot, where)
    rows, flat = _table(snapshot, ALL)
    return frozenset(
        row.trial_id for row, own in zip(rows, flat, strict=True) if _meets(row, own, filters)
    )


def _sorted(
    rows: Sequence[TrialRow], flat: Sequence[Mapping[str, Any]], column: str
) -> list[TrialRow]:
    """Sort trials by a column; trials that did not train come last in both directions."""
    ordered = sort_rows(rows, column, flat)
    ordered.sort(key=lambda row: row.status in _SPOILT)
    return ordered


def table_rows(snapshot: Snapshot, table: str) -> Sequence[TrialRow]:
    """Return the trials of a table: ranked for a budget, or all of them as drawn."""
    if table != ALL:
        budget = None if table == "ranked" else int(table)
        return ranked_rows(snapshot.rows, snapshot.record, budget)
    # Ranked ones first, of the largest budget on; what has no rank is last.
    return sorted(
        snapshot.rows,
        key=lambda row: (row.stage == "final", row.rank is None, -(row.budget or 0)),
    )


def ranked_trials(snapshot: Snapshot) -> Sequence[TrialRow]:
    """Return the trials of any size with a result, best first."""
    if "ranked trials" not in snapshot.memo:
        ranked = rank_rows(snapshot.rows, *objective_of(snapshot.record))
        snapshot.memo["ranked trials"] = ranked
    found: Sequence[TrialRow] = snapshot.memo["ranked trials"]
    return found


def _table(
    snapshot: Snapshot, table: str
) -> tuple[Sequence[TrialRow], Sequence[Mapping[str, Any]]]:
    """Return the trials of a table, and the same trials as flat rows."""
    if table not in snapshot.memo:
        rows = table_rows(snapshot, table)
        flat = [snapshot.flat[row.trial_id] | _of_table(row) for row in rows]
        snapshot.memo[table] = rows, flat
    found: tuple[Sequence[TrialRow], Sequence[Mapping[str, Any]]] = snapshot.memo[table]
    return found


def _of_table(row: TrialRow) -> dict[str, Any]:
    """Return the columns whose values depend on the table."""
    if not isinstance(row, RankedRow):
        return {"rank": row.rank}
    return {"rank": row.rank, "share": row.share, "table_budget": row.table_budget}


def known_columns(snapshot: Snapshot) -> tuple[str, ...]:
    """Return every column and parameter that can be shown, sorted by or filtered."""
    if "known columns" not in snapshot.memo:
        snapshot.memo["known columns"] = _known_columns(snapshot)
    known: tuple[str, ...] = snapshot.memo["known columns"]
    return known


def _known_columns(snapshot: Snapshot) -> tuple[str, ...]:
    names = (*COLUMNS, *metric_columns(snapshot.record))
    flat = dict.fromkeys(name for name in names if name not in _HIDDEN)
    rows = snapshot.flat.values()
    solved = [one for one in ("widths", "channels_list") if any(one in row for row in rows)]
    for name in (*snapshot.record.config.get("parameters", {}), *solved):
        flat[f"parameters.{name}" if name in COLUMNS else name] = None
    return (*flat, "share")


def _meets(row: TrialRow, flat: Mapping[str, Any], filters: Sequence[Filter]) -> bool:
    for one in filters:
        name = one.name
        # What is not in a trial's draw may be a constant of the file.
        found = flat if name in flat else row.config
        if not one.keeps(found.get(name if found is flat else name.removeprefix("parameters."))):
            return False
    return True


def _columns(
    snapshot: Snapshot, view: View, rows: Sequence[TrialRow], known: Sequence[str]
) -> tuple[tuple[Column, ...], Mapping[str, Any]]:
    if view.columns:
        chosen = [name for name in view.columns if name in known]
        if unknown := [name for name in view.columns if name not in known]:
            raise TuneAppError(f"there is no column '{unknown[0][:60]}'")
        return tuple(_column(name, snapshot) for name in chosen), {}
    metric = objective_of(snapshot.record)[0]
    other = "val_loss" if metric == "val_accuracy" else "val_accuracy"
    keys = ["trial_id", "rank", metric]
    keys += [other] if any(row.measured(other) is not None for row in rows) else []
    keys += ["test_accuracy"] if any(row.test_accuracy is not None for row in rows) else []
    if view.table == ALL:
        final = any(row.stage == "final" for row in rows)
        keys[2:2] = [*(["stage"] if final else []), "status"]
        keys += ["budget"] if snapshot.record.budgets else []
    keys += ["weights", *(["share"] if view.table not in (ALL, "ranked") else [])]
    keys += ["epochs", "seconds"]
    columns = [_column(key, snapshot) for key in keys]
    if not rows:
        return tuple(columns), {}
    varied, constants = parameter_columns(rows, snapshot.record)
    columns += [replace(_column(one.key, snapshot), numeric=one.numeric) for one in varied]
    if not view.differs:
        names = (f"parameters.{name}" if name in COLUMNS else name for name in constants)
        columns += [_column(name, snapshot) for name in names]
        constants = {}
    return tuple(columns), constants


def _column(key: str, snapshot: Snapshot) -> Column:
    if "drawn" not in snapshot.memo:
        snapshot.memo["drawn"] = {name for row in snapshot.rows for name in row.parameters}
    drawn = snapshot.memo["drawn"]

    def text(row: TrialRow) -> str:
        flat = snapshot.flat[row.trial_id] | _of_table(row)
        if key not in flat:
            name = key.removeprefix("parameters.")
            # What others drew and this one did not does nothing in it: momentum beside Adam.
            flat[key] = None if name in drawn else row.config.get(name)
        return cell_text(key, flat)

    return Column(key, HEADINGS.get(key, key.removeprefix("parameters.")), key not in _TEXT, text)
