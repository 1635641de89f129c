"""The report in each format: nothing breaks it, nothing leaves it, a browser shows all of it."""

import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from tune_app.report.document.blocks import (
    Bullets,
    Caution,
    Document,
    Facts,
    Listing,
    Paragraph,
    Section,
    text,
)
from tune_app.report.document.renderer import to_html
from tune_app.report.figures.frame import ReportFigure
from tune_app.report.sweep_report import build_document, write_document
from tune_app.results.tables.markup.parts import Code, Grid, Strong

HOSTILE = (
    "<script>alert('x')</script> </style> & \"q\" 'r' $\\alpha$ \\input{x} _a_ *b* `c` | # % ~ ^"
    " {d} é ß 漢字 → ≤ \u202e [e](http://elsewhere.example) ![f](http://elsewhere.example/g.png)"
)
LINKS = {"src", "href", "xlink:href", "srcset", "data", "action", "poster"}


def draw(theme):
    figure = Figure(figsize=(3, 2))
    axes = figure.subplots()
    axes.plot([1, 2, 3], [2, 1, 4])
    axes.imshow([[0, 1], [1, 0]], extent=(1, 2, 1, 2))
    return figure


def hostile_document() -> Document:
    words = text(HOSTILE, Code(HOSTILE), Strong(HOSTILE))
    rows = tuple((str(place), HOSTILE, "0.5") for place in range(60))
    blocks = (
        Paragraph(words),
        Caution(words),
        Bullets((words, words)),
        Facts(((HOSTILE, words),)),
        Listing(f"{HOSTILE}\n  ```\n\\end{{verbatim}}\n--option 'x' <<EOF", HOSTILE),
        Grid(HOSTILE, ("#", HOSTILE, "n"), (True, False, True), rows, (HOSTILE,), frozenset({0})),
        Grid("no rows", ("a",), (False,), ()),
        ReportFigure("a-figure", HOSTILE, HOSTILE, draw),
    )
    inner = Section(HOSTILE, blocks)
    return Document(HOSTILE, HOSTILE, blocks[:1], (Section(HOSTILE, (), (inner,)),), words)


class Page(HTMLParser):
    """What a page holds: its tags with their attributes, its texts, and tags left open."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "wbr"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def assert_asks_for_nothing(source: str) -> None:
    page = Page(source)
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base", "form")
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in LINKS:
                assert re.match(r"#|data:image/png;base64,", value or ""), (tag, name, value)
            for target in re.findall(r"url\(([^)]*)\)", value or ""):
                assert target.startswith("#")
    style = source[source.index("<style>") : source.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


@pytest.fixture(scope="module")
def hostile_page():
    return to_html(hostile_document())


def test_whatever_stands_in_names_and_errors_is_text_on_the_page(hostile_page):
    page = Page(hostile_page)
    assert page.open == []
    assert_asks_for_nothing(hostile_page)
    assert "".join(page.texts).count("alert('x')") > 60


def test_a_page_is_well_made_for_those_who_cannot_see_it(hostile_page):
    page = Page(hostile_page)
    by_tag: dict[str, list[dict[str, str | None]]] = {}
    for tag, attributes in page.tags:
        by_tag.setdefault(tag, []).append(attributes)
    assert by_tag["html"] == [{"lang": "en"}]
    assert len(by_tag["title"]) == 1 + 2  # the page's and those of the two drawings
    assert len(by_tag["h1"]) == 1
    assert all(heading.get("scope") in ("col", "row") for heading in by_tag["th"])
    assert len(by_tag["caption"]) == len(by_tag["table"]) == 2
    assert [svg["aria-label"] for svg in by_tag["svg"]] == [HOSTILE, HOSTILE]
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for attributes in by_tag["a"]:
        assert attributes["href"].removeprefix("#") in ids


def test_markdown_keeps_hostile_names_in_their_place(tmp_path):
    path, figure = write_document(hostile_document(), tmp_path / "a b.md")
    written = path.read_text(encoding="utf-8")
    assert figure == tmp_path / "a-b-figures" / "a-figure.svg"
    assert "](a-b-figures/a-figure.svg)" in written
    outside_code = re.sub(r"^(`{3,})\n.*?^\1$", "", written, flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r"(?<!\\)<(?!/?code>)", outside_code)
    assert not re.search(r"(?<!\\)\]\(http", outside_code)
    table = [line for line in outside_code.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {4, 2}


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="there is no pdflatex here")
def test_latex_compiles_whatever_stands_in_names(tmp_path):
    path, figure = write_document(hostile_document(), tmp_path / "report.tex")
    assert figure == tmp_path / "report-figures" / "a-figure.pdf"
    log = compile_latex(path)
    assert "Output written on report.pdf" in log
    assert not re.search(r"^!|Undefined", log, re.MULTILINE)


def compile_latex(path: Path) -> str:
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape"]
    ran = subprocess.run(
        [*command, path.name],
        cwd=path.parent,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
    )
    return ran.stdout


def chromium() -> str:
    """Return the browser's command; the test is skipped where there is none."""
    found = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if found is None:
        pytest.skip("there is no Chromium here")
    return found


