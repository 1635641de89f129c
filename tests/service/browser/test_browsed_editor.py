"""The editor of a search file keeps what somebody typed."""

import pytest
from browsed import search_file
from serve_process import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_draft_outlives_the_page_until_it_is_discarded(open_page):
    page = open_page("/new")
    editor = page.get_by_label("Search file")
    starter = editor.input_value()
    editor.fill(f"{starter}\n# mine")
    page.get_by_role("link", name="Sweeps", exact=True).click()
    page.get_by_role("heading", name="Sweeps").wait_for()
    page.go_back()
    page.get_by_text("This is your draft").wait_for()
    assert editor.input_value().endswith("# mine")
    page.get_by_role("button", name="Discard draft").click()
    assert editor.input_value() == starter
    page.reload()
    assert editor.input_value() == starter
    assert not page.get_by_text("This is your draft").is_visible()


def test_another_starter_is_opened_after_a_question_and_the_draft_is_kept(open_page):
    page = open_page("/new")
    editor = page.get_by_label("Search file")
    editor.fill("name: mine\n")
    page.get_by_label("Data set").select_option("mnist")
    page.get_by_role("button", name="Keep editing").click()
    wait_until(lambda: page.get_by_label("Data set").input_value() == "digits", 10)
    assert editor.input_value() == "name: mine\n"
    page.get_by_label("Data set").select_option("mnist")
    page.locator("dialog[open]").get_by_role("button", name="Open starter file").click()
    page.wait_for_url("**dataset=mnist**")
    assert "mnist" in editor.input_value()
    page.get_by_label("Data set").select_option("digits")
    page.wait_for_url("**dataset=digits**")
    assert editor.input_value() == "name: mine\n"


def test_a_mistake_is_told_at_its_line_and_leads_there(open_page):
    page = open_page("/new")
    editor = page.get_by_label("Search file")
    editor.fill(search_file("seen", 8, 3).replace("width:", "widht:"))
    problem = page.locator("#problems button")
    problem.wait_for()
    assert page.locator("#verdict").text_content().strip() == "1 problem to fix"
    assert problem.text_content().startswith("line 7: parameters.widht")
    assert page.get_by_role("button", name="Start sweep").is_disabled()
    problem.click()
    assert (
        editor.evaluate(
            "area => getSelection().toString() || area.value.slice("
            "area.selectionStart, area.selectionEnd)"
        )
        .strip()
        .startswith("widht")
    )
    editor.fill(search_file("seen", 8, 3))
    page.get_by_text("This file can run: seen, 8 trials, 2 budgets.").wait_for()
    page.get_by_role("button", name="Start sweep").click()
    page.get_by_text("seen is in the queue.").wait_for()
    page.get_by_role("button", name="Remove from queue").click()
    page.locator("#queue").wait_for(state="detached")
