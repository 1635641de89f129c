"""Networks and whole sweeps out of the record, in files."""

import sys


def note_left_out(reason: str) -> None:
    """Say on stderr which part of an export could not be made."""
    print(f"note: {reason}", file=sys.stderr)
