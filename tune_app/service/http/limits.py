"""Limits on how often each client may send requests."""

import time
from collections import OrderedDict
from dataclasses import dataclass

MOST_CLIENTS = 10_000  # remembered at once, so that many addresses cannot fill the memory


@dataclass
class _Bucket:
    tokens: float
    filled: float


class Rate:
    """A token bucket for each client.

    A bucket starts full with `at_once` tokens, and `per_s` tokens flow into it each second. A
    request takes one token. So a client may send a burst, as a browser does when it opens a page,
    and in the long run no more than `per_s` requests a second.
    """

    def __init__(self, per_s: float, at_once: int) -> None:
        self.per_s, self.at_once = per_s, at_once
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait_s(self, client: str) -> float:
        """Take a token and return 0, or return the seconds until one is available."""
        bucket = self._refilled(client)
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / self.per_s
        bucket.tokens -= 1
        return 0.0

    def _refilled(self, client: str) -> _Bucket:
        now = time.monotonic()
        # Put back at the end of the order: the client that was silent longest is dropped first.
        bucket = self._buckets.pop(client, None) or _Bucket(self.at_once, now)
        self._buckets[client] = bucket
        if len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        bucket.tokens = min(self.at_once, bucket.tokens + (now - bucket.filled) * self.per_s)
        bucket.filled = now
        return bucket
