"""Exit 0 if each URL answers 200 to a request with the token: healthcheck.py TOKEN_FILE URL..."""

import sys
import urllib.request
from pathlib import Path

token_file, *urls = sys.argv[1:]
token = Path(token_file).read_text(encoding="utf-8").strip()
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
for url in urls:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        direct.open(request, timeout=5).close()  # raises on any other status
    except OSError as error:
        sys.exit(f"{url}: {error}")
