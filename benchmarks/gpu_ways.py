"""Ways of training many CNNs at once on a GPU, and of evaluating many networks, timed bare.

What is fastest here decides what the training core does; none of this is the training core.
"""

import copy
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from gpu_bench import FCN_50K, Bench, build, build_members, configure, seconds_of
from torch import Tensor, nn

from tune_app.training.evaluate import predict

BATCH = 128
STEPS = 20


def time_ways(bench: Bench) -> None:
    if bench.device.type != "cuda":
        return
    time_evaluation(bench)
    time_orders(bench)
    for count in (1, 4, 16, 64):
        for layout in (torch.contiguous_format, torch.channels_last):
            name = f"cnn grouped K={count} {str(layout).removeprefix('torch.')}"
            with bench.checking(name):
                _note(bench, name, count, grouped_step(bench, count, layout))
        if count <= 16:
            for streams in (1, 4, 16):
                name = f"cnn one graph, {streams} streams, K={count}"
                with bench.checking(name):
                    _note(bench, name, count, branched_step(bench, count, streams))


def _note(bench: Bench, name: str, count: int, step: Callable[[], Any]) -> None:
    step()
    taken = seconds_of(lambda: [step() for _ in range(STEPS)], bench) / STEPS
    bench.time(name, ms_per_step=round(1e3 * taken, 3), us_per_member=round(1e6 * taken / count, 1))


def time_evaluation(bench: Bench) -> None:
    """Time the validation of 64 FCNs one after another, and recorded as one graph."""
    members = build_members([configure("fcn", **FCN_50K)] * 64, bench.device)
    data = bench.data

    def evaluate_all() -> Tensor:
        return torch.stack([predict(m.network, data.x_val, data.normalize) for m in members])

    expected = evaluate_all()
    bench.time("evaluate 64 fcns eager", ms=round(1e3 * seconds_of(evaluate_all, bench), 2))
    with bench.checking("evaluate 64 fcns as a graph"):
        graph, found = captured(evaluate_all)
        graph.replay()
        bench.time("evaluate 64 fcns graph", ms=round(1e3 * seconds_of(graph.replay, bench), 2))
        bench.check("a graph evaluates to the same bits", torch.equal(found, expected))


def time_orders(bench: Bench) -> None:
    chance = torch.Generator()
    count = len(bench.data.x_train)
    started = time.perf_counter()
    orders = [torch.randperm(count, generator=chance, dtype=torch.int32) for _ in range(64)]
    drawn = time.perf_counter()
    taken = seconds_of(lambda: torch.stack(orders).to(bench.device), bench)
    bench.time(
        "64 orders", draw_ms=round(1e3 * (drawn - started), 1), copy_ms=round(1e3 * taken, 1)
    )


def captured(action: Callable[[], Any]) -> tuple[torch.cuda.CUDAGraph, Any]:
    """Record an action after some that warm up; return the graph and what the action returned."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            action()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = action()
    return graph, result


def grouped_step(bench: Bench, count: int, layout: torch.memory_format) -> Callable[[], Any]:
    """Return a step of `count` CNNs whose convolutions are grouped, recorded as a graph."""
    layers: list[nn.Module] = []
    before = 1
    for channels in bench.cnn()["channels_list"]:
        conv = nn.Conv2d(before * count, channels * count, 3, padding=1, groups=count, bias=False)
        layers += [conv, nn.BatchNorm2d(channels * count), nn.MaxPool2d(2), nn.ReLU(inplace=True)]
        before = channels
    network = nn.Sequential(*layers).to(bench.device, memory_format=layout)
    head = torch.randn(count, before, 10, device=bench.device, requires_grad=True)
    weights = [*network.parameters(), head]
    images = torch.rand(BATCH, count, 28, 28, device=bench.device).to(memory_format=layout)
    labels = torch.randint(10, (count * BATCH,), device=bench.device)

    def step() -> None:
        features = network(images).mean((2, 3)).view(BATCH, count, -1).transpose(0, 1)
        outputs = torch.bmm(features, head).flatten(0, 1)
        loss = F.cross_entropy(outputs, labels, reduction="sum") / BATCH
        gradients = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            torch._foreach_add_(weights, gradients, alpha=-1e-4)

    return captured(step)[0].replay


def branched_step(bench: Bench, count: int, streams: int) -> Callable[[], Any]:
    """Return a step of `count` CNNs, each by itself, in parallel branches of one graph."""
    config = configure("cnn", **bench.cnn())
    first = build("cnn", config, bench.device).to(memory_format=torch.channels_last)
    networks = [copy.deepcopy(first) for _ in range(count)]
    images = torch.rand(BATCH, 1, 28, 28, device=bench.device)
    labels = torch.randint(10, (BATCH,), device=bench.device)
    lanes = [torch.cuda.Stream() for _ in range(min(streams, count))]

    def step() -> None:
        main = torch.cuda.current_stream()
        for lane in lanes:
            lane.wait_stream(main)
        for number, network in enumerate(networks):
            with torch.cuda.stream(lanes[number % len(lanes)]):
                weights = list(network.parameters())
                loss = F.cross_entropy(network(images), labels)
                gradients = torch.autograd.grad(loss, weights)
                with torch.no_grad():
                    torch._foreach_add_(weights, gradients, alpha=-1e-4)
        for lane in lanes:
            main.wait_stream(lane)

    return captured(step)[0].replay
