"""docs/own-models.md: what it shows is run, on a real Ray, as a reader would run it."""

import re
import runpy
from pathlib import Path

import pytest

import tune_app
from tune_app.config.user_functions import code_folder
from tune_app.models.built_weights import count_weights
from tune_app.report.export.evaluate_export import evaluate_export

PAGE = Path(__file__).parents[2] / "docs" / "own-models.md"
BLOCK = re.compile(r'^```(python|yaml)(?: title="([\w.]+)")?\n(.*?)^```', re.M | re.S)


@pytest.mark.slow
@pytest.mark.usefixtures("ray_session")
@pytest.mark.timeout(300)
def test_the_page_runs_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUNE_APP_DATA", str(tmp_path))
    monkeypatch.delenv("TUNE_APP_STORAGE", raising=False)
    steps = []
    for language, title, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if title:
            Path(title).write_text(text, encoding="utf-8")
        elif language == "python":
            steps.append(text)
    Path("page.py").write_text("\n".join(steps), encoding="utf-8")
    made = runpy.run_path("page.py")

    sweep = made["sweep"]
    trials = sweep.trials()
    assert (sweep.status, len(trials)) == ("complete", 4)
    assert [row["status"] for row in trials if row["error"]] == []
    for row in trials:
        assert row["config"]["fill"] == "channels"
        assert row["weights"] <= 20_000
        wider = {**row["config"], "channels": row["config"]["channels"] + 1}
        small = runpy.run_path("my_nets.py")["small"]
        names = ("channels", "depth", "activation")
        built = [small((1, 8, 8), 10, **{n: c[n] for n in names}) for c in (row["config"], wider)]
        assert count_weights(built[0]) == row["weights"]
        assert count_weights(built[1]) > 20_000
    described = sweep.record.resolved.functions["my_nets:small"]
    assert Path(described["file"]) == tmp_path / "my_nets.py"
    assert described["source"].startswith("def small(")

    # Later, and elsewhere: the export and the record stand without the file.
    Path("my_nets.py").unlink()
    assert code_folder(Path("best")).joinpath("my_nets.py").is_file()
    result = evaluate_export("best", tmp_path)
    assert result.agrees
    assert all(one.difference < 1e-5 for file in result.files for one in file.comparisons)
    extended = tune_app.resume(sweep, trials=5, quiet=True)
    assert [row["status"] for row in extended.trials()].count("failed") == 0
    assert len(extended.trials()) == 5

    mixed = made["mixed"]
    assert mixed.config.training == "my_training:mixup"
    first = mixed.store.epochs("mixed", mixed.best("5k").trial_id)[0]
    assert first.train_loss > 0
    assert (first.lr, first.grad_norm) == (None, None)
    assert made["brighter"].config.dataset.path.startswith(str(tmp_path / "tune_results" / ".data"))
