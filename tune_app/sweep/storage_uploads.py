"""Uploading a sweep's record to an object store while the sweep runs.

Workers upload the files of trials themselves. The record is a local database, which a thread
uploads every 20 seconds, so that other machines can read it: a little late while the sweep runs,
complete at its end.
"""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import PurePosixPath
from queue import Empty, SimpleQueue

from tune_app.errors import TuneAppError
from tune_app.results.store import Store
from tune_app.results.store.names import TEST_FILE, WEIGHTS_FOLDER
from tune_app.results.transfer.mirror import Mirror, mirror_of

EVERY_S = 20.0  # less than the silence after which a sweep's process counts as dead


class Uploads:
    """The thread that uploads a running sweep's record and removes files that it does not name."""

    def __init__(self, mirror: Mirror, sweep: str) -> None:
        self._mirror, self._sweep = mirror, sweep
        self._ended: SimpleQueue[tuple[str, str | None]] = SimpleQueue()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="uploads", daemon=True)

    def trial_ended(self, trial_id: str, checkpoint: str | None) -> None:
        """Queue an ended trial, to remove those of its files that the record does not name."""
        self._ended.put((trial_id, checkpoint))

    def start(self) -> None:
        """Upload the record once, to notice a storage that refuses writes before training.

        Raises:
            StorageError: The storage refuses.
        """
        self._mirror.push(self._sweep)
        self._thread.start()

    def close(self) -> None:
        """End the thread after it has handled the queued trials."""
        self._over.set()
        self._thread.join()
        self._clean()

    def _run(self) -> None:
        while not self._over.wait(EVERY_S):
            self._clean()
            # If the network fails, the next upload or the last one contains everything.
            with contextlib.suppress(TuneAppError):
                if self._mirror.was_asked_to_stop(self._sweep):
                    self._mirror.store.update_sweep(self._sweep, status="stopping")
                self._mirror.push(self._sweep)

    def _clean(self) -> None:
        with contextlib.suppress(Empty, TuneAppError):
            while True:
                trial_id, checkpoint = self._ended.get_nowait()
                folder = f"{self._sweep}/{trial_id}"
                for name in self._mirror.bucket.names(folder):
                    path = PurePosixPath(name)
                    kept = path.name == TEST_FILE or path.parent.name == WEIGHTS_FOLDER
                    if not kept and name != f"{self._sweep}/{checkpoint}":
                        self._mirror.bucket.remove(name)


@contextlib.contextmanager
def uploads_of(store: Store, sweep: str) -> Iterator[Uploads | None]:
    """Upload a sweep's record during the block; if the storage is a folder, yield None."""
    mirror = mirror_of(store)
    if mirror is None:
        yield None
        return
    uploads = Uploads(mirror, sweep)
    uploads.start()
    try:
        yield uploads
    finally:
        uploads.close()
