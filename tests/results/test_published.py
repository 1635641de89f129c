"""The published kind of table, over one sweep or several."""

import pytest
from final_sweeps import KNN, FinalSweep, two_budgets

from tune_app.config.trial_config import resolve_parameters
from tune_app.models.network import plan_network
from tune_app.results.statistics import holm, welch_p
from tune_app.results.tables.network_notation import architecture_text
from tune_app.results.tables.published_tables import published_layout, published_rows
from tune_app.results.tables.table_formats import to_csv, to_html, to_json, to_latex, to_markdown


def dense(storage, **fields) -> FinalSweep:
    sweep = FinalSweep(storage, "dense", model="fcn", **fields)
    sweep.win(b20000=(1, 3))
    sweep.replicate(1, 0.891, 0.892, 0.890)
    sweep.replicate(3, 0.88, 0.881, 0.879)
    return sweep


def test_a_table_of_one_sweep_has_what_studies_print(tmp_path):
    sweep = two_budgets(tmp_path, baselines=(KNN,))
    layout = published_layout(sweep.store, [sweep.record])
    assert [column.heading for column in layout.columns] == [
        *("ID", "model", "weights", "budget", "seconds", "architecture", "optimizer", "lr"),
        *("seeds", "test accuracy", "best"),
    ]
    assert layout.constants == {
        "sweep": "study",
        "dataset": "fashion_mnist",
        "epochs": 18,
        "batch norm": True,
        "dropout": 0.0,
        "weight initialisation": "kaiming",
    }
    cells = [layout.cells(row) for row in layout.rows]
    assert cells[0] == [
        *("t0002", "cnn", "19500", "20k", "28.0", "3 conv 8-16-19, k3, gap", "adam", "0.02"),
        *("5", "0.9285 ± 0.0008", "*"),
    ]
    assert [(row[0], row[3], row[-1]) for row in cells] == [
        ("t0002", "20k", "*"),
        ("t0001", "20k", "="),
        ("t0003", "20k", ""),
        ("t0004", "50k", "*"),
        ("t0001", "50k", ""),
        ("knn, k = 5 (baseline)", "", ""),
    ]
    assert cells[-1][1:] == ["knn", "", "", "41.2", *[""] * 4, "0.8554", ""]


def test_several_sweeps_stand_in_one_table_with_one_star_a_budget(tmp_path):
    cnn, fcn = two_budgets(tmp_path), dense(tmp_path)
    rows = published_rows(cnn.store, [fcn.record, cnn.record])
    small = [row for row in rows if row["budget"] == 20_000]
    assert [(row["sweep"], row["id"], row["best"]) for row in small] == [
        ("study", "t0002", True),
        ("study", "t0001", False),
        ("study", "t0003", False),
        ("dense", "t0001", False),
        ("dense", "t0003", False),
    ]
    raw = [welch_p(row["test_values"], small[0]["test_values"]) for row in small[1:]]
    assert [row["p_value"] for row in small[1:]] == holm(raw)
    layout = published_layout(cnn.store, [fcn.record, cnn.record])
    headings = [column.heading for column in layout.columns]
    assert headings[:3] == ["ID", "sweep", "model"]
    assert "dropout" in headings
    assert layout.cells(layout.rows[3])[headings.index("architecture")] == "784-19-8-10"


def test_other_data_are_not_compared(tmp_path):
    cnn, fcn = two_budgets(tmp_path), dense(tmp_path)
    fcn.store.update_sweep("dense", dataset="mnist")
    rows = published_rows(cnn.store, [cnn.record, fcn.record], budgets=(20_000,))
    assert [(row["dataset"], row["best"]) for row in rows] == [
        ("fashion_mnist", True),
        ("fashion_mnist", False),
        ("fashion_mnist", False),
        ("mnist", True),
        ("mnist", False),
    ]
    layout = published_layout(cnn.store, [cnn.record, fcn.record])
    assert layout.columns[2].heading == "dataset"
    assert any("of its budget and data" in note for note in layout.notes)


def test_a_sweep_without_finals_says_how_to_get_them(tmp_path):
    sweep = FinalSweep(tmp_path)
    layout = published_layout(sweep.store, [sweep.record])
    assert layout.rows == ()
    assert layout.notes == (
        "no winner has been retrained and tested yet: `tune-app final study` does that",
    )


def test_every_format_takes_it(tmp_path):
    sweep = two_budgets(tmp_path, baselines=(KNN,))
    layout = published_layout(sweep.store, [sweep.record])
    for write in (to_markdown, to_latex, to_html):
        text = write("study", [layout])
        assert "3 conv 8-16-19, k3, gap" in text
        assert "0.9285" in text
    rows = published_rows(sweep.store, [sweep.record])
    assert '"test_std": 0.000823' in to_json(rows)
    assert "3 conv 8-16-19, k3, gap" in to_csv(rows, {})


@pytest.mark.parametrize(
    ("model", "values", "text"),
    [
        ("fcn", {"widths": [256, 128]}, "784-256-128-10"),
        ("fcn", {"layers": 3, "width": 64, "taper": 0.5}, "784-64-32-16-10"),
        ("fcn", {"widths": []}, "784-10"),
        ("fcn", {"widths": [64], "activation": "sigmoid"}, "784-64-10 sigmoid"),
        ("cnn", {"conv_layers": 3, "head": "gap"}, "3 conv 16-32-64, k3, gap"),
        ("cnn", {"channels_list": [8], "kernel_size": 5}, "1 conv 8, k5, flatten"),
        (
            "cnn",
            {"channels_list": [6, 16], "padding": 0, "pool": "avg", "head_widths": [120, 84]},
            "2 conv 6-16, k3, no padding, avg pool, flatten-120-84",
        ),
        (
            "cnn",
            {"channels_list": [6, 16], "conv": "separable", "residual": True, "pool_every": 2},
            "2 conv 6-16, k3, separable, residual, max pool every 2, flatten",
        ),
        (
            "cnn",
            {"channels_list": [4], "padding": 1, "pool": "none", "activation": "gelu"},
            "1 conv 4, k3, gelu, padding 1, no pool, flatten",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_architecture_is_written_as_it_is_built(model, values, text):
    config = resolve_parameters(model, values, fill=False)
    assert architecture_text(model, config, [1, 28, 28], 10) == text
    layers = plan_network(model, config, (1, 28, 28), 10).layers
    for size in (layer.out_shape[0] for layer in layers if layer.kind in ("conv", "linear")):
        assert str(size) in text.replace(",", "").replace("-", " ").split() or size == 10
