"""Notes on exports: the parts that could not be written."""

import sys


def note_left_out(reason: str) -> None:
    """Say on stderr which part of an export could not be made."""
    print(f"note: {reason}", file=sys.stderr)
