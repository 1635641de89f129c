"""The list of sweeps when there are many, and what is selected there."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from made_storage import LONG_NAME
from made_sweeps import classes_text, make_sweep
from served import OPEN, Served, running

from tune_app.results.store import open_store
from tune_app.service.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Iterator[Served]:
    """A service over forty sweeps, one of them with the longest name that there can be."""
    folder: Path = tmp_path_factory.mktemp("many")
    store = open_store(folder)
    first = make_sweep(store, classes_text("batch_00"), 8)
    for number in range(1, 39):
        store.create_sweep(replace(first, name=f"batch_{number:02}", created=float(number)))
    note = "a note that is much too long for one line of the list of all sweeps"
    store.create_sweep(replace(first, name=LONG_NAME, created=99.0, note=note))
    store.close()
    settings = Settings(folder, folder / "data", limits=OPEN)
    with running(settings) as service:
        yield service


def test_forty_sweeps_are_on_pages_and_each_is_one_line(browser, many):
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    page.goto(f"{many.url}/")
    rows = page.locator("table.sweeps tbody tr")
    assert rows.count() == 25
    heights = rows.evaluate_all("all => all.map(row => row.getBoundingClientRect().height)")
    assert max(heights) < 50, heights
    assert rows.first.get_by_role("link").text_content() == LONG_NAME
    started = page.locator("table.sweeps tbody td[data-label=Started]").first.bounding_box()
    assert started["x"] + started["width"] <= 1300, "the long name pushed the columns out of sight"
    assert page.get_by_text("Sweeps 1 to 25 of 40").is_visible()
    page.get_by_role("link", name="Next page").click()
    page.get_by_text("Sweeps 26 to 40 of 40").wait_for()
    assert rows.count() == 15
    page.close()


def test_fewer_than_two_cannot_be_compared(browser, many):
    page = browser.new_page()
    page.goto(f"{many.url}/")
    button = page.locator("[data-compare]")
    assert button.text_content() == "Compare selected"
    assert button.is_disabled()
    boxes = page.locator("table.sweeps tbody input[type=checkbox]")
    boxes.nth(1).check()
    assert button.text_content() == "Compare 1 of 2"
    assert button.is_disabled()
    boxes.nth(2).check()
    assert button.text_content() == "Compare selected (2)"
    button.click()
    page.get_by_role("heading", name="Compare 2 sweeps").wait_for()
    page.close()


def test_fewer_than_two_trials_cannot_be_compared_and_ticks_of_other_pages_count(open_page):
    page = open_page("/sweeps/made?table=all")
    button = page.locator("[data-compare]")
    first = page.locator("table.trials tbody input[type=checkbox]").first
    trial = first.get_attribute("value").split(":")[1]
    first.check()
    assert button.text_content() == "Compare 1 of 2"
    assert button.is_disabled()
    page.get_by_role("link", name="Next", exact=True).click()
    page.get_by_text(re.compile("Trials 26 to")).wait_for()
    assert button.text_content() == "Compare 1 of 2"
    page.locator("table.trials tbody input[type=checkbox]").first.check()
    button.click()
    page.get_by_role("heading", name="Compare 2 trials").wait_for()
    assert f"trial=made%3A{trial}" in page.url


def test_a_comparison_shows_differences_first_and_marks_the_best(open_page):
    page = open_page("/compare?trial=made:t0001&trial=made:t0005")
    titles = page.locator("table.compare tr.group").all_text_contents()
    assert titles[0] == "results"
    assert titles[-1] == "the same in all"
    rows = page.locator("table.compare tbody:last-of-type tr:not(.group)")
    assert page.locator("table.compare tbody:last-of-type tr.differs").count() == 0 < rows.count()
    accuracy = page.locator("tr.differs", has_text="validation accuracy").first
    values = [
        float(text.removesuffix(" best")) for text in accuracy.locator("td").all_text_contents()
    ]
    winner = float(accuracy.locator("td.winner").text_content().removesuffix(" best"))
    assert winner == max(values)
    page.get_by_role("button", name="Show only differences").click()
    page.wait_for_url("**differs=1**")
    assert page.locator("table.compare tbody tr:not(.differs):not(.group)").count() == 0
    curves = page.locator("#curves").bounding_box()
    assert curves["y"] < page.locator("table.compare").bounding_box()["y"]
