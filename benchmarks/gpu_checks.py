"""Checks of the training core on a GPU; each says what it found, and none stops the others."""

import copy
import tempfile
from pathlib import Path
from typing import Any

import torch
from gpu_bench import (
    FCN_50K,
    Bench,
    build,
    build_members,
    configure,
    to_device,
)
from torch import nn

from tune_app.data.batches import build_augment
from tune_app.training.checkpoints import AtomicCheckpoint, load_weights, save_weights
from tune_app.training.cost import seconds_per_epoch
from tune_app.training.device import BACKENDS, DeviceMemoryError, readable_memory_errors
from tune_app.training.evaluate import evaluate, predict
from tune_app.training.loop import DivergedError, EpochResult, TrainingData, train_epochs
from tune_app.training.members import Member, MemberRun

CPU = torch.device("cpu")
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"lr": 0.05, "momentum": 0.9, "nesterov": True},
    "adam": {"lr": 2e-3},
    "adamw": {"lr": 2e-3, "weight_decay": 0.01},
    "rmsprop": {"lr": 5e-4, "momentum": 0.5},
}
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "fcn": ("fcn", {"widths": [32, 16], "batch_norm": True, "dropout": 0.2}),
    "cnn": (
        "cnn",
        {
            "channels_list": [8, 16],
            "batch_norm": True,
            "conv_dropout": 0.1,
            "augment": ["flip", "shift", "cutout"],
        },
    ),
}
QUICK_OPTIMIZERS = ("sgd", "adamw")
# A GPU adds in another order than a CPU: of losses after some epochs, in nats.
LOSS_TOLERANCE = 5e-3
OUTPUT_TOLERANCE = 1e-4
MEMBER_TOLERANCE = 1e-3


def optimizers(bench: Bench) -> dict[str, dict[str, Any]]:
    """Return the rates by the optimizer's name."""
    return {name: OPTIMIZERS[name] for name in (QUICK_OPTIMIZERS if bench.quick else OPTIMIZERS)}


class Stored:
    """A checkpoint that writes every epoch to a file and reads one of them."""

    def __init__(self, folder: Path, load_epoch: int | None = None) -> None:
        self.folder, self.load_epoch, self.epoch = folder, load_epoch, 0

    def load(self) -> dict[str, Any] | None:
        if self.load_epoch is None:
            return None
        return AtomicCheckpoint(self.folder / f"{self.load_epoch}.pt").load()

    def offer(self, make_state: Any) -> None:
        self.epoch += 1
        AtomicCheckpoint(self.folder / f"{self.epoch}.pt", every_s=0.0).offer(make_state)


def train(
    model: nn.Module, data: TrainingData, config: dict[str, Any], **options: Any
) -> list[EpochResult]:
    return list(train_epochs(model, data, config, seed=1, **options))


def losses(results: list[EpochResult]) -> list[float]:
    return [value for result in results for value in (result.train_loss, result.val_loss)]


def difference(model: nn.Module, other: nn.Module) -> float:
    """Return the largest difference of two networks' weights and statistics."""
    pairs = zip(model.state_dict().values(), other.state_dict().values(), strict=True)
    return max(float((a.double() - b.double()).abs().max()) for a, b in pairs)


def check_optimizers(bench: Bench) -> None:
    """Train, repeat and resume with each optimizer; compare with the CPU."""
    for network, (kind, sizes) in NETWORKS.items():
        for optimizer, rates in optimizers(bench).items():
            name = f"{network} {optimizer}"
            config = configure(
                kind,
                **sizes,
                **rates,
                optimizer=optimizer,
                epochs=4,
                lr_schedule="one_cycle",
                batch_size=bench.batch_size,
            )
            with bench.checking(name):
                _check_one(bench, name, kind, config)
    for network, (kind, sizes) in NETWORKS.items():
        with bench.checking(f"{network} bf16"):
            config = configure(kind, **sizes, epochs=3, batch_size=bench.batch_size)
            model = build(kind, config, bench.device)
            found = losses(train(model, bench.few, config, precision="bf16"))
            bench.check(f"{network} bf16 lowers the loss", found[-2] < found[0])
    _check_against_cpu(bench)
    with bench.checking("divergence"):
        config = configure("fcn", **FCN_50K, optimizer="sgd", lr=1e30, epochs=2)
        try:
            train(build("fcn", config, bench.device), bench.few, config)
            bench.check("a training that diverges says so", False)
        except DivergedError as error:
            bench.check("a training that diverges says so", error.epoch == 1, note=str(error))
    with bench.checking("forecast"):
        config = configure("fcn", **FCN_50K)
        shape = _shape(bench.few)
        taken = seconds_per_epoch(build("fcn", config, bench.device), shape, config)
        bench.check("an epoch's time is forecast", taken > 0, f"{taken:.4f} s")


