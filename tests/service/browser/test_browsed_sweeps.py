"""Sweeps and trials in a real browser, before a real `tune-app serve` and real sweeps."""

import re
import time
import zipfile

import pytest
from browsed import address, column, search_file
from serve_process import serving, wait_until

import tune_app

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_sweep_is_written_mended_started_and_watched(page, url):
    page.goto(f"{url}/")
    assert page.get_by_role("heading", name="No sweeps yet").is_visible()
    page.get_by_role("link", name="Write a search file").click()
    editor = page.get_by_label("Search file")
    editor.fill(search_file("seen", 8, 3).replace("width:", "widht:"))
    problem = page.locator("#problems button")
    problem.wait_for()
    assert "did you mean 'width'?" in problem.text_content()
    assert problem.text_content().startswith("line 7: parameters.widht")
    editor.fill(search_file("seen", 8, 3))
    page.get_by_text("This file can run: seen, 8 trials, 2 budgets.").wait_for()
    page.get_by_role("button", name="Forecast time and weights").click()
    page.get_by_role("img", name="weights of random draws").wait_for(timeout=90_000)
    page.get_by_role("button", name="Start sweep").click()
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


def test_selected_trials_are_drawn_and_compared(page, url, seen):
    page.goto(f"{url}{seen}?table=all")
    page.get_by_label("Select t0001").check()
    page.get_by_label("Select t0003").check()
    page.get_by_text("the trials that are selected in the table").wait_for()
    assert "selected=t0001%2Ct0003" in address(page)
    page.get_by_role("button", name="Compare selected").click()
    page.wait_for_url("**/compare**")
    assert page.locator("tr.differs").count() > 3
    page.get_by_role("button", name="Show only differences").click()
    assert page.locator("table.compare tbody tr:not(.differs):not(.group)").count() == 0


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
    page.get_by_role("button", name="Export network…").click()
    assert "tune-app export seen --trial t00" in page.locator("dialog[open] code").text_content()
    with page.expect_download(timeout=120_000) as waiting:
        page.get_by_role("button", name="Download zip file").click(timeout=120_000)
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
    page.get_by_role("button", name="Compare selected").click()
    page.wait_for_url("**/compare**")
    page.get_by_role("button", name="Create report…").click()
    command = page.locator("dialog[open] code").text_content()
    assert re.match(r"tune-app report (seen again|again seen) --to comparison.html", command)
    with page.expect_download(timeout=240_000) as waiting:
        page.locator("dialog[open]").get_by_role("button", name="Create report").click(
            timeout=240_000
        )
    path = tmp_path / "report.html"
    waiting.value.save_as(path)
    assert "seen and again" in path.read_text() or "again and seen" in path.read_text()


def test_run_again_with_changes_opens_the_trials_configuration(page, url, seen):
    page.goto(f"{url}{seen}/trials/t0001")
    page.get_by_role("link", name="Run again with changes").click(timeout=60_000)
    page.wait_for_url("**/new?**", timeout=60_000)
    page.get_by_text(re.compile(r"This file can run: seen-t0001")).wait_for(timeout=30_000)


def test_a_sweep_is_stopped_and_resumed_and_outlives_the_service(browser, storage, url):
    with serving(storage) as service:
        first = service.url
        context = browser.new_context()
        page = context.new_page()
        tune_app.connect(first).run(search_file("long", 40, 12))
        page.goto(f"{first}/")
        page.get_by_role("link", name="long").click(timeout=240_000)
        page.locator("#head .status.running").wait_for(timeout=240_000)
        context.close()
    with serving(storage) as service:
        second = service.url
        began = time.monotonic()
        assert tune_app.connect(second).sweep("long").status == "running"
        assert time.monotonic() - began < 5
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{second}/sweeps/long")
        page.locator("#head .status.running").wait_for(timeout=10_000)
        page.get_by_role("button", name="Stop sweep", exact=True).click()
        assert "tune-app stop long" in page.locator("dialog[open] code").text_content()
        page.locator("dialog[open]").get_by_role("button", name="Stop sweep").click()
        page.locator("#head .status.stopped").wait_for(timeout=120_000)
        before = tune_app.connect(second).sweep("long").trials(where=["status=finished"])
        page.get_by_role("button", name="Resume sweep", exact=True).click()
        page.locator("dialog[open]").get_by_role("button", name="Resume sweep").click()
        page.locator("#head .status.running").wait_for(timeout=120_000)
        sweep = tune_app.connect(second).sweep("long")
        sweep.stop()
        wait_until(lambda: sweep.status == "stopped")
        after = {row["trial_id"]: row for row in sweep.trials()}
        assert all(after[row["trial_id"]]["epochs"] == row["epochs"] for row in before)
        context.close()
