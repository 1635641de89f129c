"""The dashboard in a real browser, before a real `tune-app serve` and real sweeps."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import tune_app

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
SOURCE = """\
name: seen
dataset: {name: digits, validation: 0.2}
model: fcn
budgets: [1k, 3k]
parameters:
  layers: 1
  width: {int: [2, 30], log: true}
  optimizer: {choice: [adam, sgd]}
  lr: {float: [1e-3, 1e-1], log: true}
  batch_norm: {choice: [true, false]}
  epochs: EPOCHS
search: {sampler: random, trials: TRIALS, seed: 1}
scheduler: {type: none}
resources: {max_concurrent: 1}
"""


def search_file(name: str, trials: int, epochs: int) -> str:
    text = SOURCE.replace("EPOCHS", str(epochs)).replace("TRIALS", str(trials))
    return text.replace("name: seen", f"name: {name}", 1)


@contextmanager
def serving(storage: Path, *options: str) -> Iterator[str]:
    """Run `tune-app serve` as a user does; end it as a user does."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tune_app.cli", "serve", "--port", str(port)]
    child = subprocess.Popen(
        [*command, "--storage", str(storage), *options],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_CONFIG_HOME": str(storage / "nothing")},
    )
    try:
        assert child.stdout is not None
        assert "tune-app on http://127.0.0.1" in child.stdout.readline()
        for _ in range(240):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.25)
        yield f"http://127.0.0.1:{port}"
    finally:
        child.terminate()
        child.wait(timeout=30)
        child.stdout.close()


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no chromium here: apt-get install chromium")
    with playwright.sync_playwright() as started:
        shown = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield shown
        shown.close()


