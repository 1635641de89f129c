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
    """SIGINT or SIGTERM came where there is nothing to end in order yet."""

    def __init__(self, number: int, text: str | None = None) -> None:
        super().__init__(text or f"stopped by {signal_name(number)}")
        self.number = number


class StopSignals:
    """A context in which SIGINT and SIGTERM stop what runs.

    Outside `noting` they raise StopRequested; inside they are noted in `received`, for the loop
    there to end in order. A second one ends the process. Outside the main thread, where no
    handler can be set, this does nothing.
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
        """Take the signals over; again after Ray, whose start may set handlers of its own.

        One that came meanwhile is raised, in case that it was swallowed where it was raised.
        """
        self._raise_again()
        if threading.current_thread() is threading.main_thread():
            for number in NUMBERS:
                before = signal.signal(number, self._handle)
                self._before.setdefault(number, before)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Raise at the end of the block what came in it."""
        before, self._noting = self._noting, True
        try:
            yield
        finally:
            self._noting = before
        self._raise_again()

    def note(self) -> None:
        """From now on note the first signal instead of raising."""
        self._raise_again()
        self._noting = True

    def _raise_again(self) -> None:
        # Raised within an import or a finalizer it may have been swallowed there.
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
            # What was recorded is safe: every write is a transaction of its own.
            os._exit(128 + number)
        self.received = number
        if not self._noting:
            raise StopRequested(number)


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Let no signal raise within the block, but at its end.

    Ray's C++ ends the process where an exception comes out of a call of it.
    """
    handles = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    with handles.deferred() if isinstance(handles, StopSignals) else nullcontext():
        yield


def signal_name(number: int) -> str:
    """Return what people call a signal."""
    return "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
