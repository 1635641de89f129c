import re
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import matplotlib
import pytest
from made_sweeps import REGRESSION, classes_text, make_sweep

from tune_app.report.figures.frame import ReportFigure, save, to_svg
from tune_app.report.figures.style import (
    Theme,
    distinguishing_labels,
    new_figure,
    ordered_marks,
    series_mark,
)
from tune_app.report.figures.sweeps.sweep_figures import comparison_figures, sweep_figures
from tune_app.results.importance_record import Importance
from tune_app.results.store import open_store
from tune_app.results.tables.trial_table import ranked_rows, trial_rows

IMPORTANCE = [
    Importance("fanova", 10_000, 20, {"lr": 0.7, "optimizer": 0.3}, {"momentum": "only 3 have it"}),
    Importance("ped-anova", 20_000, 20, {"lr": 0.9, "optimizer": 0.1}),
    Importance("ped-anova", 10_000, 2, reason="too few"),
]
ALL = [
    *("pareto", "training-time", "learning-curves", "final-curves", "best-so-far", "rungs"),
    *("parameter-importance", "parallel-coordinates", "slices", "heat-map"),
]
WITHOUT_FINALS = [name for name in ALL if name not in ("final-curves", "parameter-importance")]


def drawn(figure, theme="light"):
    """Return every text of a figure, drawn without a warning."""
    shown = figure.render(Theme(theme))
    shown.savefig("/dev/null", format="png", dpi=30)
    return [text.get_text() for text in shown.findobj(matplotlib.text.Text) if text.get_text()]


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path)


def test_a_sweep_with_everything_has_all_figures_in_their_order(store):
    sweep = make_sweep(store, classes_text(), 40, final=True)
    figures = sweep_figures(store, sweep, IMPORTANCE)
    assert [figure.name for figure in figures] == ALL
    for figure in figures:
        assert drawn(figure)
        assert figure.caption.endswith(".")


@pytest.mark.parametrize(
    ("text", "trials", "spoilt", "expected"),
    [
        (classes_text(), 1, 0, WITHOUT_FINALS[:5]),
        (classes_text(budgets=None), 3, 0, WITHOUT_FINALS[:-1]),
        (classes_text(), 30, 0.9, WITHOUT_FINALS),
        (REGRESSION, 20, 0.1, WITHOUT_FINALS),
    ],
    ids=["one trial", "three trials", "most failed", "regression"],
)
def test_figures_with_nothing_to_show_are_left_out(store, text, trials, spoilt, expected):
    figures = sweep_figures(store, make_sweep(store, text, trials, spoilt=spoilt))
    assert [figure.name for figure in figures] == expected
    for figure in figures:
        assert drawn(figure, "dark")


def test_a_sweep_without_a_result_has_no_figures(store):
    assert sweep_figures(store, make_sweep(store, classes_text(), 0)) == []


def test_a_regression_is_drawn_by_its_loss(store):
    figures = sweep_figures(store, make_sweep(store, REGRESSION, 20))
    assert "validation loss (MSE)" in drawn(figures[0])
    assert figures[0].title == "Validation loss against weights"


def test_sweeps_are_compared_by_name_and_only_with_one_objective(store):
    one = make_sweep(store, classes_text("wide"), 12)
    two = make_sweep(store, classes_text("deep", None), 12, seed=1, final=True)
    figures = comparison_figures(store, [one, two])
    assert [figure.name for figure in figures] == ["comparison-weights", "comparison-time"]
    for figure in figures:
        assert {"wide", "deep", "retrained, test data"} <= set(drawn(figure))
    assert comparison_figures(store, [one, make_sweep(store, REGRESSION, 12)]) == []
    assert comparison_figures(store, [one]) == []


def test_a_legend_names_budgets_and_only_what_differs(store):
    sweep = make_sweep(store, classes_text(), 40)
    (curves,) = [f for f in sweep_figures(store, sweep) if f.name == "learning-curves"]
    labels = [text for text in drawn(curves) if text.startswith("t0")]
    rows = trial_rows(store, sweep)
    best = {ranked_rows(rows, sweep, budget)[0].trial_id for budget in sweep.budgets}
    assert {label.split(":")[0] for label in labels} == best
    assert all("budget " in label and "batch_norm" not in label for label in labels)


