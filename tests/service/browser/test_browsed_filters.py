"""Filters by typing and by brushing: of the table and of the charts."""

import pytest
from browsed import address, column
from serve_process import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TOP, BOTTOM = 34, 276  # of an axis, in the drawing's own units; the grip begins 6 above


def drag(page, name: str, begin: float, end: float) -> None:
    """Drag along an axis, from one share of it to another."""
    axis = page.get_by_role("slider", name=f"Filter by {name}")
    axis.scroll_into_view_if_needed()
    box = axis.bounding_box()
    middle = box["x"] + box["width"] / 2
    page.mouse.move(middle, place_of(box, begin))
    page.mouse.down()
    page.mouse.move(middle, place_of(box, end), steps=6)
    page.mouse.up()


def place_of(box, share: float) -> float:
    scale = box["height"] / (BOTTOM - TOP + 12)
    return box["y"] + (6 + (1 - share) * (BOTTOM - TOP)) * scale


def dots(page) -> int:
    return page.locator("#scatter .dot[data-trial]").count()


def test_the_charts_show_the_trials_that_the_filter_leaves(open_page):
    page = open_page("/sweeps/made?table=all")
    page.locator("#scatter svg").first.wait_for()
    every = dots(page)
    page.get_by_label("Filter", exact=True).fill("optimizer=adam")
    page.keyboard.press("Enter")
    wait_until(lambda: dots(page) < every, 15)
    shown = set(page.locator("tr[data-trial]").evaluate_all("all => all.map(r => r.dataset.trial)"))
    drawn = page.locator("#scatter .dot[data-trial]").evaluate_all(
        "all => all.map(dot => dot.dataset.trial)"
    )
    assert 0 < len(drawn) <= len(shown)
    assert set(drawn) <= shown
    assert page.locator("#parallel .line.faded").count() > 0
    page.reload()
    wait_until(lambda: dots(page) == len(drawn), 15)
    page.get_by_role("link", name="Clear filter").first.click()
    wait_until(lambda: dots(page) == every, 15)


def test_a_filter_that_no_trial_matches_says_so_everywhere(open_page):
    page = open_page("/sweeps/made?table=all&where=lr>=1000")
    page.get_by_role("heading", name="No trials match this filter").wait_for()
    page.locator("#scatter .draw p", has_text="No trials match this filter.").wait_for()


def test_a_brush_on_categories_is_still_there_after_a_reload(open_page):
    page = open_page("/sweeps/words?table=all&differs=0")
    page.locator("#parallel svg").wait_for()
    drag(page, "activation", -0.02, 0.6)
    wait_until(lambda: "where=activation" in address(page), 10)
    wait_until(lambda: len(set(column(page, "activation"))) == 2, 10)
    page.reload()
    page.locator("#parallel .brush").wait_for()
    assert page.locator("#parallel .line.faded").count() > 0


def test_a_brush_between_two_categories_takes_the_nearest(open_page):
    page = open_page("/sweeps/words?table=all&differs=0")
    page.locator("#parallel svg").wait_for()
    drag(page, "activation", 0.6, 0.7)
    wait_until(lambda: "where=activation" in address(page), 10)
    wait_until(lambda: len(set(column(page, "activation"))) == 1, 10)


def test_categories_with_spaces_commas_and_bars_can_be_brushed(open_page):
    page = open_page("/sweeps/words?table=all&differs=0")
    page.locator("#parallel svg").wait_for()
    names = page.get_by_role("slider", name="Filter by label")
    names.focus()
    found = set()
    for keys in (["ArrowUp", "ArrowUp"], ["ArrowDown", "ArrowDown"], ["ArrowUp", "ArrowDown"]):
        for key in keys:
            page.get_by_role("slider", name="Filter by label").press(key)
        wait_until(lambda: len(set(column(page, "label"))) == 1, 10)
        found |= set(column(page, "label"))
        page.get_by_role("slider", name="Filter by label").press("Delete")
        wait_until(lambda: "where" not in address(page), 10)
        wait_until(lambda: len(set(column(page, "label"))) == 3, 10)
    assert found == {"a b", "c,d", "e|f"}


def test_a_finger_brushes_an_axis_and_does_not_scroll_the_page(open_page):
    phone = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
    page = open_page("/sweeps/words?table=all&differs=0", **phone)
    page.locator("#parallel svg").wait_for()
    axis = page.get_by_role("slider", name="Filter by lr")
    axis.scroll_into_view_if_needed()
    box = axis.bounding_box()
    before = page.evaluate("scrollY")
    session = page.context.new_cdp_session(page)
    middle = box["x"] + box["width"] / 2

    def touch(kind: str, share: float | None = None) -> None:
        points = [] if share is None else [{"x": middle, "y": place_of(box, share)}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 0.5)
    for step in range(1, 11):
        touch("touchMove", 0.5 + 0.05 * step)
        page.wait_for_timeout(20)
    touch("touchEnd")
    wait_until(lambda: "lr%3E%3D" in address(page), 10)
    assert page.evaluate("scrollY") == before


def test_the_menu_of_columns_shows_its_buttons_and_does_not_cover_its_own(open_page):
    page = open_page("/sweeps/made?table=all")
    summary = page.locator("summary", has_text="Choose columns")
    summary.scroll_into_view_if_needed()
    summary.click()
    box = page.locator(".columns-menu form").bounding_box()
    for name in ("Apply columns", "Reset columns"):
        button = page.locator(".columns-menu .choices").get_by_text(name).bounding_box()
        assert box["y"] <= button["y"]
        assert button["y"] + button["height"] <= box["y"] + box["height"]
    summary.click()  # it is not covered: a click closes the menu
    assert not page.locator(".columns-menu form").is_visible()
