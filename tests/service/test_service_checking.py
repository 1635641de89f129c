"""What of a search file is taken from the network."""

import pytest

from tune_app.errors import SweepFileError
from tune_app.service.http.search_file_checks import check_source, read_source
from tune_app.service.settings import Settings

FUNCTIONS = {
    "model": "model: evil:build\nparameters: {width: 4}\n",
    "training": "model: fcn\ntraining: evil:train\nparameters: {width: 4}\n",
}


@pytest.mark.parametrize("key", FUNCTIONS)
def test_a_file_that_names_a_function_is_refused_and_nothing_of_it_runs(key, tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text("open('ran', 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    text = f"name: x\ndataset: {{name: digits}}\n{FUNCTIONS[key]}"
    with pytest.raises(SweepFileError) as refused:
        read_source(text, Settings(tmp_path, tmp_path))
    assert [problem.key for problem in refused.value.problems] == [key]
    assert [problem["key"] for problem in check_source(text)["problems"]] == [key]
    assert not (tmp_path / "ran").exists()
