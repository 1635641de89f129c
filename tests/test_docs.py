"""The documentation: built without a warning, nothing fetched from elsewhere, true examples."""

import ast
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

import tune_app
from tune_app.config.search_file import parse_sweep

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))


def blocks(page: Path, language: str) -> list[tuple[str | None, str]]:
    """Return (title, text) of every fenced block of a language."""
    fence = rf'^```{language}(?: title="([^"]+)")?\n(.*?)^```'
    found = re.findall(fence, page.read_text(encoding="utf-8"), re.M | re.S)
    return [(title or None, text) for title, text in found]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All pages, built as scripts/check builds them."""
    place = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", place]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return place


class Fetched(HTMLParser):
    """Collects what a browser fetches without being asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        fetches = tag in ("script", "img", "iframe", "source", "video", "audio")
        if tag == "link" and given.get("rel") not in ("canonical", "prev", "next"):
            self.addresses.append(given.get("href") or "")
        elif fetches and given.get("src"):
            self.addresses.append(given["src"] or "")


def test_no_page_fetches_anything_from_elsewhere(site):
    for page in site.rglob("*.html"):
        fetched = Fetched()
        fetched.feed(page.read_text(encoding="utf-8"))
        outside = [a for a in fetched.addresses if re.match(r"(\w+:)?//", a)]
        assert fetched.addresses
        assert not outside, f"{page.name}: {outside}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*[\"']?(\w+:)?//", sheet.read_text("utf-8"))


def test_what_a_page_shows_or_leads_to_is_there(site):
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for address in re.findall(r'<(?:img|a)\b[^>]*?(?:src|href)="([^"#?]+)', text):
            if page.name != "404.html" and not re.match(r"\w+:", address):
                assert (page.parent / address).exists(), f"{page.name}: {address}"


def test_the_readme_is_the_first_page_and_every_command_has_its_place(site):
    from tune_app.cli import app

    assert "Try it" in (site / "index.html").read_text(encoding="utf-8")
    reference = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    for command in app.registered_commands:
        name = command.name or command.callback.__name__.replace("_", "-")
        assert f"<code>tune-app {name}</code>" in reference, name


def test_the_reference_shows_what_functions_say_of_their_errors(site):
    reference = (site / "reference" / "python.html").read_text(encoding="utf-8")
    for name in ("load_sweep_file", "run_sweep", "Store", "fill_widths", "train_epochs"):
        assert re.search(rf'id="tune_app\.[\w.]+\.{name}"', reference), name
    assert "Raises" in reference


def test_the_reference_has_all_that_tune_app_offers(site):
    reference = (site / "reference" / "python.html").read_text(encoding="utf-8")
    for name in set(dir(tune_app)) - {"__version__"}:
        assert re.search(rf'id="tune_app\.[\w.]+\.{name}"', reference), name
    assert "best_epoch" in reference  # a field of a record


def test_the_commands_are_listed_with_whole_sentences_and_without_hidden_ones(site):
    reference = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    assert "Run a search file to its end: train, rank, and show the best networks" in reference
    assert "tune-app jobs fetch" in reference
    assert "tune-app jobs pack" not in reference


def said_by_the_code() -> str:
    """Return every text in the package, with an ellipsis for what is put into it."""
    texts = []
    for path in (ROOT / "tune_app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (getattr(part, "value", "") for part in node.values)
                texts.append("…".join(part for part in parts if isinstance(part, str)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\n".join(texts)


def test_messages_on_the_page_about_them_are_those_of_the_code():
    said = said_by_the_code()
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    messages = [
        message
        for row in page.splitlines()
        if row.startswith("| `")
        for message in re.findall("`([^`]+)`", row.split("|")[1])
    ]
    assert len(messages) > 40
    for message in messages:
        for part in re.split(r"…|HOST:PORT|FILE|'|\b\d+\b", message):
            assert part.strip() in said, message


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_search_file_on_a_page_is_one(page):
    for title, text in blocks(page, "yaml"):
        if "dataset" in (yaml.safe_load(text) or {}):
            parse_sweep(text, source=f"{page.name}: {title or 'a block'}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_program_on_a_page_is_python(page):
    for title, text in blocks(page, "python"):
        compile(text, f"{page.name}: {title}", "exec")


@pytest.mark.slow
@pytest.mark.parametrize("program", ["with_optuna.py", "with_ray.py"])
def test_the_search_in_the_words_of_other_tools_runs(program, tmp_path):
    for title, text in blocks(ROOT / "docs" / "coming-from.md", "python"):
        (tmp_path / title).write_text(text, encoding="utf-8")
    command = [sys.executable, program]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert "'width'" in ran.stdout.splitlines()[-1]


def test_a_sweep_of_wandb_on_a_page_is_taken_over(tmp_path):
    (space,) = [text for title, text in blocks(ROOT / "docs" / "coming-from.md", "yaml") if title]
    (tmp_path / "sweep.yaml").write_text(space, encoding="utf-8")
    command = [sys.executable, "-m", "tune_app.cli", "new", "fcn", "digits"]
    command += ["--from", str(tmp_path / "sweep.yaml"), "--output", str(tmp_path / "new.yaml")]
    subprocess.run(command, capture_output=True, check=True)
    taken = yaml.safe_load((tmp_path / "new.yaml").read_text(encoding="utf-8"))["parameters"]
    assert taken["layers"] == {"int": [1, 2]}
    assert taken["width"] == {"int": [8, 64], "log": True}
