"""What charts say: their titles, their axes, and what they cannot show."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_regression_is_titled_by_its_loss_and_axes_have_names(open_page):
    page = open_page("/sweeps/curve")
    page.locator("#scatter svg").first.wait_for()
    assert page.locator("#scatter h2").text_content() == "Loss against weights"
    for chart, names in (
        ("scatter", {"weights", "validation loss (MSE)"}),
        ("progress", {"trials ended", "validation loss (MSE)"}),
        ("curves", {"epoch", "loss"}),
        ("rungs", {"rung (epoch)", "trials"}),
    ):
        texts = page.locator(f"#{chart} svg text.strong")
        texts.first.wait_for()
        assert names <= set(texts.all_text_contents()), chart


def test_epochs_and_trials_have_whole_ticks(open_page):
    page = open_page("/sweeps/curve?selected=t0003")  # three epochs
    page.locator("#curves svg").first.wait_for()
    page.get_by_text("the trials that are selected in the table").wait_for()
    for chart in ("curves", "progress"):
        below = page.locator(f"#{chart} svg text[text-anchor=middle]").all_text_contents()
        assert below
        assert all(text.isdigit() for text in below), f"{chart}: {below}"


def test_a_trial_beyond_the_axis_is_marked_and_counted(open_page):
    page = open_page("/sweeps/outlier")
    page.locator("#scatter path.dot[data-trial=t0001]").wait_for()
    assert "1 beyond the axis" in page.locator("#scatter figcaption p").text_content()
    page.locator("#scatter path.dot[data-trial=t0001]").hover()
    assert "validation loss (MSE) 500" in page.locator(".tooltip").text_content()


def test_lines_that_coincide_are_all_seen(open_page):
    page = open_page("/sweeps/made")
    page.locator("#progress svg").first.wait_for()
    widths = page.locator("#progress .layer path.line").evaluate_all(
        "lines => lines.map(line => parseFloat(getComputedStyle(line).strokeWidth))"
    )
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == len(widths) > 1


def test_a_chart_without_anything_to_draw_is_one_line(open_page):
    page = open_page("/sweeps/made?where=lr>=1000")
    empty = page.locator("#progress.is-empty")
    empty.wait_for()
    assert empty.bounding_box()["height"] < 80


def test_a_complete_sweep_says_how_many_draws_were_refused(open_page):
    page = open_page("/sweeps/curve")
    assert "6 finished, 6 stopped of 20 planned" in page.locator("#head .counts").inner_text()
    said = page.locator("#head").get_by_text("3 draws were refused before training")
    assert said.is_visible()


def test_the_best_trial_of_each_budget_comes_first_with_what_it_gained(open_page):
    page = open_page("/sweeps/made")
    cards = page.locator("#head .card")
    assert cards.count() == 4
    best = cards.first
    assert best.locator("dt").text_content() == "Best at most 10k"
    assert "in the last 10 trials" in best.text_content()
    trial = best.get_by_role("link").get_attribute("href")
    first = page.locator("table.trials tbody tr").first.get_attribute("data-trial")
    assert cards.last.get_by_role("link").get_attribute("href") == f"/sweeps/made/trials/{first}"
    best.get_by_role("link").click()
    page.wait_for_url(f"**{trial}")


def test_the_first_columns_stay_in_sight_when_a_table_is_scrolled(open_page):
    page = open_page("/sweeps/made?table=all", viewport={"width": 700, "height": 900})
    link = page.locator("table.trials tbody a").first
    before = link.bounding_box()["x"]
    page.locator("#table .scroll").evaluate("box => { box.scrollLeft = 400 }")
    assert page.locator("#table .scroll").evaluate("box => box.scrollLeft") > 100
    assert abs(link.bounding_box()["x"] - before) < 60
