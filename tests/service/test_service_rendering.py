"""What the templates do to texts."""

import pytest

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