def _shape(data: TrainingData) -> Any:
    from tune_app.data.sets import DataShape

    shape = tuple(data.x_train.shape[1:])
    return DataShape("classification", shape, data.outputs, len(data.x_train), len(data.x_val))


def _check_one(bench: Bench, name: str, kind: str, config: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        whole = build(kind, config, bench.device)
        results = train(whole, bench.few, config, checkpoint=Stored(Path(folder)))
        found = losses(results)
        bench.check(f"{name} lowers the loss", found[-2] < found[0])
        again = build(kind, config, bench.device)
        repeated = losses(train(again, bench.few, config))
        gap = difference(whole, again)
        # Not promised on a GPU, so it is reported and not judged beyond a tolerance.
        worst = max(abs(a - b) for a, b in zip(found, repeated, strict=True))
        bench.check(f"{name} repeated", worst <= LOSS_TOLERANCE, _bits(gap), f"loss {worst:.1e}")
        resumed = build(kind, config, bench.device, seed=5)
        torch.rand(7, device=bench.device)
        rest = losses(
            train(resumed, bench.few, config, checkpoint=Stored(Path(folder), load_epoch=2))
        )
        worst = max(abs(a - b) for a, b in zip(found[4:], rest, strict=True))
        gap = difference(whole, resumed)
        bench.check(f"{name} resumed", worst <= LOSS_TOLERANCE, _bits(gap), f"loss {worst:.1e}")
        save_weights(Path(folder) / "best.pt", whole.state_dict(), {"epoch": 4})
        weights, _ = load_weights(Path(folder) / "best.pt")
        loaded = build(kind, config, CPU, seed=6)
        loaded.load_state_dict(weights)
        gap = difference(whole.cpu(), loaded)
        bench.check(f"{name} best weights load", gap == 0)
    if bench.device.type == "cuda" and kind == "cnn":
        _check_deterministic_kernels(bench, name, kind, config)


def _check_deterministic_kernels(
    bench: Bench, name: str, kind: str, config: dict[str, Any]
) -> None:
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    try:
        models = [build(kind, config, bench.device) for _ in range(2)]
        for model in models:
            train(model, bench.few, config)
        gap = difference(*models)
        bench.check(f"{name} repeated, deterministic cuDNN", True, _bits(gap))
    finally:
        torch.backends.cudnn.deterministic = before


def _bits(gap: float) -> str:
    return "same bits" if gap == 0 else f"weights differ by up to {gap:.1e}"


def _check_against_cpu(bench: Bench) -> None:
    """Without chance in the step, the device and the CPU train alike."""
    data = to_device(bench.few, CPU)
    plain: dict[str, tuple[str, dict[str, Any]]] = {
        "fcn": ("fcn", {"widths": [32, 16]}),
        "cnn": ("cnn", {"channels_list": [8, 16]}),
    }
    for network, (kind, sizes) in plain.items():
        for optimizer, rates in optimizers(bench).items():
            with bench.checking(f"{network} {optimizer} against the CPU"):
                config = configure(kind, **sizes, **rates, optimizer=optimizer, epochs=2)
                model = build(kind, config, CPU)
                ours = copy.deepcopy(model).to(bench.device)
                expected = losses(train(model, data, config))
                found = losses(train(ours, bench.few, config))
                worst = max(abs(a - b) for a, b in zip(found, expected, strict=True))
                bench.check(
                    f"{network} {optimizer} trains as on the CPU",
                    worst <= 10 * LOSS_TOLERANCE,
                    f"loss {worst:.1e}",
                )


def check_evaluation(bench: Bench) -> None:
    """What is recorded is measured in float32, whatever training uses."""
    for kind, sizes in (("fcn", FCN_50K), ("cnn", bench.cnn())):
        with bench.checking(f"{kind} evaluation"):
            config = configure(kind, **sizes, epochs=1, lr=2e-3)
            model = build(kind, config, bench.device)
            train(model, bench.few, config)
            found = predict(model, bench.few.x_val, bench.few.normalize)
            with _tf32():
                with_tf32 = predict(model, bench.few.x_val, bench.few.normalize)
            bench.check(f"{kind} evaluation ignores TF32", torch.equal(found, with_tf32))
            if bench.device.type == "cuda":
                _note_tf32(bench, kind, model, found)
            on_cpu = to_device(bench.few, CPU)
            copied = copy.deepcopy(model).cpu()
            expected = predict(copied, on_cpu.x_val, on_cpu.normalize)
            gap = float((found.cpu() - expected).abs().max() / expected.abs().max())
            bench.check(f"{kind} outputs as on the CPU", gap <= OUTPUT_TOLERANCE, f"{gap:.1e}")
            again = predict(model, bench.few.x_val, bench.few.normalize)
            bench.check(f"{kind} evaluation repeats its bits", torch.equal(found, again))
            ours = evaluate(model, bench.few.x_val, bench.few.y_val, bench.few.normalize)
            theirs = evaluate(copied, on_cpu.x_val, on_cpu.y_val, on_cpu.normalize)
            gap = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
            bench.check(f"{kind} recorded metrics as on the CPU", gap <= 1e-3, f"{gap:.1e}")


def _note_tf32(bench: Bench, kind: str, model: nn.Module, exact: torch.Tensor) -> None:
    """Note how far the kernels that torch trains with are from float32."""
    model.eval()
    with torch.inference_mode():
        default = model(bench.few.normalize(bench.few.x_val))
    gap = float((default - exact).abs().max() / exact.abs().max())
    settings = f"{BACKENDS.cuda.matmul.fp32_precision}/{BACKENDS.cudnn.conv.fp32_precision}"
    note = f"matmul/conv precision: {settings}"
    bench.check(f"{kind} outputs by training's kernels", True, f"{gap:.1e}", note)


class _tf32:  # noqa: N801 - used as a function is
    """Asks for TF32 in all products while it is entered."""

    def __enter__(self) -> None:
        self.backends = (BACKENDS.cuda.matmul, BACKENDS.cudnn.conv)
        self.before = [backend.fp32_precision for backend in self.backends]
        for backend in self.backends:
            backend.fp32_precision = "tf32"

    def __exit__(self, *_: object) -> None:
        for backend, precision in zip(self.backends, self.before, strict=True):
            backend.fp32_precision = precision


def check_augmentation(bench: Bench) -> None:
    """Each augmentation acts on the device, and only as it is described."""
    images = bench.few.x_train[:64]
    for name in ("flip", "shift", "cutout"):
        with bench.checking(f"augment {name}"):
            augment = build_augment(name, images.shape[1:])
            assert augment is not None
            torch.manual_seed(3)
            changed = augment(images)
            torch.manual_seed(3)
            same = torch.equal(changed, augment(images))
            kept = changed.device == images.device and changed.shape == images.shape
            bench.check(f"augment {name} on the device, by the seed", same and kept)
            bench.check(f"augment {name} makes what it says", _is_made_of(name, images, changed))


def _is_made_of(name: str, images: torch.Tensor, changed: torch.Tensor) -> bool:
    """Return whether every image is one that the augmentation can make of the original."""
    if name == "flip":
        as_it_was = (changed == images).flatten(1).all(1)
        mirrored = (changed == images.flip(3)).flatten(1).all(1)
        return bool((as_it_was | mirrored).all()) and bool(as_it_was.any() and mirrored.any())
    if name == "cutout":
        return bool(((changed == images) | (changed == 0)).all())
    found = torch.zeros(len(images), dtype=torch.bool, device=images.device)
    most = round(images.shape[2] / 14)
    padded = nn.functional.pad(images, (most, most, most, most))
    height, width = images.shape[2:]
    for top in range(2 * most + 1):
        for left in range(2 * most + 1):
            moved = padded[:, :, top : top + height, left : left + width]
            found |= (changed == moved).flatten(1).all(1)
    return bool(found.all())


MEMBER_VALUES = (
    {"lr": 1e-3, "weight_decay": 0.0, "label_smoothing": 0.0},
    {"lr": 4e-3, "weight_decay": 0.01, "label_smoothing": 0.1, "lr_schedule": "cosine"},
    {"lr": 2e-3, "weight_decay": 0.1, "label_smoothing": 0.2, "epochs": 3},
)


def check_members(bench: Bench) -> None:
    """Stacked members equal trainings alone, with graphs and without, and can be resumed."""
    ways = (False, True) if bench.device.type == "cuda" else (False,)
    for graphs in ways:
        for optimizer, rates in optimizers(bench).items():
            for batch_norm in (False, True):
                label = f"members {optimizer}{' norm' * batch_norm}{' graphs' * graphs}"
                with bench.checking(label):
                    shared = {**rates, "optimizer": optimizer, "batch_norm": batch_norm}
                    _check_same_as_alone(bench, label, shared, graphs=graphs)
        label = f"members with dropout{' and graphs' * graphs}"
        with bench.checking(label):
            _check_streams(bench, label, graphs=graphs)


def _configs(shared: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """Return configs that differ in the rates, scaled so that each optimizer can use them."""
    base = {"widths": [32, 16], "epochs": 4, **shared, **more}
    factors = [values["lr"] / MEMBER_VALUES[0]["lr"] for values in MEMBER_VALUES]
    return [
        configure("fcn", **{**base, **values, "lr": shared["lr"] / 4 * factor})
        for values, factor in zip(MEMBER_VALUES, factors, strict=True)
    ]


def _check_same_as_alone(bench: Bench, label: str, shared: dict[str, Any], *, graphs: bool) -> None:
    members = build_members(_configs(shared), bench.device)
    alone = [copy.deepcopy(member.network) for member in members]
    expected = [
        list(train_epochs(network, bench.few, member.config, seed=member.seed))
        for network, member in zip(alone, members, strict=True)
    ]
    found = _train_members(MemberRun(members, bench.few, graphs=graphs))
    lengths = [len(found[number]) for number in range(len(members))]
    worst = max(
        abs(a - b)
        for number, results in enumerate(expected)
        for a, b in zip(losses(found[number]), losses(results), strict=True)
    )
    ok = worst <= MEMBER_TOLERANCE and lengths == [len(results) for results in expected]
    bench.check(f"{label} as alone", ok, f"loss {worst:.1e}")


def _train_members(run: MemberRun) -> dict[int, list[EpochResult]]:
    results: dict[int, list[EpochResult]] = {}
    while run.active:
        for number, result in run.next_epoch().items():
            results.setdefault(number, []).append(result)
    return results


def _check_streams(bench: Bench, label: str, *, graphs: bool) -> None:
    """A member with dropout learns, depends on no other member, and can be resumed."""
    configs = _configs({"lr": 4e-3}, dropout=0.3)
    whole = _train_members(
        MemberRun(build_members(configs, bench.device), bench.few, graphs=graphs)
    )
    learned = all(losses(results)[-2] < losses(results)[0] for results in whole.values())
    bench.check(f"{label} lower their losses", learned)
    fewer = MemberRun(build_members(configs, bench.device)[1:], bench.few, graphs=graphs)
    gap = _gap(_train_members(fewer)[0], whole[1])
    bench.check(f"{label} do not depend on each other", gap <= MEMBER_TOLERANCE, f"loss {gap:.1e}")
    run = MemberRun(build_members(configs, bench.device), bench.few, graphs=graphs)
    run.next_epoch()
    again = [
        Member(member.network, member.config, member.seed, run.state(number))
        for number, member in enumerate(build_members(configs, bench.device))
    ]
    resumed = _train_members(MemberRun(again, bench.few, graphs=graphs))
    gap = max(_gap(resumed[number], whole[number][1:]) for number in resumed)
    bench.check(f"{label} resumed", gap <= MEMBER_TOLERANCE, f"loss {gap:.1e}")


def _gap(results: list[EpochResult], others: list[EpochResult]) -> float:
    return max(abs(a - b) for a, b in zip(losses(results), losses(others), strict=True))


def check_full_memory(bench: Bench) -> None:
    """A training that needs more than the GPU has fails with a message, and the next one trains."""
    if bench.device.type != "cuda":
        bench.check("a training too large for the memory fails alone", True, note="no GPU")
        return
    torch.cuda.empty_cache()
    free_before = torch.cuda.mem_get_info()[0]
    # One batch of all images through so many layers that what they keep for the gradients, at
    # least three tensors each, is too much. Their weights would fit.
    examples, width = len(bench.data.x_train), 512
    layers = int(1.5 * free_before / (3 * 4 * width * examples))
    config = configure(
        "fcn",
        widths=[width] * layers,
        batch_norm=True,
        activation="gelu",
        dropout=0.1,
        batch_size=examples,
        epochs=1,
    )
    try:
        with readable_memory_errors():
            train(build("fcn", config, bench.device), bench.data, config)
        bench.check("a training too large for the memory fails alone", False, note="it did not")
    except DeviceMemoryError as error:
        bench.check("a training too large for the memory fails alone", True, note=str(error))
    lost = (free_before - torch.cuda.mem_get_info()[0]) / 2**30
    bench.check("its memory is free again", lost < 1, f"{lost:.2f} GiB less free than before")
    config = configure("fcn", **FCN_50K, epochs=1)
    train(build("fcn", config, bench.device), bench.few, config)
    bench.check("the next training trains", True)
