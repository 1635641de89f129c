"""The audit log: one line for each request for a change, whether it was done or refused."""

import json
import logging
import threading
import time
from pathlib import Path

from tune_app.service.http.private_files import make_private_folder, open_private

LOG = logging.getLogger("tune_app.service")


class AuditLog:
    """Appends lines to `<storage>/.service/audit.jsonl`: time, user, client, change and status."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def write(self, **line: str | int | None) -> None:
        """Append a line; if that fails, write it to the server's log instead."""
        text = json.dumps({"time": round(time.time(), 3), **line})
        try:
            with self._lock:
                make_private_folder(self.path.parent)
                with open_private(self.path, "ab") as file:
                    file.write(f"{text}\n".encode())
        except OSError as err:
            # A full disk must not stop the service: it may be what an operator wants to repair.
            LOG.error("cannot write to the audit log (%s): %s", err.strerror, text)
