"""Every format says the same, and none lets a value be taken for markup."""

import csv
import io
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from rich.console import Console

from tune_app.results.store import SweepRecord, TrialStatus
from tune_app.results.tables.layout import (
    exact_text,
    full_layout,
    ranked_layouts,
    unranked_note,
    value_text,
)
from tune_app.results.tables.sweep_tables import rows_json
from tune_app.results.tables.table_formats import to_csv, to_html, to_json, to_latex, to_markdown
from tune_app.results.tables.terminal import print_layouts
from tune_app.results.tables.trial_row import TrialRow
from tune_app.results.tables.trial_table import ranked_rows, with_ranks

SWEEP = SweepRecord(
    "study",
    "digits",
    "cnn",
    budgets=(2000,),
    config={
        "objective": {"metric": "val_accuracy", "mode": "max"},
        "parameters": {"lr": {}, "widths": {}, "optimizer": {}, "batch_norm": True},
    },
)
NASTY = r"=a&b <i>_x_</i> | 5% $#{}~^\ [red] *"


def a_row(number: int, **fields: Any) -> TrialRow:
    lr = 0.00123456 * number
    row = {
        "status": TrialStatus.FINISHED,
        "budget": 2000,
        "weights": 1000 + number,
        "parameters": {"lr": lr, "optimizer": "adam"},
        "config": {"lr": lr, "optimizer": "adam", "batch_norm": True, "widths": [number, 8]},
        "val_accuracy": 0.98765432 - number / 1000,
        "val_loss": 0.123456 * number,
        "epochs": 10,
        "seconds": 1.2345 * number,
    }
    return TrialRow("study", f"t{number:04}", number, **(row | fields))


def ranked(*rows: TrialRow) -> list[TrialRow]:
    return with_ranks(rows, "val_accuracy", "max", SWEEP.budgets)


ROWS = ranked(
    a_row(1),
    a_row(2, status="stopped"),
    a_row(3, parameters={"lr": 0.5, "optimizer": NASTY}),
    a_row(4, status="failed", val_accuracy=None, val_loss=None, error=f"Traceback\n{NASTY}\n"),
)
LAYOUTS = ranked_layouts(ROWS, SWEEP)


