from pathlib import Path

import torch

from tune_app.config.sections import DatasetConfig
from tune_app.config.trial_config import resolve_parameters
from tune_app.data.sets import load_search_data
from tune_app.models import plan_network
from tune_app.sweep.search.feasible import Draw
from tune_app.sweep.trial.tasks import TrialTask
from tune_app.sweep.trial.trainable import TrialSettings, run_trial


def test_a_trial_that_fills_the_gpu_fails_by_itself_and_says_what_to_change(tmp_path):
    def fill_the_gpu(model, data, config, **options):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        yield

    config = resolve_parameters("fcn", {"widths": [8]}, fill=False)
    plan = plan_network("fcn", config, (1, 8, 8), 10)
    settings = TrialSettings(
        model="fcn",
        metric="val_accuracy",
        mode="max",
        precision="fp32",
        kernels={"matmul": "default"},
        threads=1,
        time_limit_s=60.0,
        train_epochs=fill_the_gpu,
    )
    draw = Draw({}, config, plan.weights, plan.macs, None, None)
    task = TrialTask("t0001", 1, draw, "random", 0, (), str(tmp_path / "t0001"))
    reports = []
    data = load_search_data(DatasetConfig(name="digits"), Path("/nowhere"))
    run_trial(task, settings, data, reports.append)
    assert [report.ending.status for report in reports] == ["failed"]
    assert not reports[0].ending.of_all
    assert reports[0].ending.reason == (
        "DeviceMemoryError: the GPU has too little free memory for this training; 20.00 GiB more "
        "were needed at once. Use a smaller batch_size, a smaller network, or fewer trials at a "
        "time on the GPU"
    )