# ---------------------------------------------------------------------------- the frame


def demo(label="a <b> $x$"):
    def draw(theme):
        figure = new_figure(2)
        axes = figure.subplots()
        mark = series_mark(0, theme)
        axes.plot([1, 2], [2, 1], color=mark.color, marker=mark.marker, label=label)
        axes.fill_between([1, 2], [1, 1], [2, 2], hatch="//")
        axes.legend()
        return figure

    return ReportFigure("demo", "Less < more", "A line.", draw)


def test_files_are_named_by_theme_and_the_same_numbers_give_the_same_bytes(tmp_path):
    first = save(demo(), tmp_path / "one", themes=("light", "dark"))
    again = save(demo(), tmp_path / "two", themes=("light", "dark"))
    names = ["demo.svg", "demo.png", "demo-dark.svg", "demo-dark.png"]
    assert [path.name for path in first] == names
    for one, two in zip(first, again, strict=True):
        assert one.read_bytes() == two.read_bytes()


def test_inline_svgs_are_sound_and_share_no_id():
    texts = [to_svg(demo(), theme) for theme in ("light", "dark")]
    texts.append(to_svg(replace(demo(), name="other")))
    seen = []
    for text in texts:
        root = ElementTree.fromstring(text)
        assert root.tag.endswith("svg")
        assert root[0].text == "Less < more"
        ids = [element.get("id") for element in root.iter() if element.get("id")]
        assert len(ids) == len(set(ids))
        used = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text)
        assert {one or two for one, two in used} <= set(ids)
        seen += ids
    assert len(seen) == len(set(seen))


def test_an_inline_svg_asks_for_nothing_and_is_the_same_again():
    text = to_svg(demo())
    assert text == to_svg(demo())
    assert not re.search(r'(href|src)="(?!#)', text)
    assert "<text" not in text
    assert "<metadata" not in text


def test_drawing_neither_reads_nor_changes_the_settings_outside():
    before = matplotlib.rcParams.copy()
    plain = to_svg(demo())
    assert matplotlib.rcParams.copy() == before
    with matplotlib.rc_context({"lines.linewidth": 9, "font.size": 20}):
        assert to_svg(demo()) == plain


def test_marks_differ_without_their_colours():
    for theme in Theme:
        for marks in (
            [series_mark(index, theme) for index in range(20)],
            ordered_marks(8, theme),
        ):
            assert len({(mark.marker, str(mark.line)) for mark in marks}) == len(marks)
            assert len({mark.marker for mark in marks[:8]}) == 8


def test_ordered_colours_grow_lighter():
    shades = [matplotlib.colors.to_rgb(mark.color) for mark in ordered_marks(6, Theme.LIGHT)]
    grey = [0.3 * red + 0.59 * green + 0.11 * blue for red, green, blue in shades]
    assert grey == sorted(grey)
    assert min(b - a for a, b in pairwise(grey)) > 0.05


@pytest.mark.parametrize(
    ("items", "labels"),
    [
        ([{"lr": 0.1, "epochs": 3}, {"lr": 0.01, "epochs": 3}], ["lr 0.1", "lr 0.01"]),
        ([{"optimizer": "adam"}, {"optimizer": "sgd", "momentum": 0.9}],
         ["optimizer adam", "optimizer sgd, momentum 0.9"]),
        ([{}, {"momentum": 0.9}], ["no momentum", "momentum 0.9"]),
        ([{"lr": 0.1}, {"lr": 0.1}], ["(1)", "(2)"]),
        ([{"lr": 0.12345}, {"lr": 0.12346}], ["lr 0.12345", "lr 0.12346"]),
        ([{"budget": 20_000, "widths": [64, 32]}, {"budget": 50_000, "widths": [64, 32]}],
         ["budget 20k", "budget 50k"]),
        ([{"smoothing": 0}, {"smoothing": 0.0}], ["(1)", "(2)"]),
        ([{"lr": 0.1}], [""]),
        ([], []),
    ],
)  # fmt: skip
def test_labels_name_only_what_differs(items, labels):
    assert distinguishing_labels(items) == labels
