"""What the templates do to texts, and the scripts and styles beside them."""

import re
from pathlib import Path

import pytest

import tune_app.service
from tune_app.service.pages.templating import templates


def render(text: str, **values: str) -> str:
    return templates().from_string(text).render(values)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/home/me/.venv/lib/python3.11/site-packages/torch/nn/module.py", "torch/nn/module.py"),
        ("/srv/tune_app/clone/tune_app/training/loop.py", "tune_app/training/loop.py"),
        ("/home/me/own_nets.py", "/home/me/own_nets.py"),
    ],
)
def test_a_traceback_names_the_files_of_packages_without_where_they_are_installed(path, shown):
    rendered = render("{{ error|short_paths }}", error=f'  File "{path}", line 3, in f\n')
    assert rendered == f"  File &#34;{shown}&#34;, line 3, in f\n"


def test_a_heading_may_break_after_its_underscores_and_stays_escaped():
    rendered = render("{{ name|breakable }}", name="conv_layers<b>")
    assert rendered == "conv_<wbr>layers&lt;b&gt;"


SCRIPTS = sorted((Path(tune_app.service.__file__).parent / "static").rglob("*.*s"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_the_lines_of_scripts_and_styles_fit_a_screen(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > 100] == []


def test_every_script_that_a_page_names_is_there():
    folder = Path(tune_app.service.__file__).parent
    named = set()
    for template in (folder / "templates").glob("*.html"):
        text = template.read_text(encoding="utf-8")
        named |= set(re.findall(r"'((?:\w+/)*\w+\.js)'", text))
    assert len(named) > 20
    assert [name for name in sorted(named) if not (folder / "static" / name).is_file()] == []
