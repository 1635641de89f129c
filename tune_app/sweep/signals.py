"""Graceful stops: the first SIGINT or SIGTERM ends a sweep in order, a second one at once."""

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self


class StopSignals:
    """A context in which SIGINT and SIGTERM are noted in `received` instead of raising.

    Ray installs a handler of its own for SIGTERM that aborts the process, so enter this after
    Ray has started. Outside the main thread, where no handler can be set, it does nothing.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            # What was recorded is safe: every write is a transaction of its own.
            os._exit(128 + number)
        self.received = number
