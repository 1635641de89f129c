"""A real browser before a real service, and a sweep that ran there."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browsed import CHROMIUM, search_file
from made_storage import fill_storage
from serve_process import serving, wait_until
from served import OPEN, Served, running

import tune_app
from tune_app.service.settings import Settings


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


@pytest.fixture(scope="package")
def made_storage(tmp_path_factory) -> Path:
    """Sweeps that were made up, not trained: what pages show of them is known."""
    folder = tmp_path_factory.mktemp("made")
    fill_storage(folder)
    return folder


@pytest.fixture(scope="package")
def made(made_storage: Path) -> Iterator[Served]:
    """A service over made-up sweeps, in this process. What it queues is never started."""
    settings = Settings(made_storage, made_storage / "data", limits=OPEN)
    with running(settings) as service:
        service.app.state.context.launcher.close()
        yield service


@pytest.fixture
def open_page(browser, made: Served) -> Iterator[Callable[..., object]]:
    """Open a page of the made-up service; no page may have an error of a script."""
    contexts, said = [], []

    def open_at(path: str, **options):
        options = {"viewport": {"width": 1300, "height": 900}, **options}
        context = browser.new_context(accept_downloads=True, **options)
        contexts.append(context)
        opened = context.new_page()
        opened.set_default_timeout(30_000)
        opened.on("pageerror", lambda error: said.append(str(error)))
        opened.goto(f"{made.url}{path}")
        return opened

    yield open_at
    for context in contexts:
        context.close()
    assert said == []
