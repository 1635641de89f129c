"""Networks that a function of the user's own builds: counted before they are trained.

The function is called as `function(input_shape, outputs, **parameters)`, with the parameters that
its signature names, and returns an `nn.Module` that takes float (N, *input_shape) and gives
(N, outputs). To be counted it is called on torch's meta device, which has shapes and no numbers:
nothing is allocated or computed, whatever the size.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tune_app.config.parameters import TrainingParameters
from tune_app.config.parsing.fields import did_you_mean, show
from tune_app.config.user_functions import Function, is_function, load_function
from tune_app.errors import BuildError, FunctionError
from tune_app.models.plan import NetworkPlan, Shape

if TYPE_CHECKING:
    from torch import nn

T = TypeVar("T")
FIXED_ARGUMENTS = ("input_shape", "outputs")  # what the function is called with beside parameters
SOLVED_NAME = "fill"  # in a trial's configuration: the parameter that its budget decided
LARGEST_FILL = 2**20
_TOLD = 300  # characters of what a function raised


@dataclass(frozen=True)
class UserModel:
    """A function that builds networks, as a search file's `model` names it.

    `fill` names the integer parameter that a budget solves.
    """

    reference: str
    function: Function
    fill: str | None = None
    # What was counted already: of a network, a plan, or its weights, or why there is none.
    _counted: dict[str, NetworkPlan | int | str] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _solved: dict[int, int] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def _signature(self) -> inspect.Signature:
        return inspect.signature(self.function)

    @property
    def _takes_any(self) -> bool:
        return any(p.kind is p.VAR_KEYWORD for p in self._signature.parameters.values())

    def check(self, names: Iterable[str], *, others_read: bool = False) -> None:
        """Check the function's signature against the parameters of a search file.

        With `others_read`, a parameter that it does not take may be meant for a training function.

        Raises:
            FunctionError: It cannot be called with what there is, or nothing reads a parameter.
        """
        parameters = self._signature.parameters
        for name in FIXED_ARGUMENTS:
            if name not in parameters and not self._takes_any:
                raise FunctionError(
                    f"{self.reference} takes no {name}: it is called as "
                    "function(input_shape, outputs, **parameters)"
                )
        named = {*names, *([self.fill] if self.fill else [])}
        own = [name for name in parameters if name not in FIXED_ARGUMENTS]
        for name in sorted(named - TrainingParameters.model_fields.keys() - {*own}):
            if not self._takes_any and not (others_read and name != self.fill):
                raise FunctionError(
                    f"parameters.{name}: {self.reference} does not take it, and nothing else "
                    f"reads it{did_you_mean(name, own) or '; remove it'}"
                )
        for name in own:
            parameter = parameters[name]
            if parameter.kind is parameter.POSITIONAL_ONLY:
                raise FunctionError(f"{self.reference} must take {name} by its name")
            required = parameter.default is parameter.empty and parameter.kind in (
                parameter.POSITIONAL_OR_KEYWORD,
                parameter.KEYWORD_ONLY,
            )
            if required and name not in {*named, *TrainingParameters.model_fields}:
                raise FunctionError(
                    f"parameters.{name} is missing: {self.reference} has no default for it"
                )

    def arguments(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what of a trial's configuration the function is called with."""
        takes = self._signature.parameters
        return {
            name: value
            for name, value in config.items()
            if name in takes
            or (
                self._takes_any
                and name != SOLVED_NAME
                and name not in TrainingParameters.model_fields
            )
        }

    def call(self, config: Mapping[str, Any], input_shape: Shape, outputs: int) -> nn.Module:
        """Return what the function builds, initialised from torch's global generator.

        Raises:
            BuildError: It raised an error, or gave no module that fits the data.
        """
        import torch
        from torch import nn
        from torch.nn.parameter import is_lazy

        arguments = self.arguments(config)
        with self._blamed(arguments):
            network = self.function(input_shape=input_shape, outputs=outputs, **arguments)
        if not isinstance(network, nn.Module):
            raise BuildError(f"{self.reference} gave {show(network)}, expected an nn.Module")
        if any(is_lazy(weight) for weight in network.parameters()):
            with self._blamed(arguments), torch.no_grad():
                network.eval()(torch.zeros(2, *input_shape))
            network.train()
        return network

    def _blamed(self, arguments: Mapping[str, Any]) -> _BlameOnFunction:
        return _BlameOnFunction(self.reference, arguments)

    def plan(self, config: Mapping[str, Any], input_shape: Shape, outputs: int) -> NetworkPlan:
        """Return what the function would build, with its exact weights; remembered.

        Raises:
            BuildError: As `call`, or what it builds does not give (N, outputs).
        """
        plan = self._remembered("plan", self._plan, config, input_shape, outputs)
        assert isinstance(plan, NetworkPlan)
        return plan

    def weights(self, config: Mapping[str, Any], input_shape: Shape, outputs: int) -> int:
        """Return the weights of what the function builds, whatever it gives; remembered."""
        weights = self._remembered("weights", self._weights, config, input_shape, outputs)
        assert isinstance(weights, int)
        return weights

    def _remembered(
        self,
        what: str,
        count: Callable[[Mapping[str, Any], Shape, int], NetworkPlan | int],
        config: Mapping[str, Any],
        input_shape: Shape,
        outputs: int,
    ) -> NetworkPlan | int:
        key = json.dumps([what, self.arguments(config), input_shape, outputs], sort_keys=True)
        if key not in self._counted:
            try:
                self._counted[key] = count(config, input_shape, outputs)
            except BuildError as error:
                self._counted[key] = str(error)
        counted = self._counted[key]
        if isinstance(counted, str):
            raise BuildError(counted)
        return counted

    def _weights(self, config: Mapping[str, Any], input_shape: Shape, outputs: int) -> int:
        from tune_app.models.weights import count_weights

        return self._on_meta(config, input_shape, outputs, count_weights)

    def _plan(self, config: Mapping[str, Any], input_shape: Shape, outputs: int) -> NetworkPlan:
        from tune_app.models.weights import LayerCosts

        def pass_through(network: nn.Module) -> LayerCosts:
            with self._blamed(self.arguments(config)):
                return LayerCosts.of(network, input_shape)

        costs = self._on_meta(config, input_shape, outputs, pass_through)
        if costs.out_shape != (outputs,):
            raise BuildError(
                f"{self.reference} gives {costs.out_shape} for each example, expected ({outputs},)"
            )
        return NetworkPlan(self.reference, tuple(input_shape), outputs, costs.layers)

    def _on_meta(
        self,
        config: Mapping[str, Any],
        input_shape: Shape,
        outputs: int,
        count: Callable[[nn.Module], T],
    ) -> T:
        """Return `count` of the network; of a real one if it asks for numbers on the way."""
        import torch

        try:
            with torch.device("meta"):
                return count(self.call(config, input_shape, outputs))
        except BuildError:
            with torch.random.fork_rng(devices=[]):
                return count(self.call(config, input_shape, outputs))

    def solve(
        self,
        config: Mapping[str, Any],
        input_shape: Shape,
        outputs: int,
        *,
        budget: int,
        max_macs: int | None,
    ) -> dict[str, Any]:
        """Return the largest `fill` whose network has at most `budget` weights, by bisection.

        The weights must not fall where it rises. What the network is called with, by name; and
        the name itself, as `fill`.

        Raises:
            BuildError: At 1 the network is over a limit already, or cannot be built; or the
                parameter does not decide its size.
        """
        name = self.fill
        assert name is not None

        def holds(value: int) -> bool:
            own = {**config, name: value}
            if max_macs is None:  # spares the pass through the network
                return self.weights(own, input_shape, outputs) <= budget
            planned = self.plan(own, input_shape, outputs)
            return planned.weights <= budget and planned.macs <= max_macs

        # What the last network of this budget had is close to what this one will have.
        near = self._solved.get(budget, 1)
        low, high = (near, near + 1) if holds(near) else (0, near)
        while low and holds(high):
            low, high = high, 2 * high
            if high > LARGEST_FILL:
                size = self.weights({**config, name: low}, input_shape, outputs)
                raise BuildError(
                    f"fill: with {name}: {low:,} the network still has {size:,} weights, so "
                    f"{name} does not decide its size"
                )
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if holds(middle) else (low, middle)
        if low == 0:
            smallest = self.plan({**config, name: 1}, input_shape, outputs)
            what, least, most = (
                ("weights", smallest.weights, budget)
                if smallest.weights > budget
                else ("multiply-adds per image", smallest.macs, max_macs or 0)
            )
            raise BuildError(
                f"with {name}: 1 the network already has {least:,} {what}, above the limit of "
                f"{most:,}"
            )
        self._solved[budget] = low
        return {name: low, SOLVED_NAME: name}


class _BlameOnFunction:
    """A context in which any error becomes a BuildError that names the function."""

    def __init__(self, reference: str, arguments: Mapping[str, Any]) -> None:
        self.reference, self.arguments = reference, arguments

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, Exception):
            return
        said = " ".join(str(error).split())
        given = ", ".join(f"{name}: {show(value)}" for name, value in self.arguments.items())
        raise BuildError(
            f"{self.reference}{f' with {given}' if given else ''} raised "
            f"{type(error).__name__}: {said[:_TOLD]}"
        ) from error


Model = str | UserModel  # fcn, cnn, or what a function builds


def find_model(name: str, fill: str | None, folders: Sequence[Path]) -> Model:
    """Return the model that a search file names; a function is loaded from one of `folders`.

    Raises:
        FunctionError: There is none.
    """
    if not is_function(name):
        return name
    return UserModel(name, load_function(name, folders), fill)
