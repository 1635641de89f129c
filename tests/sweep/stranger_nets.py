"""What a stranger brings: a model of 15 lines, and a training of 15 lines."""

import torch
import torch.nn.functional as F
from torch import nn


def small(input_shape, outputs, channels=8, depth=2, dropout=0.0):
    layers, before = [], input_shape[0]
    for _ in range(depth):
        layers += [nn.Conv2d(before, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]
        before = channels
    return nn.Sequential(
        *layers,
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(4 * channels, outputs),
    )


def mixup(model, data, config, *, seed):
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(model.parameters(), config["lr"], momentum=0.9)
    for _ in range(config["epochs"]):
        model.train()
        total = 0.0
        order = torch.randperm(len(data.x_train), generator=generator)
        for rows in order.split(config["batch_size"]):
            x, y = data.normalize(data.x_train[rows]), data.y_train[rows]
            share = config["mix"] * torch.rand((), generator=generator)
            outputs = model((1 - share) * x + share * x.flip(0))
            loss = (1 - share) * F.cross_entropy(outputs, y)
            loss = loss + share * F.cross_entropy(outputs, y.flip(0))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        yield {"train_loss": total / len(order)}
