"""A line for each change that was asked for, done or refused."""

import json
import logging
import threading
import time
from pathlib import Path
from typing import Any

LOG = logging.getLogger("tune_app.service")


class AuditLog:
    """Appends to `<storage>/.service/audit.jsonl`: when, who, from where, what, and the answer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def write(self, **line: Any) -> None:
        """Add a line; a full disk is told to the server's log, and stops nobody."""
        text = json.dumps({"time": round(time.time(), 3), **line})
        try:
            with self._lock:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(f"{text}\n")
        except OSError as err:
            LOG.error("no audit line could be written (%s): %s", err.strerror, text)
