"""Tables, columns and values of the database, derived from the record classes.

The SQL here and in store.py works in both SQLite and PostgreSQL.
"""

import json
import math
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from tune_app.results.store.records import EpochRecord, Record, SweepRecord, TrialRecord
from tune_app.results.store.resolved import Resolved

# A change of a record class needs a new version, and a step that brings older files to it.
RECORD_VERSION = 3

TABLES: dict[type[Record], str] = {
    SweepRecord: "sweeps",
    TrialRecord: "trials",
    EpochRecord: "epochs",
}
KEYS: dict[type[Record], tuple[str, ...]] = {
    SweepRecord: ("name",),
    TrialRecord: ("sweep", "trial_id"),
    EpochRecord: ("sweep", "trial_id", "epoch"),
}
_CONSTRAINTS: dict[type[Record], tuple[str, ...]] = {
    SweepRecord: (),
    TrialRecord: (
        "FOREIGN KEY (sweep) REFERENCES sweeps (name) ON UPDATE CASCADE ON DELETE CASCADE",
    ),
    EpochRecord: (
        "FOREIGN KEY (sweep, trial_id) REFERENCES trials (sweep, trial_id)"
        " ON UPDATE CASCADE ON DELETE CASCADE",
    ),
}
_AS_JSON = (dict, tuple, Resolved)
_SQL_TYPES = {int: "BIGINT", float: "DOUBLE PRECISION", bool: "BOOLEAN"}

R = TypeVar("R", SweepRecord, TrialRecord, EpochRecord)


def _column_types(record: type[Record]) -> dict[str, tuple[type, bool]]:
    """Map each field to its bare type (some are stored as JSON) and whether it may be null."""
    columns = {}
    hints = get_type_hints(record)
    for column in fields(record):
        hint, optional = hints[column.name], False
        if get_origin(hint) in (Union, types.UnionType):
            hint = next(part for part in get_args(hint) if part is not type(None))
            optional = True
        columns[column.name] = (get_origin(hint) or hint, optional)
    return columns


COLUMN_TYPES = {record: _column_types(record) for record in TABLES}


def create_statements(*, text: str = "TEXT") -> list[str]:
    """Return the SQL that creates an empty record; `text` is the type of text columns."""
    statements = ["CREATE TABLE record_version (version BIGINT NOT NULL)"]
    for record, table in TABLES.items():
        lines = [
            f"{name} {_SQL_TYPES.get(kind, text)}{'' if optional else ' NOT NULL'}"
            for name, (kind, optional) in COLUMN_TYPES[record].items()
        ]
        lines += [f"PRIMARY KEY ({', '.join(KEYS[record])})", *_CONSTRAINTS[record]]
        statements.append(f"CREATE TABLE {table} (\n  " + ",\n  ".join(lines) + "\n)")
    return [*statements, f"INSERT INTO record_version VALUES ({RECORD_VERSION})"]


def upgrade_statements(version: int) -> list[str]:
    """Return the SQL that upgrades a record of an older version to this one."""
    statements = []
    if version < 2:  # the final stage
        statements += [
            "ALTER TABLE sweeps ADD COLUMN final TEXT NOT NULL DEFAULT '{}'",
            "ALTER TABLE sweeps ADD COLUMN baselines TEXT NOT NULL DEFAULT '[]'",
            "ALTER TABLE sweeps ADD COLUMN test_readings TEXT NOT NULL DEFAULT '[]'",
            "ALTER TABLE trials ADD COLUMN test_loss DOUBLE PRECISION",
            "ALTER TABLE trials ADD COLUMN source TEXT",
        ]
    if version < 3:  # metrics by name
        statements += [
            "ALTER TABLE trials ADD COLUMN metrics TEXT NOT NULL DEFAULT '{}'",
            "ALTER TABLE epochs ADD COLUMN metrics TEXT NOT NULL DEFAULT '{}'",
        ]
    return [*statements, f"UPDATE record_version SET version = {RECORD_VERSION}"]


def insert_statement(record: type[Record], *, replace: bool = False) -> str:
    """Return the SQL that adds a row; with `replace`, it overwrites a row with the same key."""
    columns = list(COLUMN_TYPES[record])
    names, values = ", ".join(columns), ", ".join(f":{name}" for name in columns)
    insert = f"INSERT INTO {TABLES[record]} ({names}) VALUES ({values})"
    if not replace:
        return insert
    key = KEYS[record]
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in key)
    return f"{insert} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"


def to_row(record: Record) -> dict[str, Any]:
    """Return the column values of `record`, as a database takes them."""
    return encode(
        type(record), {name: getattr(record, name) for name in COLUMN_TYPES[type(record)]}
    )


def encode(record: type[Record], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values`, a part of a record's fields, as a database takes them.

    Numbers that are not finite become null. Characters that no database accepts (NUL, or half of a
    surrogate pair) become question marks.
    """
    kinds = COLUMN_TYPES[record]
    row = {}
    for name, value in values.items():
        plain = _plain(value)
        if kinds[name][0] in _AS_JSON and plain is not None:
            plain = json.dumps(plain, allow_nan=False)
        elif isinstance(plain, str):
            plain = plain.encode(errors="replace").decode().replace("\0", "?")
        row[name] = plain
    return row


def from_row(record: type[R], row: Mapping[str, Any]) -> R:
    """Return the record that a row of its table holds; older tables lack some columns."""
    values = dict(row)
    for name, decode in _DECODERS[record]:
        value = values.get(name)
        if value is not None:
            values[name] = decode(value)
    return record(**values)


_DECODE: dict[type, Callable[[Any], Any]] = {
    dict: json.loads,
    tuple: lambda text: tuple(json.loads(text)),
    bool: bool,
    Resolved: lambda text: Resolved.from_json(json.loads(text)),
}
# Only what is kept as something else: a sweep has thousands of trials.
_DECODERS = {
    record: [(name, _DECODE[kind]) for name, (kind, _) in columns.items() if kind in _DECODE]
    for record, columns in COLUMN_TYPES.items()
}


def _plain(value: Any) -> Any:
    """Return `value` with JSON's types only."""
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Resolved):
        return _plain(value.to_json())
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, Sequence):
        return [_plain(entry) for entry in value]
    return _plain(value.item())  # NumPy's and torch's numbers
