"""When the test split was read, and for what."""

import time

from tune_app.results.store.store import Store


def note_test_reading(store: Store, sweep: str, by: str) -> None:
    """Write into a sweep's record that the test split of its data was read, now, for `by`."""
    readings = store.get_sweep(sweep).test_readings
    store.update_sweep(sweep, test_readings=(*readings, {"time": time.time(), "by": by}))
