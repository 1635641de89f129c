"""The notebooks: each in step with its script, with outputs free of errors, and run again."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
SCRIPTS = sorted(FOLDER.glob("[0-9]*.py"))
QUICK = "02_fashion_mnist_budgets"  # it reads records and trains nothing

jupytext = pytest.importorskip("jupytext", reason="the extra `notebooks` is not installed")
nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")


def by_name(scripts):
    return [pytest.param(script, id=script.stem) for script in scripts]


def test_the_times_that_are_told_are_those_of_the_committed_runs():
    told = (FOLDER / "README.md").read_text(encoding="utf-8").partition("As committed")[2]
    notebooks = [nbformat.read(script.with_suffix(".ipynb"), as_version=4) for script in SCRIPTS]
    seconds = [round(notebook.metadata["tune_app"]["seconds"]) for notebook in notebooks]
    assert [int(text) for text in re.findall(r"\d: (\d+) s", told)] == seconds


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def test_the_stories_are_numbered_without_a_gap():
    assert [int(script.name[:2]) for script in SCRIPTS] == list(range(1, 6))
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == {script.stem for script in SCRIPTS}


@pytest.mark.parametrize("script", by_name(SCRIPTS))
def test_a_notebook_and_its_script_say_the_same(script):
    notebook = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    written = jupytext.read(script)
    assert [(cell.cell_type, cell.source) for cell in notebook.cells] == [
        (cell.cell_type, cell.source) for cell in written.cells
    ]


@pytest.mark.parametrize("script", by_name(SCRIPTS))
def test_committed_outputs_are_of_one_run_and_without_errors(script):
    notebook = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    for output in outputs(notebook):
        assert output.output_type != "error"
        assert output.get("name") != "stderr", output.text
    text = script.with_suffix(".ipynb").read_text(encoding="utf-8")
    assert not re.search(r"/(tmp|home|root|Users)/\w", text), "a path of one machine"
    assert notebook.metadata["tune_app"]["seconds"] > 0


def run(script):
    notebook = jupytext.read(script)
    resources = {"metadata": {"path": str(FOLDER)}}
    nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources=resources
    ).execute()
    return notebook


@pytest.mark.parametrize("script", by_name(script for script in SCRIPTS if script.stem == QUICK))
def test_the_notebook_that_reads_records_runs_and_shows_tables_and_figures(script):
    kinds = [kind for output in outputs(run(script)) for kind in output.get("data", {})]
    assert kinds.count("image/png") >= 2
    assert kinds.count("text/html") >= 4


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("script", by_name(script for script in SCRIPTS if script.stem != QUICK))
def test_a_notebook_that_trains_runs(script):
    run(script)