@pytest.fixture(scope="module")
def storage(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("browsed")


@pytest.fixture(scope="module")
def url(storage: Path) -> Iterator[str]:
    with serving(storage) as address:
        yield address


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


def wait_until(test, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def seen(url: str) -> str:
    """A sweep of eight trials that ran to its end; the name of its address."""
    service = tune_app.connect(url)
    if not any(one["name"] == "seen" for one in service.sweeps()):
        service.run(search_file("seen", 8, 3))
        wait_until(lambda: [one["status"] for one in service.sweeps()] == ["complete"])
    return "/sweeps/seen"


def test_a_sweep_is_written_mended_started_and_watched(page, url):
    page.goto(f"{url}/")
    assert page.get_by_role("heading", name="No sweeps here yet").is_visible()
    page.get_by_role("link", name="Write a search file").click()
    editor = page.get_by_label("Search file")
    editor.fill(search_file("seen", 8, 3).replace("width:", "widht:"))
    problem = page.locator("#problems button")
    problem.wait_for()
    assert "did you mean 'width'?" in problem.text_content()
    assert problem.text_content().startswith("line 7: parameters.widht")
    editor.fill(search_file("seen", 8, 3))
    page.get_by_text("This file can run: seen, 8 trials, 2 budgets.").wait_for()
    page.get_by_role("button", name="Draw samples, forecast time").click()
    page.get_by_role("img", name="weights of random draws").wait_for(timeout=90_000)
    page.get_by_role("button", name="Start the sweep").click()
    page.wait_for_url(f"{url}/")
    # From here on nothing is reloaded by hand.
    page.get_by_role("link", name="seen").click(timeout=240_000)
    loads = []
    page.on("framenavigated", lambda frame: loads.append(frame.url))
    page.locator("a", has_text="all trials").click()
    rows = page.locator("tr[data-trial]")
    rows.first.wait_for(timeout=240_000)
    page.locator("#head .status.complete").wait_for(timeout=240_000)
    wait_until(lambda: rows.count() == 8, 20)
    assert all("/sweeps/seen" in one for one in loads)


def address(page) -> str:
    """Return where the page is now; `page.url` is what the last navigation said."""
    return str(page.evaluate("location.href"))


def column(page, heading: str) -> list[str]:
    heads = [text.strip() for text in page.locator("table.trials thead th").all_text_contents()]
    place = heads.index(heading) + 1
    return page.locator(f"table.trials tbody td:nth-child({place})").all_text_contents()


def test_the_table_is_sorted_filtered_and_remembered_in_the_address(page, url, seen):
    page.goto(f"{url}{seen}?table=all")
    page.locator("table.trials th a", has_text=re.compile("^weights$")).click()
    wait_until(lambda: "sort=weights" in address(page), 10)
    weights = [int(text) for text in column(page, "weights")]
    assert weights == sorted(weights)
    page.locator("table.trials th a", has_text=re.compile("^weights$")).click()
    wait_until(lambda: "sort=-weights" in address(page), 10)
    assert [int(text) for text in column(page, "weights")] == weights[::-1]
    page.get_by_label("Filter", exact=True).fill("optimizer=adam")
    page.keyboard.press("Enter")
    wait_until(lambda: "where=optimizer" in address(page), 10)
    shown = page.locator("tr[data-trial]").count()
    assert 0 < shown < 8
    page.reload()
    assert page.locator("tr[data-trial]").count() == shown
    page.go_back()
    wait_until(lambda: page.locator("tr[data-trial]").count() == 8, 10)
    page.get_by_label("Filter", exact=True).fill("optimiser=adam")
    page.keyboard.press("Enter")
    page.get_by_text("did you mean 'optimizer'").wait_for()


def test_brushing_an_axis_filters_the_table_by_mouse_and_by_keys(page, url, seen):
    page.goto(f"{url}{seen}?table=all")
    axis = page.get_by_role("slider", name="Filter by lr")
    axis.scroll_into_view_if_needed()
    box = axis.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 4, steps=5)
    page.mouse.up()
    wait_until(lambda: "lr%3E%3D" in address(page), 10)
    limit = float(re.search(r"lr%3E%3D([\d.e-]+)", address(page)).group(1))
    wait_until(lambda: page.locator("tr[data-trial]").count() < 8, 10)
    assert all(float(text) >= limit * 0.99 for text in column(page, "lr"))
    page.get_by_role("slider", name="Filter by lr").press("Delete")
    wait_until(lambda: "where" not in address(page), 10)
    width = page.get_by_role("slider", name="Filter by width")
    for _ in range(8):
        width = page.get_by_role("slider", name="Filter by width")
        width.press("ArrowUp")
    wait_until(lambda: "width%3E%3D" in address(page), 10)
    assert page.get_by_role("slider", name="Filter by width").evaluate(
        "node => node === document.activeElement"
    )


def test_ticked_trials_are_drawn_and_compared(page, url, seen):
    page.goto(f"{url}{seen}?table=all")
    page.get_by_label("Select t0001").check()
    page.get_by_label("Select t0003").check()
    page.get_by_text("the trials that are ticked in the table").wait_for()
    assert "selected=t0001%2Ct0003" in address(page)
    page.get_by_role("button", name="Compare those ticked").click()
    page.wait_for_url("**/compare**")
    assert page.locator("tr.differs").count() > 3
    page.get_by_role("button", name="Only what differs").click()
    assert page.locator("table.compare tbody tr:not(.differs):not(.group)").count() <= 1


def test_a_trial_shows_its_network_and_is_exported(page, url, seen, tmp_path):
    page.goto(f"{url}{seen}")
    page.locator("table.trials tbody a").first.click()
    page.get_by_role("heading", name="Weights by layer").wait_for()
    page.get_by_role("heading", name="Confusion matrix (validation split)").wait_for(
        timeout=120_000
    )
    picture = page.locator("figure", has_text="Confusion matrix").locator("img")
    picture.scroll_into_view_if_needed()
    wait_until(lambda: picture.evaluate("one => one.complete && one.naturalWidth > 100"), 60)
    page.get_by_role("button", name="Export…").click()
    assert "tune-app export seen --trial t00" in page.locator("dialog[open] code").text_content()
    with page.expect_download(timeout=120_000) as waiting:
        page.get_by_role("button", name="Download the zip").click(timeout=120_000)
    path = tmp_path / "export.zip"
    waiting.value.save_as(path)
    names = {name.split("/")[-1] for name in zipfile.ZipFile(path).namelist()}
    assert {"weights.pt", "config.yaml", "metrics.json", "README.md"} <= names


def test_a_page_says_why_the_ranking_is_what_it_is_with_the_numbers(page, url, seen):
    page.goto(f"{url}{seen}")
    why = page.locator("#why")
    why.scroll_into_view_if_needed()
    why.locator("li").first.wait_for(timeout=180_000)
    told = why.locator("li").all_text_contents()
    assert told == tune_app.connect(url).sweep("seen").why()["findings"]
    numbers = why.locator("details", has_text="What more trials may bring")
    numbers.locator("summary").press("Enter")
    assert numbers.locator("tbody tr").count() == 2, "a row for each budget"
    assert "tune-app diagnose ranking seen" in why.locator("code").text_content()


def test_a_trials_page_shows_how_far_its_claims_hold(page, url, seen):
    page.goto(f"{url}{seen}/trials/t0001")
    for title in ("Calibration (validation split)", "Accuracy by class (validation split)",
                  "Gradient norm and training loss by epoch"):  # fmt: skip
        figure = page.locator("figure", has_text=title)
        figure.wait_for(timeout=120_000)
        picture = figure.locator("img")
        picture.scroll_into_view_if_needed()
        wait_until(lambda one=picture: one.evaluate("one => one.naturalWidth > 100"), 60)


def test_sweeps_are_compared_and_reported_together(page, url, seen, tmp_path):
    service = tune_app.connect(url)
    service.run(search_file("again", 2, 1))
    wait_until(lambda: [s.status for s in service if s.name == "again"] == ["complete"])
    page.goto(f"{url}/")
    page.get_by_label("Compare seen").check()
    page.get_by_label("Compare again").check()
    page.get_by_role("button", name="Compare those ticked").click()
    page.wait_for_url("**/compare**")
    page.get_by_role("button", name="Report", exact=True).click()
    command = page.locator("dialog[open] code").text_content()
    assert re.match(r"tune-app report (seen again|again seen) --to comparison.html", command)
    with page.expect_download(timeout=240_000) as waiting:
        page.get_by_role("button", name="Write it").click(timeout=240_000)
    path = tmp_path / "report.html"
    waiting.value.save_as(path)
    assert "seen and again" in path.read_text() or "again and seen" in path.read_text()


def test_run_again_with_changes_opens_the_trials_configuration(page, url, seen):
    page.goto(f"{url}{seen}/trials/t0001")
    page.get_by_role("link", name="Run again with changes").click(timeout=60_000)
    page.wait_for_url("**/new?**", timeout=60_000)
    page.get_by_text(re.compile(r"This file can run: seen-t0001")).wait_for(timeout=30_000)


def test_a_sweep_is_stopped_and_resumed_and_outlives_the_service(browser, storage, url):
    with serving(storage) as first:
        context = browser.new_context()
        page = context.new_page()
        tune_app.connect(first).run(search_file("long", 40, 12))
        page.goto(f"{first}/")
        page.get_by_role("link", name="long").click(timeout=240_000)
        page.locator("#head .status.running").wait_for(timeout=240_000)
        context.close()
    with serving(storage) as second:
        began = time.monotonic()
        assert tune_app.connect(second).sweep("long").status == "running"
        assert time.monotonic() - began < 5
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{second}/sweeps/long")
        page.locator("#head .status.running").wait_for(timeout=10_000)
        page.get_by_role("button", name="Stop", exact=True).click()
        assert "tune-app stop long" in page.locator("dialog[open] code").text_content()
        page.locator("dialog[open]").get_by_role("button", name="Stop").click()
        page.locator("#head .status.stopped").wait_for(timeout=120_000)
        before = tune_app.connect(second).sweep("long").trials(where=["status=finished"])
        page.get_by_role("button", name="Resume", exact=True).click()
        page.locator("dialog[open]").get_by_role("button", name="Resume").click()
        page.locator("#head .status.running").wait_for(timeout=120_000)
        sweep = tune_app.connect(second).sweep("long")
        sweep.stop()
        wait_until(lambda: sweep.status == "stopped")
        after = {row["trial_id"]: row for row in sweep.trials()}
        assert all(after[row["trial_id"]]["epochs"] == row["epochs"] for row in before)
        context.close()


def test_a_browser_logs_in_and_is_refused_without(browser, storage, tmp_path):
    secret = tmp_path / "token"
    made = subprocess.run(
        [sys.executable, "-m", "tune_app.cli", "token", "--token-file", str(secret)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    token = made.stdout.splitlines()[0]
    assert secret.stat().st_mode & 0o777 == 0o600
    with serving(storage, "--token-file", str(secret)) as url:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{url}/")
        assert page.url == f"{url}/login"
        page.get_by_label("Token").fill("guess")
        page.get_by_role("button", name="Log in").click()
        page.get_by_text("this is not the token").wait_for()
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"{url}/")
        assert page.evaluate("document.cookie") == ""
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url(f"{url}/login")
        context.close()


PAGES = (
    *("/", "/?q=nothing", "/new", "/sweeps/seen", "/sweeps/seen?table=all"),
    *("/sweeps/seen/trials/t0001", "/compare?trial=seen:t0001&trial=seen:t0002", "/nothing-here"),
)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, url, seen, theme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    context = browser.new_context(color_scheme=theme, reduced_motion="reduce")
    page = context.new_page()
    found = []
    for path in PAGES:
        page.goto(f"{url}{path}")
        page.wait_for_timeout(1500)
        for one in axe.run(page).response["violations"]:
            if one["impact"] in ("serious", "critical"):
                targets = [node["target"] for node in one["nodes"]][:3]
                found.append(f"{path}: {one['id']}: {one['help']}: {targets}")
    context.close()
    assert not found, "\n".join(found)


def test_a_phone_shows_pages_without_a_sideways_scroll(browser, url, seen):
    context = browser.new_context(viewport={"width": 390, "height": 800})
    page = context.new_page()
    for path in PAGES:
        page.goto(f"{url}{path}")
        page.wait_for_timeout(700)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390, f"{path} is {wide} wide"
    context.close()


def test_the_keyboard_alone_opens_sorts_and_acts(page, url, seen):
    page.goto(f"{url}/")
    page.keyboard.press("Tab")
    assert page.locator(":focus").text_content() == "Skip to content"
    link = page.get_by_role("link", name="seen", exact=True)
    for _ in range(40):
        if link.evaluate("node => node === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/sweeps/seen")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.locator(":focus").text_content() == "Note…":
            break
    page.keyboard.press("Enter")
    page.locator("dialog[open] textarea").wait_for()
    page.keyboard.type("kept by keys")
    assert "tune-app note seen 'kept by keys'" in page.locator("dialog[open] code").text_content()
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0


def test_the_keyboard_alone_sorts_ticks_chooses_columns_and_leaves_the_editor(page, url, seen):
    def walk_to(text: str, role: str = "", most: int = 120) -> None:
        for _ in range(most):
            page.keyboard.press("Tab")
            here = page.locator(":focus")
            label = here.get_attribute("aria-label") or here.text_content() or ""
            if label.strip() == text and (not role or here.evaluate("o => o.tagName") == role):
                return
        raise AssertionError(f"the keyboard does not come to '{text}'")

    page.goto(f"{url}{seen}?table=all")
    page.locator("#parallel svg").wait_for()
    walk_to("Filter by lr")
    page.keyboard.press("ArrowUp")
    wait_until(lambda: "lr%3E%3D" in address(page), 10)
    page.keyboard.press("Delete")
    wait_until(lambda: "where" not in address(page), 10)
    walk_to("Columns", "SUMMARY")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")  # trial_id, the first one: no more
    walk_to("Show these", "BUTTON")
    page.keyboard.press("Enter")
    wait_until(lambda: "columns=" in address(page), 10)
    page.goto(f"{url}{seen}?table=all")
    walk_to("weights", "A")
    page.keyboard.press("Enter")
    wait_until(lambda: "sort=weights" in address(page), 10)
    walk_to("Select t0001", "INPUT")
    page.keyboard.press("Space")
    wait_until(lambda: "selected=t0001" in address(page), 10)
    page.goto(f"{url}/new")
    page.get_by_label("Search file").focus()
    page.keyboard.press("Control+End")
    page.keyboard.type("\nmax_m")
    page.keyboard.press("Control+Space")
    page.locator("#completions li").first.wait_for()
    page.keyboard.press("Enter")
    assert page.get_by_label("Search file").input_value().endswith("\nmax_macs: ")
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert page.locator(":focus").evaluate("one => one.tagName") != "TEXTAREA"


def test_scripts_of_others_do_not_run(page, url, seen, storage):
    tune_app.connect(url).sweep("seen").note(
        "<img src=x onerror=alert(1)><script>alert(2)</script>"
    )
    for path in ("/", seen, f"{seen}?where=<script>alert(3)</script>", "/?q=<script>alert(4)"):
        page.goto(f"{url}{path}")
        page.wait_for_timeout(500)
    # The fixture fails where a dialog was opened.
