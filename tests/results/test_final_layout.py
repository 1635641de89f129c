"""The tables of the final stage say the same in every format."""

import csv
import io
import json
import re

import pytest
from final_sweeps import KNN, RIDGE, FinalSweep, two_budgets
from test_formats import Cells, latex_rows, markdown_rows, printed

from tune_app.results.final_results import final_rows
from tune_app.results.tables.final_layout import final_layouts
from tune_app.results.tables.layout import Layout
from tune_app.results.tables.spread_text import spread_text
from tune_app.results.tables.table_formats import to_csv, to_html, to_json, to_latex, to_markdown
from tune_app.results.tables.trial_table import trial_rows


def layouts_of(sweep: FinalSweep, **options) -> list[Layout]:
    return final_layouts(trial_rows(sweep.store, sweep.record), sweep.record, **options)


def table(layout: Layout) -> list[list[str]]:
    return [layout.cells(row) for row in layout.rows]


def test_winners_and_baselines_stand_in_one_table_per_budget(tmp_path):
    small, large = layouts_of(two_budgets(tmp_path, baselines=(KNN,)))
    assert small.title == "retrained and tested, at most 20k weights"
    assert [column.heading.replace("\xa0", " ") for column in small.columns] == [
        *("trial", "test accuracy", "best", "95 % interval", "validation accuracy", "seeds"),
        *("weights", "share", "seconds", "lr", "optimizer", "channels_list"),
    ]
    assert table(small) == [
        [
            *("t0002", "0.9285 ± 0.0008", "*", "0.9274 to 0.9295", "0.9480", "5"),
            *("19500", "97.5%", "28.0", "0.02", "adam", "8-16-19"),
        ],
        [
            *("t0001", "0.9282 ± 0.0006", "=", "0.9275 to 0.9289", "0.9490", "5"),
            *("19000", "95.0%", "23.0", "0.01", "sgd", "8-16-19"),
        ],
        [
            *("t0003", "0.9102 ± 0.0008", "", "0.9083 to 0.9121", "0.9470", "3"),
            *("20000", "100.0%", "32.3", "0.03", "sgd", "8-16-20"),
        ],
        ["knn, k = 5 (baseline)", "0.8554", "", "", "0.8561 ± 0.0031", *[""] * 3, "41.2"]
        + [""] * 3,
    ]
    assert [row[0] for row in table(large)] == ["t0004", "t0001", "knn, k = 5 (baseline)"]


def test_what_is_the_same_for_all_winners_is_said_once(tmp_path):
    small, large = layouts_of(two_budgets(tmp_path))
    assert small.constants == {"conv_layers": 3, "batch_norm": True, "epochs": 18}
    assert large.constants == small.constants
    sweep = FinalSweep(tmp_path, "even")
    sweep.win(b20000=(1, 2))
    for source in (1, 2):
        sweep.replicate(source, 0.9, 0.91)
    (layout,) = layouts_of(sweep)
    assert layout.constants["seeds"] == 2
    assert "seeds" not in [column.key for column in layout.columns]


def test_marks_and_numbers_are_explained(tmp_path):
    small, large = layouts_of(two_budgets(tmp_path, baselines=(KNN,)))
    assert small.notes == (
        "± is the sample standard deviation over seeds",
        "* the best mean of this budget's winners; = statistically indistinguishable from it "
        "(Welch's t-test, Holm-corrected, p ≥ 0.05)",
        "the 95 % interval is that of the mean over seeds, by Student's t",
        "of t0003, 3 of 5 seeds have a result, 1 failed",
        "baselines are fitted once, on training and validation examples; their validation is a "
        "5-fold cross-validation, mean ± sample standard deviation over the folds",
    )
    assert large.notes == small.notes[:3] + small.notes[4:]


def test_a_baseline_that_beats_the_winners_stands_first_without_a_star(tmp_path):
    best = RIDGE | {"test_accuracy": 0.99, "cv_mean": None, "cv_std": None, "cv_folds": 0}
    rows = table(layouts_of(two_budgets(tmp_path, baselines=(best,)))[0])
    assert rows[0][:5] == ["ridge (baseline)", "0.9900", "", "", ""]
    assert rows[1][2] == "*"


def test_only_the_budgets_asked_for_are_shown(tmp_path):
    sweep = two_budgets(tmp_path)
    (layout,) = layouts_of(sweep, budgets=(50_000,))
    assert layout.title.endswith("at most 50k weights")
    assert layouts_of(sweep, budgets=(10,)) == []


