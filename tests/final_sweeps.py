"""Sweeps after their final stage, written by hand through the Store."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tune_app.results.store import Resolved, Store, SweepRecord, TrialRecord, open_store

CNN_SPACE = {
    "conv_layers": 3,
    "lr": {"float": [0.001, 0.1], "log": True},
    "optimizer": {"choice": ["adam", "sgd"]},
    "batch_norm": True,
    "epochs": 20,
}
NETWORKS: dict[str, dict[str, Any]] = {
    "cnn": {
        "conv_layers": 3,
        "kernel_size": 3,
        "padding": "same",
        "conv": "standard",
        "residual": False,
        "pool": "max",
        "pool_every": 1,
        "head": "gap",
        "head_widths": [],
        "dropout": 0.0,
        "conv_dropout": 0.0,
    },
    "fcn": {"layers": 2, "dropout": 0.5},
}
KNN = {
    "model": "knn",
    "k": 5,
    "name": "knn, k = 5",
    "test_accuracy": 0.8554,
    "train_accuracy": 0.8904,
    "cv_mean": 0.8561,
    "cv_std": 0.00312,
    "cv_folds": 5,
    "seconds": 41.25,
    "examples": 60000,
}
RIDGE = KNN | {"model": "ridge", "k": None, "name": "ridge", "test_accuracy": 0.8123}


class FinalSweep:
    """A sweep of which trial n has `weights[n - 1]` and the n-th best validation."""

    def __init__(
        self,
        storage: Path,
        name: str = "study",
        *,
        model: str = "cnn",
        weights: Sequence[int] = (19_000, 19_500, 20_000, 49_000),
        budgets: tuple[int, ...] = (20_000, 50_000),
        task: str = "classification",
        **fields: Any,
    ) -> None:
        self.store: Store = open_store(storage)
        self.name, self.regression = name, task == "regression"
        metric = {"metric": "val_loss", "mode": "min"} if self.regression else {}
        values: dict[str, Any] = {
            "status": "complete",
            "budgets": budgets,
            "config": {"parameters": CNN_SPACE, "objective": metric},
            "resolved": Resolved(task=task, input_shape=(1, 28, 28), outputs=10),
        }
        self.store.create_sweep(SweepRecord(name, "fashion_mnist", model, **(values | fields)))
        for number, count in enumerate(weights, start=1):
            lr, optimizer = number / 100, ["adam", "sgd"][number % 2]
            parameters = {"lr": lr, "optimizer": optimizer}
            solved = {"channels_list": [8, 16, count // 1000]} if model == "cnn" else {}
            solved = solved or {"widths": [count // 1000, 8]}
            config = NETWORKS[model] | parameters | solved | {"batch_norm": True, "epochs": 20}
            self.store.add_trial(
                TrialRecord(
                    name,
                    f"t{number:04}",
                    number,
                    status="finished",
                    budget=next((limit for limit in budgets if count <= limit), None),
                    weights=count,
                    macs=10 * count,
                    parameters=parameters,
                    config=config | {"weight_init": "kaiming"},
                    sampler="tpe",
                    best_epoch=18,
                    val_accuracy=None if self.regression else 0.95 - number / 1000,
                    val_loss=number / 1000,
                    epochs=20,
                    seconds=10.0,
                )
            )

    @property
    def record(self) -> SweepRecord:
        return self.store.get_sweep(self.name)

    def win(self, seeds: int = 5, **winners: Sequence[int]) -> None:
        """Record which trials are winners: `b20000=(1, 2)`, or `all=(1,)`."""
        named = {
            budget.removeprefix("b"): [f"t{number:04}" for number in numbers]
            for budget, numbers in winners.items()
        }
        self.store.update_sweep(self.name, final={"seeds": seeds, "winners": named})

    def replicate(self, source: int, *values: float | None, **fields: Any) -> None:
        """Add a replicate of a trial for each test result; None is one that failed."""
        trial = self.store.get_trial(self.name, f"t{source:04}")
        metric = "test_loss" if self.regression else "test_accuracy"
        for value in values:
            number = 1 + sum(row.stage == "final" for row in self.store.trials(self.name))
            shared = {"budget": trial.budget, "weights": trial.weights, "macs": trial.macs}
            shared |= {"parameters": trial.parameters, "config": trial.config | {"epochs": 18}}
            own = {
                "status": "failed" if value is None else "finished",
                "seed": 7000 + number,
                "epochs": 18,
                "seconds": 20.0 + number,
                metric: value,
            }
            self.store.add_trial(
                TrialRecord(
                    self.name,
                    f"f{number:04}",
                    number,
                    stage="final",
                    source=trial.trial_id,
                    **(shared | own | fields),
                )
            )


def two_budgets(storage: Path, name: str = "study", **fields: Any) -> FinalSweep:
    """A sweep whose small budget has a tie and whose large one shares a winner with it."""
    sweep = FinalSweep(storage, name, **fields)
    sweep.win(b20000=(1, 2, 3), b50000=(4, 1))
    sweep.replicate(1, 0.9281, 0.9279, 0.9290, 0.9275, 0.9285)
    sweep.replicate(2, 0.9284, 0.9292, 0.9271, 0.9286, 0.9290)
    sweep.replicate(3, 0.9101, 0.9110, None, 0.9095)
    sweep.replicate(4, 0.9384, 0.9391, 0.9379, 0.9390, 0.9385)
    return sweep
