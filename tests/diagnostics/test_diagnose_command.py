import pandas as pd
import pytest
from typer.testing import CliRunner

from tune_app.actions.diagnoses import DIAGNOSTIC_KINDS
from tune_app.cli import app
from tune_app.diagnostics.catalogue import DIAGNOSTICS
from tune_app.errors import DiagnosisError


def diagnose(bench, *arguments):
    places = ["--storage", str(bench.store.storage), "--data", str(bench.data_root)]
    return CliRunner().invoke(
        app, ["diagnose", *map(str, arguments), *places], catch_exceptions=False
    )


def refusal(bench, *arguments):
    with pytest.raises(DiagnosisError) as caught:
        diagnose(bench, *arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        ["paths", "digits", "t0001", "t0002"],
        ["gradients", "digits"],
        ["curvature", "digits", "t0001", "--examples", "100", "--iterations", "2"],
        ["interpolate", "images"],
        ["sensitivity", "digits", "--examples", "50"],
        ["random_labels", "digits", "t0001", "--epochs", "1"],
        ["generalisation", "digits"],
        ["network", "images"],
        ["ranking", "digits"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_each_diagnostic_writes_its_tables_figures_and_page(bench, tmp_path, arguments):
    to = tmp_path / "new" / "out"
    done = diagnose(bench, *arguments, "--to", to)
    assert done.exit_code == 0, done.output
    name = arguments[0]
    assert f"{to / name}.md" in done.output
    page = (to / f"{name}.md").read_text(encoding="utf-8").replace("\\_", "_")
    pictures = {path.stem for path in to.glob("*.svg")}
    assert pictures == {path.stem for path in to.glob("*.png")}
    light = {stem for stem in pictures if not stem.endswith("-dark")}
    assert light
    assert pictures == light | {f"{stem}-dark" for stem in light}
    assert all(f"](./{stem}.svg)" in page for stem in light)
    tables = list(to.glob("*.csv"))
    assert tables
    assert all(path.name in page for path in tables)


def test_every_diagnostic_has_its_line_on_the_command_line():
    assert set(DIAGNOSTIC_KINDS) == {*DIAGNOSTICS, "ranking"}


def test_tables_are_written_as_parquet_too(bench, tmp_path):
    done = diagnose(bench, "generalisation", "digits", "--to", tmp_path, "--format", "parquet")
    assert done.exit_code == 0
    table = pd.read_parquet(tmp_path / "generalisation.parquet")
    assert list(table["trial"]) == ["t0001", "t0002", "t0003"]


def test_what_is_mistyped_is_refused_with_what_was_meant(bench, tmp_path):
    text = refusal(bench, "path", "digits", "--to", tmp_path)
    assert text == "no diagnostic 'path': did you mean 'paths'?"
    text = refusal(bench, "network", "digits", "--to", tmp_path, "--examples", "3")
    assert text == (
        "--examples is read by curvature, interpolate, sensitivity, not by network; leave it out"
    )
    text = refusal(bench, "ranking", "digits", "t0001", "--to", tmp_path)
    assert text == "ranking is about a whole sweep: name no trials"
    text = refusal(bench, "paths", "digits", "--to", tmp_path, "--format", "xlsx")
    assert text == "no format 'xlsx', expected one of csv, parquet"


def test_a_report_has_diagnoses_on_request(bench, tmp_path):
    for subject in bench.subjects("digits"):
        bench.store.update_trial("digits", subject.name, seconds=1.5)
    to = tmp_path / "report.md"
    places = ["--storage", str(bench.store.storage), "--data", str(bench.data_root)]
    asked = ["report", "digits", "--to", str(to), "--diagnose", "ranking,gradients"]
    done = CliRunner().invoke(app, [*asked, *places], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    text = to.read_text(encoding="utf-8")
    assert "## Diagnoses\n" in text
    assert "### Why this ranking: digits" in text
    assert "### Gradient norms" in text
    assert "**ranking-outlook**" in text.replace("Ranking", "ranking")
    assert (tmp_path / "report-figures" / "digits-gradients.svg").exists()
    with pytest.raises(DiagnosisError, match="no diagnostic 'rank': did you mean 'ranking'"):
        CliRunner().invoke(app, [*asked[:-1], "rank", *places], catch_exceptions=False)
