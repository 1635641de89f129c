"""The check for a GPU, with tiny sizes on the CPU: it must be ready when a card is at hand."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
ABSENT = ("ray", "optuna", "torchmetrics", "tensorboardX")
BLOCK = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {ABSENT!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""


def test_the_gpu_check_passes_on_a_cpu_where_ray_is_not_installed(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(BLOCK)
    environment = os.environ | {"PYTHON": sys.executable, "PYTHONPATH": str(tmp_path)}
    command = [ROOT / "scripts" / "gpu_check", "--quick", "--json", tmp_path / "gpu.json"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    record = json.loads((tmp_path / "gpu.json").read_text())
    assert [check["name"] for check in record["checks"] if not check["ok"]] == []
    assert len(record["checks"]) > 30
    assert list(record["sections"]) == [
        *("ceilings", "optimizers", "evaluation", "augmentation", "members"),
        *("epochs alone", "epochs stacked", "300 trainings", "ways", "profile", "memory"),
    ]
    # Only what this machine has not: nvidia-smi's numbers.
    assert all(set(section) == {"seconds"} for section in record["sections"].values())


def test_a_failed_check_is_listed_and_the_rest_goes_on(tmp_path):
    """Nothing begins after the minutes, and what is left out counts as failed."""
    environment = os.environ | {"PYTHON": sys.executable}
    command = [ROOT / "scripts" / "gpu_check", "--quick", "--json", tmp_path / "gpu.json"]
    ran = subprocess.run(
        [*command, "--minutes", "0"], env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "FAILED optimizers" in ran.stdout
    assert "left out: no time left" in ran.stdout
