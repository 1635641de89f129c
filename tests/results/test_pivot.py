"""Two parameters against each other."""

from statistics import mean, stdev

import pytest

from tune_app.errors import TuneAppError
from tune_app.results.store import TrialStatus
from tune_app.results.tables.pivot import pivot, pivot_cells
from tune_app.results.tables.table_formats import to_csv, to_latex
from tune_app.results.tables.trial_row import TrialRow


def a_row(optimizer: str, lr: float, accuracy: float | None, **fields) -> TrialRow:
    parameters = {"optimizer": optimizer, "lr": lr}
    row = {"status": TrialStatus.FINISHED, "rank": 1, "val_accuracy": accuracy, "val_loss": 0.5}
    row |= {"parameters": parameters, "config": parameters | {"momentum": 0.9, "epochs": 3}}
    return TrialRow("study", "t0001", 1, **(row | fields))


ROWS = [
    a_row("sgd", 0.01, 0.91),
    a_row("sgd", 0.005, 0.92),
    a_row("sgd", 0.005, 0.94),
    a_row("adam", 0.01, 0.90),
    a_row("adam", 0.001, 0.88),
    a_row("adam", 0.001, None),
]


def test_a_cell_holds_mean_deviation_and_count():
    cells = pivot_cells(ROWS, "optimizer", "lr", "val_accuracy")
    assert [(cell["optimizer"], cell["lr"], cell["count"]) for cell in cells] == [
        ("adam", 0.001, 1),
        ("adam", 0.01, 1),
        ("sgd", 0.005, 2),
        ("sgd", 0.01, 1),
    ]
    assert cells[2]["mean"] == pytest.approx(mean([0.92, 0.94]))
    assert cells[2]["std"] == pytest.approx(stdev([0.92, 0.94]))
    assert cells[3]["std"] is None


def test_the_table_has_a_line_and_a_column_for_each_value():
    layout = pivot(ROWS, "optimizer", "lr", "val_accuracy")
    assert layout.title == "validation accuracy by optimizer and lr"
    headings = [column.heading for column in layout.columns]
    assert headings == ["optimizer", "lr 0.001", "lr 0.005", "lr 0.01"]
    assert [layout.cells(row) for row in layout.rows] == [
        ["adam", "0.8800", "", "0.9000"],
        ["sgd", "", "0.9300 ± 0.0141 *", "0.9100"],
    ]
    assert layout.notes == (
        "* the best mean",
        "± is the sample standard deviation; 1 to 2 trainings a cell",
    )


def test_the_other_way_round_it_is_transposed():
    layout = pivot(ROWS, "lr", "optimizer", "val_accuracy")
    assert [layout.cells(row) for row in layout.rows] == [
        ["0.001", "0.8800", ""],
        ["0.005", "", "0.9300 ± 0.0141 *"],
        ["0.01", "0.9000", "0.9100"],
    ]


def test_of_losses_the_smallest_is_the_best():
    rows = [a_row("sgd", 0.1, 0.9, val_loss=0.4), a_row("adam", 0.1, 0.9, val_loss=0.3)]
    layout = pivot(rows, "optimizer", "lr", "val_loss")
    assert [layout.cells(row)[1] for row in layout.rows] == ["0.3000 *", "0.4000"]


def test_columns_and_what_was_not_drawn_can_be_parameters_too():
    cells = pivot_cells(ROWS, "momentum", "status", "val_accuracy")
    assert [(cell["momentum"], cell["status"], cell["count"]) for cell in cells] == [
        (0.9, "finished", 5)
    ]


def test_trials_that_ended_early_are_named():
    layout = pivot([a_row("sgd", 0.1, 0.9, status="stopped")], "optimizer", "lr", "val_accuracy")
    assert layout.notes == ("trials that ended before their last epoch count with their best one",)


def test_lists_and_switches_are_values():
    rows = [
        a_row("sgd", 0.1, 0.9, parameters={"widths": [8, 4], "batch_norm": on})
        for on in (True, False)
    ]
    layout = pivot(rows, "widths", "batch_norm", "val_accuracy")
    assert [column.heading for column in layout.columns[1:]] == [
        "batch_norm false",
        "batch_norm true",
    ]
    assert layout.cells(layout.rows[0])[0] == "8-4"


def test_an_unknown_parameter_is_answered_with_the_nearest():
    with pytest.raises(TuneAppError) as caught:
        pivot(ROWS, "optimiser", "lr", "val_accuracy")
    assert str(caught.value) == (
        "no parameter 'optimiser' for a pivot table: did you mean 'optimizer'?"
    )


def test_a_range_is_refused():
    rows = [a_row("sgd", number / 1000, 0.9) for number in range(1, 30)]
    with pytest.raises(TuneAppError) as caught:
        pivot(rows, "optimizer", "lr", "val_accuracy")
    assert str(caught.value) == (
        "'lr' has 29 different values, and a pivot table holds 20 at most: take one with a "
        "choice, a step or few whole numbers"
    )


def test_nothing_measured_is_an_empty_table():
    for rows in ([], [a_row("sgd", 0.1, None)]):
        layout = pivot(rows, "optimizer", "lr", "val_accuracy")
        assert layout.rows == ()
        assert layout.notes == ("no trial has a validation accuracy and both parameters",)


def test_latex_and_csv_take_it():
    assert r"0.9300 $\pm$ 0.0141 *" in to_latex(
        "s", [pivot(ROWS, "optimizer", "lr", "val_accuracy")]
    )
    text = to_csv(pivot_cells(ROWS, "optimizer", "lr", "val_accuracy"), {})
    assert text.splitlines()[0] == "optimizer,lr,value,mean,std,count"
