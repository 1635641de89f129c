"""Live updates beside what somebody does on a page, and what happens in another tab."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from browsed import address, search_file
from serve_process import wait_until
from served import Served

import tune_app
from tune_app.results.store import open_store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@contextmanager
def changing(made: Served, name: str, every_s: float = 0.5) -> Iterator[None]:
    """Change a sweep's record again and again, as a sweep that runs does."""
    sweep = tune_app.connect(made.url).sweep(name)
    ended = threading.Event()

    def change() -> None:
        for number in itertools.count():
            if ended.wait(every_s):
                return
            sweep.note(f"note {number}")

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        sweep.note("")


def slow_down(page, latency_ms: int) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    limits = {"offline": False, "downloadThroughput": -1, "uploadThroughput": -1}
    session.send("Network.emulateNetworkConditions", {**limits, "latency": latency_ms})


@pytest.mark.parametrize("latency_ms", [0, 600])
def test_a_click_is_never_lost_to_a_live_update(made, open_page, latency_ms):
    page = open_page("/sweeps/made")
    page.locator("#scatter svg").first.wait_for()
    slow_down(page, latency_ms)
    with changing(made, "made"):
        page.locator(".note", has_text="note").wait_for()
        for heading in ("lr", "loss", "weights", "epochs"):
            page.locator("table.trials th a", has_text=heading).first.click()
            asked = address(page)
            assert "sort=" in asked, "the view stands in the address as soon as it is clicked"
            sorted_by = page.locator(f"table.trials th:not([aria-sort=none]):has-text('{heading}')")
            sorted_by.wait_for()
            before = page.locator(".note").text_content()
            wait_until(lambda b=before: page.locator(".note").text_content() != b, 15)
            assert address(page) == asked
            assert sorted_by.count() == 1, "an update took the view back"


def test_what_is_typed_and_chosen_stays_through_live_updates(made, open_page):
    page = open_page("/sweeps/made")
    page.locator("#scatter svg").first.wait_for()
    page.locator("#where").fill("lr>=0.0")
    page.locator("summary", has_text="Choose columns").click()
    box = page.locator(".columns-menu input[value=weights]")
    box.uncheck()
    with changing(made, "made"):
        page.locator(".note", has_text="note 2").wait_for()
    assert page.locator("#where").input_value() == "lr>=0.0"
    assert box.is_visible()
    assert not box.is_checked()


def test_buttons_follow_what_happens_in_another_tab(made, open_page):
    name = "curve"
    page = open_page(f"/sweeps/{name}")
    more = page.locator("#actions summary")
    more.click()
    page.get_by_role("button", name="Archive sweep…").wait_for()
    tune_app.connect(made.url).sweep(name).archive()
    page.get_by_role("button", name="Delete sweep…").wait_for()
    assert page.get_by_role("button", name="Archive sweep…").count() == 0
    tune_app.connect(made.url).sweep(name).archive(undo=True)
    page.get_by_role("button", name="Archive sweep…").wait_for()


def test_resume_is_not_offered_while_the_sweep_is_queued(made, made_storage, open_page):
    store = open_store(made_storage)
    store.update_sweep("words", status="stopped")
    try:
        first, second = open_page("/sweeps/words"), open_page("/sweeps/words")
        first.get_by_role("button", name="Resume sweep").click()
        first.locator("dialog[open]").get_by_role("button", name="Resume sweep").click()
        for page in (first, second):
            page.get_by_role("button", name="Remove from queue").wait_for()
            assert page.get_by_role("button", name="Resume sweep").count() == 0
        second.get_by_role("button", name="Remove from queue").click()
        for page in (first, second):
            page.get_by_role("button", name="Resume sweep").wait_for()
    finally:
        store.update_sweep("words", status="complete")
        store.close()


def test_a_sweep_that_starts_has_a_page_that_becomes_its_own(made, made_storage, open_page):
    service = tune_app.connect(made.url)
    service.run(search_file("soon", 2, 1))
    page = open_page("/sweeps/soon")
    step = page.locator("[aria-current=step]")
    assert step.text_content() == "Waits for its turn (place 1)"
    launcher = made.app.state.context.launcher
    log = launcher.queue.log_path(launcher.commands()[0])
    log.write_text("reading the digits\n")
    page.locator("#log", has_text="reading the digits").wait_for()
    store = open_store(made_storage)
    store.create_sweep(replace(store.get_sweep("words"), name="soon", status="running"))
    page.get_by_role("heading", name="Trials", exact=True).wait_for()
    store.delete_sweep("soon")
    store.close()
    launcher.cancel("soon")


def test_a_sweep_that_waits_is_removed_from_the_queue_on_its_page(made, open_page):
    tune_app.connect(made.url).run(search_file("never", 2, 1))
    page = open_page("/sweeps/never")
    page.get_by_role("button", name="Remove from queue").click()
    page.get_by_role("heading", name="Sweeps").wait_for()
    assert page.url == f"{made.url}/"
