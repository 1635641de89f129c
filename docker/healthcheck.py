"""Check that every URL answers 200 to a request with the token; exit with 1 otherwise.

healthcheck.py TOKEN_FILE URL...
"""

import sys
import urllib.request
from pathlib import Path

token_file, *urls = sys.argv[1:]
token = Path(token_file).read_text(encoding="utf-8").strip()
without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
for url in urls:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        without_proxy.open(request, timeout=5).close()  # raises unless the status is 200
    except OSError as error:
        sys.exit(f"{url}: {error}")