class Cells(HTMLParser):
    """The texts of a page's table, row by row."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.inside = False
        self.feed(page)

    def handle_starttag(self, tag, _attrs):
        if tag == "tr":
            self.rows.append([])
        self.inside = tag in ("td", "th")
        if self.inside:
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.inside:
            self.rows[-1][-1] += data

    def handle_endtag(self, _tag):
        self.inside = False


def printed(layouts: list, width: int = 200) -> str:
    page = io.StringIO()
    print_layouts(Console(file=page, width=width), layouts)
    return page.getvalue()


def split_row(line: str, separator: str) -> list[str]:
    return [cell.strip() for cell in re.split(rf"(?<!\\){re.escape(separator)}", line)]


def markdown_rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [
        [re.sub(r"\\(.)", r"\1", cell) for cell in split_row(line[1:-1], "|")]
        for line in [lines[0], *lines[2:]]
    ]


def latex_rows(text: str) -> list[list[str]]:
    words = {"textasciitilde": "~", "textasciicircum": "^", "textbackslash": "\\"}
    words |= {"textless": "<", "textgreater": ">", "textbar": "|"}

    def plain(cell: str) -> str:
        return re.sub(r"\\(?:(text\w+)\{\}|(.))", lambda m: words[m[1]] if m[1] else m[2], cell)

    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    return [[plain(cell) for cell in split_row(line.removesuffix(r"\\"), "&")] for line in lines]


def terminal_rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if re.match(r"\d|#", line)]
    return [re.split(r" {2,}", line.strip()) for line in lines]


EXPECTED = [
    ["#", "trial", "accuracy", "loss", "weights", "share", "epochs", "seconds", "lr", "widths"],
    ["1", "t0001", "0.9867", "0.1235", "1001", "50.0%", "10", "1.2", "0.00123", "1-8", "adam"],
    ["2", "t0002*", "0.9857", "0.2469", "1002", "50.1%", "10", "2.5", "0.00247", "2-8", "adam"],
    ["3", "t0003", "0.9847", "0.3704", "1003", "50.1%", "10", "3.7", "0.5", "3-8", NASTY],
]
EXPECTED[0].append("optimizer")
READERS = {
    "markdown": lambda: markdown_rows(to_markdown("study", LAYOUTS)),
    "latex": lambda: latex_rows(to_latex("study", LAYOUTS)),
    "html": lambda: Cells(to_html("study", LAYOUTS)).rows,
    "terminal": lambda: terminal_rows(printed(LAYOUTS)),
}


@pytest.mark.parametrize("name", READERS)
def test_every_format_for_readers_shows_the_same_cells(name):
    assert READERS[name]() == EXPECTED


def test_json_and_csv_hold_the_numbers_unrounded_and_alike():
    rows = rows_json(ranked_rows(ROWS, SWEEP, 2000))
    from_json = json.loads(to_json(rows))
    assert from_json == rows
    from_csv = list(csv.DictReader(io.StringIO(to_csv(rows, LAYOUTS[0].constants))))
    for as_json, as_csv in zip(from_json, from_csv, strict=True):
        for name in ("val_accuracy", "val_loss", "weights", "rank", "share", "seconds"):
            assert float(as_csv[name]) == as_json[name]
        assert float(as_csv["lr"]) == as_json["parameters"]["lr"]
        assert json.loads(as_csv["widths"]) == as_json["config"]["widths"]
        assert (as_csv["error"], as_csv["batch_norm"]) == ("", "true")


def test_the_readers_numbers_are_the_rounded_ones_of_json():
    rows = json.loads(to_json(rows_json(ranked_rows(ROWS, SWEEP, 2000))))
    for row, cells in zip(rows, EXPECTED[1:], strict=True):
        keys = ["val_accuracy", "val_loss", "weights", "share"]
        assert cells[2:6] == [value_text(row[key], key) for key in keys]


def test_csv_cells_cannot_become_formulas():
    row = {"a": "=1+1", "b": "+x", "c": "-x", "d": "@x", "e": "\tx", "f": -0.5, "g": "a,b\n=c"}
    text = to_csv([row | {"parameters": {}, "config": {}}], {})
    (cells,) = csv.DictReader(io.StringIO(text))
    assert cells == {
        "a": "'=1+1",
        "b": "'+x",
        "c": "'-x",
        "d": "'@x",
        "e": "'\tx",
        "f": "-0.5",
        "g": "a,b\n=c",
    }


def test_csv_and_json_of_nothing_are_empty():
    assert (to_csv([], {}), to_json([])) == ("\n", "[]\n")


def test_not_a_number_never_gets_into_json():
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json([{"val_loss": float("nan")}])


def test_constants_and_notes_are_said_around_the_table():
    assert to_markdown("study", LAYOUTS).splitlines()[:5] == [
        "## study",
        "",
        "In every trial: batch\\_norm true.",
        "",
        "### At most 2k weights",
    ]
    note = "ended before its last epoch, and counted with its best one."
    assert to_markdown("study", LAYOUTS).endswith(f"\n\n\\* {note}\n")
    assert f"<p>* {note}</p>" in to_html("study", LAYOUTS)
    assert r"\caption{study, at most 2k weights. In every trial: batch\_norm true. * " in to_latex(
        "study", LAYOUTS
    )


def test_the_table_of_all_trials_says_what_became_of_each():
    layout = full_layout(ROWS, ROWS, SWEEP)
    rows = markdown_rows(to_markdown("study", [layout]))
    assert rows[0][:5] == ["#", "trial", "status", "budget", "accuracy"]
    assert rows[2][:5] == ["2", "t0002*", "stopped", "2k", "0.9857"]
    assert rows[4][:5] == ["", "t0004", "failed", "2k", ""]


def test_what_is_not_ranked_is_counted_with_an_example():
    rows = ranked(*ROWS, a_row(5, status="running"), a_row(6, val_accuracy=None))
    text = f"not ranked: 1 failed, 1 running, 1 finished without a result; t0004: {NASTY}"
    assert unranked_note(rows) == text
    assert unranked_note(ROWS[:3]) is None


def test_regression_has_its_loss_first_and_no_column_of_accuracies():
    sweep = SweepRecord(
        "fit", "sinc", "fcn", config={"objective": {"metric": "val_loss", "mode": "min"}}
    )
    rows = [a_row(1, budget=None, val_accuracy=None), a_row(2, budget=None, val_accuracy=None)]
    (layout,) = ranked_layouts(with_ranks(rows, "val_loss", "min", (None,)), sweep)
    assert layout.title == "all sizes"
    headings = [column.heading for column in layout.columns]
    assert headings[:5] == ["#", "trial", "loss", "weights", "epochs"]
    assert layout.cells(layout.rows[0])[:3] == ["1", "t0001", "0.1235"]


def test_a_parameter_that_shares_a_columns_name_is_told_apart():
    rows = [a_row(n, parameters={"epochs": n}) for n in (1, 2)]
    (layout,) = ranked_layouts(ranked(*rows), SWEEP)
    assert "parameters.epochs" in [column.heading for column in layout.columns]


def test_a_terminal_too_narrow_gets_what_fits_and_the_rest_of_the_best():
    text = printed(LAYOUTS, width=70)
    assert max(map(len, text.splitlines())) <= 70
    assert "widths" not in text.split("also:")[0]
    also = (
        "t0001 also: widths 1-8, optimizer adam "
        "(the terminal is too narrow; CSV shows every column)"
    )
    assert also in " ".join(text.split())


def test_a_table_without_results_says_so():
    (layout,) = ranked_layouts(ROWS[3:], SWEEP)
    assert printed([layout]).strip().splitlines()[-2:] == [
        "at most 2k weights",
        "no trial has a result yet",
    ]
    assert "<td" not in to_html("study", [layout])
    assert "|" not in to_markdown("study", [layout])


def test_values_cannot_steer_the_terminal():
    assert value_text("\x1b[31mred\x07") == " [31mred "
    assert value_text(True) == "true"
    assert value_text(None) == ""


def test_parameters_are_said_as_they_are_and_times_are_rounded():
    said = exact_text({"lr": 0.00123456, "seconds": 123.09825714599864, "batch_norm": True})
    assert said == "lr 0.00123456, seconds 123.1, batch_norm true"
