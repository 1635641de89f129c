"""Run a search as Ray's tutorial "How to use Tune with PyTorch" teaches it.

This is the other side of vs_idiomatic_ray.py, which runs it: idiomatic_ray.py TASK.json RESULT.json

As in the tutorial, every trial runs a function trainable in its own process, reads torchvision's
FashionMNIST with transforms, a split and DataLoaders, calls `loss.item()` for the running loss, and
writes a checkpoint and a report in each epoch. Tune's default loggers and ASHAScheduler are used.

Differences from the tutorial: one CPU per trial and `num_workers=0`, which are faster on few cores
than the tutorial's 2 and 8. To match tune-app's side, the objective is accuracy, the optimizer Adam
instead of SGD, and the validation images are the same.
"""

import json
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from torch import nn, optim
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms

from tune_app.data.splits import divide


class Net(nn.Module):
    def __init__(self, layers: int, width: int) -> None:
        super().__init__()
        sizes = [28 * 28, *[width] * layers]
        self.hidden = nn.ModuleList(
            nn.Linear(fan_in, fan_out) for fan_in, fan_out in pairwise(sizes)
        )
        self.output = nn.Linear(width, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = torch.flatten(images, 1)
        for layer in self.hidden:
            features = torch.relu(layer(features))
        return self.output(features)


def load_data(data_dir: str) -> datasets.FashionMNIST:
    transform = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize((0.2860,), (0.3530,))]
    )
    return datasets.FashionMNIST(data_dir, train=True, download=True, transform=transform)


def train_fashion_mnist(config: dict[str, Any], task: dict[str, Any]) -> None:
    started = time.time()
    config = config["point"]
    net = Net(config["layers"], config["width"])
    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    net.to(device)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(net.parameters(), lr=config["lr"])

    if checkpoint := tune.get_checkpoint():
        with checkpoint.as_directory() as folder:
            model_state, optimizer_state = torch.load(Path(folder) / "checkpoint.pt")
        net.load_state_dict(model_state)
        optimizer.load_state_dict(optimizer_state)

    images = load_data(task["data"])
    # Not random_split: both sides must validate on the same images to be comparable.
    per_class = [task["validation_images"] // 10] * 10
    train_rows, validation_rows = divide(images.targets.numpy(), per_class, (0, 1))
    train_part = Subset(images, train_rows.tolist())
    validation_part = Subset(images, validation_rows.tolist())
    train_loader = DataLoader(train_part, batch_size=config["batch_size"], shuffle=True)
    validation_loader = DataLoader(validation_part, batch_size=config["batch_size"])

    for epoch in range(task["epochs"]):
        running_loss = 0.0
        for step, (inputs, labels) in enumerate(train_loader, start=1):
            inputs, labels = inputs.to(device), labels.to(device)
            optimizer.zero_grad()
            loss = criterion(net(inputs), labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
            if step % 2000 == 0:
                print(f"[{epoch + 1}, {step}] loss: {running_loss / step:.3f}")

        validation_loss = 0.0
        correct = 0
        for inputs, labels in validation_loader:
            with torch.no_grad():
                inputs, labels = inputs.to(device), labels.to(device)
                outputs = net(inputs)
                correct += (outputs.argmax(1) == labels).sum().item()
                validation_loss += criterion(outputs, labels).item()

        with tempfile.TemporaryDirectory() as folder:
            torch.save((net.state_dict(), optimizer.state_dict()), Path(folder) / "checkpoint.pt")
            tune.report(
                {
                    "loss": validation_loss / len(validation_loader),
                    "accuracy": correct / len(validation_rows),
                    "started": started,
                },
                checkpoint=tune.Checkpoint.from_directory(folder),
            )


def main(task_file: str, result_file: str) -> None:
    task = json.loads(Path(task_file).read_text(encoding="utf-8"))
    scheduler = ASHAScheduler(
        max_t=task["epochs"],
        grace_period=task["grace_epochs"],
        reduction_factor=task["reduction_factor"],
    )
    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(train_fashion_mnist, task=task), {"cpu": 1}),
        # The points were drawn at random beforehand, so that both sides train the same ones.
        param_space={"point": tune.grid_search(task["points"])},
        tune_config=tune.TuneConfig(metric="accuracy", mode="max", scheduler=scheduler),
        run_config=tune.RunConfig(storage_path=task["storage"]),
    )
    trials = [
        {
            "point": result.config["point"],
            "accuracies": result.metrics_dataframe["accuracy"].tolist(),
            "started": result.metrics["started"],
        }
        for result in tuner.fit()
    ]
    Path(result_file).write_text(json.dumps(trials), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
