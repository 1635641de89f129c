"""Files and pictures: what goes wrong is told on the page, and a busy service is asked again."""

import pytest
from browsed import address
from serve_process import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="100"></svg>'
FIGURES = [{"name": f"figure-{n}", "title": f"Figure {n}", "caption": "made up"} for n in range(6)]


def test_a_failed_export_is_told_in_its_dialog(open_page):
    page = open_page("/sweeps/made")
    before = address(page)
    page.get_by_role("button", name="Export network…").click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_role("button", name="Download zip file").click()
    problem = dialog.get_by_role("alert")
    problem.wait_for(timeout=120_000)
    assert "weights" in problem.text_content()
    assert address(page) == before
    assert dialog.is_visible()


def test_a_file_for_another_tool_that_fails_is_told_in_its_dialog(open_page):
    page = open_page("/sweeps/made")
    page.route("**/optuna", lambda route: route.fulfill(status=503, json={
        "error": {"code": "unavailable", "message": "the worker is busy", "problems": []}
    }))  # fmt: skip
    page.get_by_role("button", name="Export network…").click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_role("link", name="Download for optuna-dashboard").click()
    dialog.get_by_text("the worker is busy").wait_for()


def test_pictures_that_a_busy_service_refused_are_asked_for_again(open_page):
    page = open_page("/sweeps/made")
    asked: dict[str, int] = {}

    def picture(route) -> None:
        name = route.request.url
        asked[name] = asked.get(name, 0) + 1
        if asked[name] == 1:
            route.fulfill(status=503, json={"error": {"message": "busy", "problems": []}})
        else:
            route.fulfill(body=SVG, content_type="image/svg+xml")

    lists = []

    def listed(route) -> None:
        lists.append(route.request.url)
        if len(lists) == 1:
            answer = {"error": {"message": "busy", "problems": []}}
            route.fulfill(status=503, headers={"Retry-After": "1"}, json=answer)
        else:
            route.fulfill(json={"figures": FIGURES, "left_out": []})

    page.route("**/figures/*", picture)
    page.route("**/figures", listed)
    page.goto(f"{page.url.rsplit('/', 2)[0]}/sweeps/made/trials/t0001")
    images = page.locator("#trial-figures img")
    images.first.wait_for(state="attached")
    page.locator("#trial-figures").scroll_into_view_if_needed()
    loaded = "all => all.filter(one => one.complete && one.naturalWidth > 0).length"
    for _ in range(10):
        page.mouse.wheel(0, 400)
        page.wait_for_timeout(100)
    wait_until(lambda: images.evaluate_all(loaded) == len(FIGURES), 60)
    assert len(lists) == 2
    assert set(asked.values()) == {2}
