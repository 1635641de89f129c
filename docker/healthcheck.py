"""Exit 0 if URL answers 200 to a request with the token in FILE: healthcheck.py URL FILE."""

import sys
import urllib.request
from pathlib import Path

url, token_file = sys.argv[1:]
token = Path(token_file).read_text(encoding="utf-8").strip()
request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    direct.open(request, timeout=5).close()  # raises on any other status
except OSError as error:
    sys.exit(f"{url}: {error}")