# Looks as a reader does, after loading, and writes what it saw into the page itself.
PROBE = """<script>
const errors = [];
addEventListener("error", event => errors.push(`${event.message || event.target.tagName}`), true);
addEventListener("load", () => {
  const seen = [...document.querySelectorAll("figure")].map(figure => {
    const boxes = [...figure.querySelectorAll("svg")].map(svg => svg.getBoundingClientRect());
    const shown = boxes.filter(box => box.width > 0);
    const all = shown.map(box => box.right <= document.documentElement.clientWidth + 1);
    return [shown.length, shown.every(box => box.height > 20), all.every(Boolean)];
  });
  const asked = performance.getEntriesByType("resource").map(entry => entry.name)
    .filter(name => !name.startsWith("data:"));
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  const told = document.createElement("pre");
  told.id = "told";
  told.textContent = JSON.stringify({errors, seen, asked, wide});
  document.body.append(told);
});
</script>"""


def look(page: str, folder: Path, *, width: int, dark: bool) -> dict:
    """Return what a browser of this width saw of a page."""
    path = folder / "probed.html"
    path.write_text(page.replace("<head>", f"<head>{PROBE}", 1), encoding="utf-8")
    ran = subprocess.run(
        [
            chromium(),
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
            f"--user-data-dir={folder / 'profile'}",
            f"--window-size={width},900",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            "--enable-logging=stderr",
            "--dump-dom",
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found = re.search(r'<pre id="told">(.*?)</pre>', ran.stdout, re.DOTALL)
    assert found, ran.stderr[-2000:]
    assert "CONSOLE" not in ran.stderr
    return json.loads(html.unescape(found[1]))


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (500, True)], ids=["wide", "phone"])
def test_a_browser_shows_every_figure_once_and_asks_for_nothing(
    hostile_page, tmp_path, width, dark
):
    saw = look(hostile_page, tmp_path, width=width, dark=dark)
    assert saw == {"errors": [], "asked": [], "wide": 0, "seen": [[1, True, True]]}


def test_a_report_of_sweeps_asks_for_nothing_and_shows_all_its_figures(store, tmp_path):
    document = build_document(store, ["curve"], store.storage, {})
    (path,) = write_document(document, tmp_path / "report.html")
    page = path.read_text(encoding="utf-8")
    assert_asks_for_nothing(page)
    figures = [block for block in document.blocks() if isinstance(block, ReportFigure)]
    saw = look(page, tmp_path, width=1200, dark=False)
    assert saw["seen"] == [[1, True, True]] * len(figures)
    assert (saw["errors"], saw["asked"], saw["wide"]) == ([], [], 0)
