"""How often a client may ask."""

import time
from collections import OrderedDict
from dataclasses import dataclass

MOST_CLIENTS = 10_000


@dataclass
class _Bucket:
    tokens: float
    filled: float


class Rate:
    """A token bucket for each client: `per_s` refills it, `at_once` is what it holds."""

    def __init__(self, per_s: float, at_once: int) -> None:
        self.per_s, self.at_once = per_s, at_once
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait_s(self, client: str) -> float:
        """Take one, and return 0; or the seconds until there is one again."""
        now = time.monotonic()
        bucket = self._buckets.pop(client, None) or _Bucket(self.at_once, now)
        self._buckets[client] = bucket  # the last one asked is the last one forgotten
        if len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        bucket.tokens = min(self.at_once, bucket.tokens + (now - bucket.filled) * self.per_s)
        bucket.filled = now
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / self.per_s
        bucket.tokens -= 1
        return 0.0
