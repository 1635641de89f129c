"""A real browser before a real service, and a sweep that ran there."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browsed import CHROMIUM, search_file
from serve_process import serving, wait_until

import tune_app


@pytest.fixture(scope="package")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no chromium here: apt-get install chromium")
    with playwright.sync_playwright() as started:
        shown = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield shown
        shown.close()


@pytest.fixture(scope="package")
def storage(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("browsed")


@pytest.fixture(scope="package")
def url(storage: Path) -> Iterator[str]:
    with serving(storage) as service:
        yield service.url


@pytest.fixture
def page(browser, url):
    """A page that may ask nothing of other sites, nor complain."""
    context = browser.new_context(accept_downloads=True, viewport={"width": 1300, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(30_000)
    asked, said = [], []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("dialog", lambda dialog: said.append(f"a script ran: {dialog.message}"))
    yield opened
    context.close()
    assert [one for one in asked if not one.startswith((url, "blob:"))] == []
    assert said == []


@pytest.fixture(scope="package")
def seen(url: str) -> str:
    """A sweep of eight trials that ran to its end; the name of its address."""
    service = tune_app.connect(url)
    if not any(one["name"] == "seen" for one in service.sweeps()):
        service.run(search_file("seen", 8, 3))
        wait_until(lambda: [one["status"] for one in service.sweeps()] == ["complete"])
    return "/sweeps/seen"
