"""One step of stacked networks, from the order of the examples to the changed weights."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from tune_app.config.parameters import TrainingParameters
from tune_app.training.loop import TrainingData, batch_plan
from tune_app.training.members.dropout_noise import DropoutNoise
from tune_app.training.members.stacked_network import StackedNetwork
from tune_app.training.members.stacked_optimizers import StackedOptimizer

GRAPH_WARM_UPS = 3  # as PyTorch's documentation of CUDA graphs advises
CLIP_EPSILON = 1e-6  # as in torch.nn.utils.clip_grads_with_norm_


class StackedStep:
    """The steps of an epoch, which read their inputs from tables on the device and write to others.

    A step finds its place in the tables by a counter that is on the device too. So all steps of an
    epoch are the same program, which `graphs` records once and replays.
    """

    def __init__(
        self,
        network: StackedNetwork,
        optimizer: StackedOptimizer,
        noise: DropoutNoise,
        data: TrainingData,
        inputs: Tensor,
        trainings: Sequence[TrainingParameters],
        *,
        graphs: bool,
    ) -> None:
        self.network, self.optimizer, self.noise, self.data = network, optimizer, noise, data
        self.loss = StackedLoss(trainings, network.table)
        device, members = network.table.device, len(trainings)
        size, self.count, steps = batch_plan(trainings[0], len(data.x_train))
        self.clips = any(training.grad_clip for training in trainings)
        limits = [float(training.grad_clip or "inf") for training in trainings]
        self.limits = torch.tensor(limits, device=device)
        self.inputs = inputs  # the data set's, or the same normalised
        self.number = torch.zeros(1, dtype=torch.long, device=device)
        self.orders = torch.zeros(steps, members, size, dtype=torch.int32, device=device)
        self.coefficients = torch.zeros(steps, 3, members, device=device)
        self.outputs = torch.zeros(steps, members, size, data.outputs, device=device)
        self.norms = torch.zeros(steps, members, device=device)
        self.with_graphs = graphs
        self._graphs: dict[int, torch.cuda.CUDAGraph] = {}

    def begin_epoch(self, orders: Tensor, coefficients: Tensor) -> None:
        """Set the order of examples of each network, `(K, count)`, and the optimizer's rates."""
        steps, members, size = self.orders.shape
        padded = F.pad(orders, (0, steps * size - self.count))
        self.orders.copy_(padded.view(members, steps, size).transpose(0, 1))
        self.coefficients.copy_(coefficients)
        self.number.zero_()

    def run(self, number: int, *, is_sample: bool) -> None:
        """Take the step with this number; if it is sampled, store the norms of its gradients."""
        size = min(self.orders.shape[2], self.count - number * self.orders.shape[2])
        self.noise.prepare(number, size)
        if not self.with_graphs:
            self._take(size, with_norms=is_sample or self.clips)
            return
        if size not in self._graphs:
            self._graphs[size] = self._record(size)
        self._graphs[size].replay()

    def seen(self) -> tuple[Tensor, Tensor]:
        """Return the epoch's outputs `(K, count, outputs)`, from before each step, and targets."""
        outputs = self.outputs.transpose(0, 1).flatten(1, 2)[:, : self.count]
        rows = self.orders.transpose(0, 1).flatten(1)[:, : self.count]
        return outputs, self.data.y_train[rows.long()]

    def _take(self, size: int, *, with_norms: bool) -> None:
        number = self.number
        rows = self.orders.index_select(0, number)[0, :, :size]
        inputs = self.inputs.index_select(0, rows.flatten())
        if self.inputs is self.data.x_train:
            inputs = self.data.normalize(inputs)
        targets = self.data.y_train.index_select(0, rows.flatten())
        noise = self.noise.of_step(number, size)
        targets = targets.view(*rows.shape, *targets.shape[1:])
        outputs = self.network(inputs.view(*rows.shape, *inputs.shape[1:]), noise)
        gradients = self.network.gradients(self.loss(outputs, targets).sum())
        self.outputs[:, :, :size].index_copy_(0, number, outputs.detach()[None])
        if with_norms:
            norms = torch.linalg.vector_norm(gradients, dim=1)
            self.norms.index_copy_(0, number, norms[None])
            if self.clips:
                gradients.mul_((self.limits / (norms + CLIP_EPSILON)).clamp(max=1.0)[:, None])
        coefficients = self.coefficients.index_select(0, number)[0]
        self.optimizer.step(self.network.table, gradients, coefficients)
        number += 1

    def _record(self, size: int) -> torch.cuda.CUDAGraph:
        """Record a CUDA graph of a step of this many examples, and undo the steps this takes."""
        changing = [self.network.table, *self.network.buffers.values(), self.number]
        changing += [*self.optimizer.slots.values(), self.outputs, self.norms]
        before = [tensor.detach().clone() for tensor in changing]
        first = self.number.clone()
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(GRAPH_WARM_UPS):
                self._take(size, with_norms=True)
                self.number.copy_(first)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._take(size, with_norms=True)
        with torch.no_grad():
            for tensor, value in zip(changing, before, strict=True):
                tensor.copy_(value)
        return graph


class StackedLoss:
    """The loss of `evaluate.build_loss` for many networks, each with its own label smoothing."""

    def __init__(self, trainings: Sequence[TrainingParameters], like: Tensor) -> None:
        self.name = trainings[0].loss
        smoothing = [float(training.label_smoothing) for training in trainings]
        self.is_smoothing = any(smoothing)
        self.smoothing = like.new_tensor(smoothing)[:, None]

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return each network's mean over its batch, `(K,)`, of outputs `(K, B, outputs)`."""
        if targets.is_floating_point():
            return (outputs - targets).square().mean((1, 2))
        if self.name != "cross_entropy":
            one_hot = F.one_hot(targets, outputs.shape[2]).to(outputs.dtype)
            return (outputs.softmax(2) - one_hot).square().mean((1, 2))
        logs = outputs.log_softmax(2)
        losses = -logs.gather(2, targets[..., None])[..., 0]
        if self.is_smoothing:
            losses = torch.lerp(losses, -logs.mean(2), self.smoothing)
        return losses.mean(1)
