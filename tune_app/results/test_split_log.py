"""The log in a sweep's record of every time that the test split is read."""

import time

from tune_app.results.store.store import Store


def note_test_reading(store: Store, sweep: str, by: str) -> None:
    """Record that the test split of a sweep's data set is being read now; `by` says why."""
    readings = store.get_sweep(sweep).test_readings
    store.update_sweep(sweep, test_readings=(*readings, {"time": time.time(), "by": by}))
