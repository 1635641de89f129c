"""Files that only the service's user can read: queue, logs, audit log, and cached answers.

The queue holds search files and the audit log holds addresses of clients. On a shared machine the
usual file mode would show both to every user.
"""

import os
from pathlib import Path
from typing import IO

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600


def make_private_folder(path: Path) -> None:
    """Create a folder that only its owner can enter, if it is missing."""
    # Folders above keep the usual mode: the storage may be shared on purpose.
    path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)


def open_private(path: Path, mode: str) -> IO[bytes]:
    """Open a file for writing or appending; a file that is created gets mode 0600."""
    # Opened with its mode, not changed afterwards: nobody can read it in between.
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, PRIVATE_FILE))


def write_private(path: Path, text: str) -> None:
    """Write a text file that only its owner can read."""
    with open_private(path, "wb") as file:
        file.write(text.encode())
