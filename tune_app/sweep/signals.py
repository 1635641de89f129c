"""Graceful stops: the first SIGINT or SIGTERM ends a sweep in order, a second one at once."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType, TracebackType
from typing import Any, Self

NUMBERS = (signal.SIGINT, signal.SIGTERM)


class StopRequested(BaseException):  # no KeyboardInterrupt: command lines turn that into 130
    """SIGINT or SIGTERM came before the first trial, when nothing has to be ended in order."""

    def __init__(self, number: int, text: str | None = None) -> None:
        super().__init__(text or f"stopped by {signal_name(number)}")
        self.number = number


class StopSignals:
    """A context in which SIGINT and SIGTERM stop the running sweep.

    Until `note` is called, a signal raises StopRequested. Afterwards the first signal is only
    stored in `received`; the running loop checks this and ends in order. A second one ends the
    process. Outside the main thread, where Python sets no handlers, this does nothing.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._noting = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        outer = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
        if isinstance(outer, StopSignals):
            outer._raise_again()
        self.install()
        return self

    def install(self) -> None:
        """Set our handlers; called again after Ray has started, which may set its own.

        A signal that arrived in between is raised again, in case the first exception was swallowed.
        """
        self._raise_again()
        if threading.current_thread() is threading.main_thread():
            for number in NUMBERS:
                before = signal.signal(number, self._handle)
                self._before.setdefault(number, before)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Hold back signals that come within the block, and raise at its end."""
        before, self._noting = self._noting, True
        try:
            yield
        finally:
            self._noting = before
        self._raise_again()

    def note(self) -> None:
        """From now on keep the first signal in `received` instead of raising."""
        self._raise_again()
        self._noting = True

    def _raise_again(self) -> None:
        # An exception raised within an import or a finalizer may have been swallowed there.
        if self.received is not None and not self._noting:
            raise StopRequested(self.received)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            if sys.stderr.isatty():
                sys.stderr.write("\x1b[?25h")  # the live table hides the cursor
                sys.stderr.flush()
            # The record is safe: every write is one transaction.
            os._exit(128 + number)
        self.received = number
        if not self._noting:
            raise StopRequested(number)


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Hold back signals within the block, if our handlers are set, and raise at its end.

    Ray's C++ code ends the process if a Python exception passes through it.
    """
    handles = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    with handles.deferred() if isinstance(handles, StopSignals) else nullcontext():
        yield


def signal_name(number: int) -> str:
    """Return the common name of a signal."""
    return "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
