"""What the process that runs a sweep brings to an object store while it runs.

Trials' files go there straight from the workers; the record is written here, and brought there
every so often, so that it can be read elsewhere: late by seconds, and whole in the end.
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

EVERY_S = 20.0  # less than the silence after which a sweep's process is believed dead


class Uploads:
    """A thread beside a running sweep."""

    def __init__(self, mirror: Mirror, sweep: str) -> None:
        self._mirror, self._sweep = mirror, sweep
        self._ended: SimpleQueue[tuple[str, str | None]] = SimpleQueue()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="uploads", daemon=True)

    def trial_ended(self, trial_id: str, checkpoint: str | None) -> None:
        """Have all files of a trial removed there but those that the record names."""
        self._ended.put((trial_id, checkpoint))

    def start(self) -> None:
        """Write the record there, so that a storage which refuses is known before Ray trains.

        Raises:
            StorageError: The storage refuses.
        """
        self._mirror.push(self._sweep)
        self._thread.start()

    def close(self) -> None:
        """End the thread when it has done what it was asked for."""
        self._over.set()
        self._thread.join()
        self._clean()

    def _run(self) -> None:
        while not self._over.wait(EVERY_S):
            self._clean()
            # A pause of the network; the next time, or the end, has all of it.
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
    """Bring a sweep's record to where its storage is, for as long as the block and at its end."""
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