def test_a_sweep_without_finals_has_no_table_and_with_baselines_alone_has_theirs(tmp_path):
    assert layouts_of(FinalSweep(tmp_path)) == []
    (layout,) = layouts_of(FinalSweep(tmp_path, "base", baselines=(KNN, RIDGE)))
    assert layout.title == "baselines"
    assert [row[0] for row in table(layout)] == ["knn, k = 5 (baseline)", "ridge (baseline)"]


def test_one_seed_has_neither_spread_nor_marks_but_the_star(tmp_path):
    sweep = FinalSweep(tmp_path)
    sweep.win(seeds=1, b20000=(1, 2))
    sweep.replicate(1, 0.91)
    sweep.replicate(2, 0.90)
    (layout,) = layouts_of(sweep)
    assert [row[1:4] for row in table(layout)] == [["0.9100", "*", ""], ["0.9000", "", ""]]
    assert layout.notes == ("* the best mean of this budget's winners",)


def test_a_regression_shows_its_losses(tmp_path):
    sweep = FinalSweep(tmp_path, budgets=(), task="regression")
    sweep.win(all=(1,))
    sweep.replicate(1, 0.01234, 0.01290)
    (layout,) = layouts_of(sweep)
    assert layout.title == "retrained and tested, all sizes"
    assert [column.heading for column in layout.columns][1] == "test loss"
    assert table(layout)[0][1] == "0.01262 ± 0.00040"
    assert table(layout)[0][4] == "0.001000"


def test_every_format_for_readers_shows_the_same_cells(tmp_path):
    layouts = layouts_of(two_budgets(tmp_path, baselines=(KNN,)))
    expected = [cells for layout in layouts for cells in table(layout)]

    def body(rows: list[list[str]]) -> list[list[str]]:
        return [row for row in rows if re.match(r"t\d|knn", row[0])]

    latex = to_latex("study", layouts).replace(r"$\pm$", "±")
    assert body(Cells(to_html("study", layouts)).rows) == expected
    assert body(latex_rows(latex)) == expected
    markdown = [[line] for line in to_markdown("study", layouts).splitlines() if "|" in line]
    assert [cells for (line,) in markdown for cells in body(markdown_rows(f"{line}\n|\n{line}"))][
        ::2
    ] == expected
    lines = printed(layouts).splitlines()
    for cells in expected:
        shown = [cell for cell in cells if cell]
        assert any(re.split(r"  +", line.strip()) == shown for line in lines)


def test_json_and_csv_hold_the_numbers_that_readers_see_rounded(tmp_path):
    sweep = two_budgets(tmp_path)
    rows = [row.to_json() for row in final_rows(sweep.store, sweep.record, 20_000)]
    from_json = json.loads(to_json(rows))
    from_csv = list(csv.DictReader(io.StringIO(to_csv(rows, {}))))
    (small, _) = layouts_of(sweep)
    for as_json, as_csv, cells in zip(from_json, from_csv, table(small), strict=True):
        assert float(as_csv["test_mean"]) == as_json["test_mean"]
        assert float(as_csv["test_std"]) == as_json["test_std"]
        assert json.loads(as_csv["test_ci95"]) == as_json["test_ci95"]
        assert json.loads(as_csv["test_values"]) == as_json["test_values"]
        spread = spread_text(as_json["test_mean"], as_json["test_std"], "test_accuracy")
        assert cells[1] == spread
        assert cells[3] == " to ".join(f"{end:.4f}" for end in as_json["test_ci95"])
        marked = {"*": (True, True), "=": (False, True), "": (False, False)}[cells[2]]
        assert (as_json["best"], as_json["ties_with_best"]) == marked


@pytest.mark.parametrize(
    ("mean", "std", "key", "text"),
    [
        (0.92838, 0.00131, "test_accuracy", "0.9284 ± 0.0013"),
        (0.92838, None, "test_accuracy", "0.9284"),
        (0.5, 0.0, "test_accuracy", "0.5000 ± 0.0000"),
        (12.345678, 0.98765, "test_loss", "12.35 ± 0.99"),
        (None, None, "test_loss", ""),
    ],
)
def test_spreads_are_rounded_as_their_means(mean, std, key, text):
    assert spread_text(mean, std, key) == text
