"""The log of readings of the test split, in the record of the sweep."""

import time

from tune_app.results.store.store import Store


def note_test_reading(store: Store, sweep: str, by: str) -> None:
    """Record that the test split of a sweep's data is being read now, for `by`."""
    readings = store.get_sweep(sweep).test_readings
    store.update_sweep(sweep, test_readings=(*readings, {"time": time.time(), "by": by}))
