"""Count and build networks with a user's function.

The function is called as `function(input_shape, outputs, **parameters)`, with the parameters that
its signature names, and returns an `nn.Module` that takes float (N, *input_shape) and returns
(N, outputs). To count a network, the function is called on torch's meta device, where tensors
have shapes but no values: nothing is allocated or computed, whatever the size.
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
from tune_app.config.parsing.fields import show
from tune_app.config.parsing.similar_names import proposal
from tune_app.config.trial_config import TrialConfig
from tune_app.config.user_functions import Function, is_function, load_function
from tune_app.errors import BuildError, FunctionError
from tune_app.models.network_plan import NetworkPlan, Shape

if TYPE_CHECKING:
    from torch import nn

T = TypeVar("T")
FIXED_ARGUMENTS = ("input_shape", "outputs")  # passed in every call, besides parameters
SOLVED_NAME = "fill"  # a trial's configuration holds here the name of the solved parameter
LARGEST_FILL = 2**20
_MAX_MESSAGE = 300  # characters of a user function's error that a message repeats


@dataclass(frozen=True)
class UserModel:
    """A user's function that builds networks, named by `model` in a search file.

    `fill` names the integer parameter that fill mode solves from a budget.
    """

    reference: str
    function: Function
    fill: str | None = None
    # Results of earlier calls: a plan, a number of weights, or the text of a BuildError.
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

        With `others_read`, parameters that this function does not take are allowed, because a
        training function may read them.

        Raises:
            FunctionError: The function needs an argument that the file lacks, or nothing reads one
                of the file's parameters.
        """
        parameters = self._signature.parameters
        for name in FIXED_ARGUMENTS:
            if name not in parameters and not self._takes_any:
                raise FunctionError(
                    f"{self.reference} does not take the argument {name}; it is called as "
                    "function(input_shape, outputs, **parameters)"
                )
        named = {*names, *([self.fill] if self.fill else [])}
        taken = [name for name in parameters if name not in FIXED_ARGUMENTS]
        for name in sorted(named - TrainingParameters.model_fields.keys() - {*taken}):
            if not self._takes_any and not (others_read and name != self.fill):
                raise FunctionError(
                    f"parameters.{name}: {self.reference} does not take it, and nothing else "
                    f"reads it{proposal(name, taken) or '; remove it'}"
                )
        for name in taken:
            parameter = parameters[name]
            if parameter.kind is parameter.POSITIONAL_ONLY:
                raise FunctionError(
                    f"{self.reference} takes {name} by position only; it must accept {name} as a "
                    "keyword argument"
                )
            required = parameter.default is parameter.empty and parameter.kind in (
                parameter.POSITIONAL_OR_KEYWORD,
                parameter.KEYWORD_ONLY,
            )
            if required and name not in {*named, *TrainingParameters.model_fields}:
                raise FunctionError(
                    f"parameters.{name} is missing: {self.reference} has no default for it"
                )

    def arguments(self, config: TrialConfig) -> dict[str, Any]:
        """Return the values of a trial's configuration that the function takes, by name."""
        takes = self._signature.parameters
        return {
            name: value
            for name, value in config.to_json().items()
            if name in takes
            or (
                self._takes_any
                and name != SOLVED_NAME
                and name not in TrainingParameters.model_fields
            )
        }

    def call(self, config: TrialConfig, input_shape: Shape, outputs: int) -> nn.Module:
        """Return the network that the function builds, seeded by torch's global generator.

        Raises:
            BuildError: The function raised an error or did not return an nn.Module.
        """
        import torch
        from torch import nn
        from torch.nn.parameter import is_lazy

        arguments = self.arguments(config)
        with self._blamed(arguments):
            network = self.function(input_shape=input_shape, outputs=outputs, **arguments)
        if not isinstance(network, nn.Module):
            raise BuildError(f"{self.reference} returned {show(network)}, expected an nn.Module")
        if any(is_lazy(weight) for weight in network.parameters()):
            with self._blamed(arguments), torch.no_grad():
                network.eval()(torch.zeros(2, *input_shape))
            network.train()
        return network

    def _blamed(self, arguments: Mapping[str, Any]) -> _BlameOnFunction:
        return _BlameOnFunction(self.reference, arguments)

    def plan(self, config: TrialConfig, input_shape: Shape, outputs: int) -> NetworkPlan:
        """Return the plan of the network that the function would build; cached.

        Raises:
            BuildError: `call` fails, or the network does not return (N, outputs).
        """
        plan = self._remembered("plan", self._plan, config, input_shape, outputs)
        assert isinstance(plan, NetworkPlan)
        return plan

    def weights(self, config: TrialConfig, input_shape: Shape, outputs: int) -> int:
        """Return the number of weights of the network, without a forward pass; cached."""
        weights = self._remembered("weights", self._weights, config, input_shape, outputs)
        assert isinstance(weights, int)
        return weights

    def _remembered(
        self,
        what: str,
        count: Callable[[TrialConfig, Shape, int], NetworkPlan | int],
        config: TrialConfig,
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

    def _weights(self, config: TrialConfig, input_shape: Shape, outputs: int) -> int:
        from tune_app.models.built_weights import count_weights

        return self._on_meta(config, input_shape, outputs, count_weights)

    def _plan(self, config: TrialConfig, input_shape: Shape, outputs: int) -> NetworkPlan:
        from tune_app.models.built_weights import LayerCosts

        def pass_through(network: nn.Module) -> LayerCosts:
            with self._blamed(self.arguments(config)):
                return LayerCosts.of(network, input_shape)

        costs = self._on_meta(config, input_shape, outputs, pass_through)
        if costs.out_shape != (outputs,):
            raise BuildError(
                f"{self.reference} builds a network that returns {costs.out_shape} for each "
                f"example, expected ({outputs},)"
            )
        return NetworkPlan(self.reference, tuple(input_shape), outputs, costs.layers)

    def _on_meta(
        self,
        config: TrialConfig,
        input_shape: Shape,
        outputs: int,
        count: Callable[[nn.Module], T],
    ) -> T:
        """Return `count(network)`, for a network on the meta device if the function allows it.

        A function that computes with actual numbers (say, of a weight) fails on the meta device;
        it is then called again on the CPU, without disturbing torch's random numbers.
        """
        import torch

        try:
            with torch.device("meta"):
                return count(self.call(config, input_shape, outputs))
        except BuildError:
            with torch.random.fork_rng(devices=[]):
                return count(self.call(config, input_shape, outputs))

    def solve(
        self,
        config: TrialConfig,
        input_shape: Shape,
        outputs: int,
        *,
        budget: int,
        max_macs: int | None,
    ) -> TrialConfig:
        """Return `config` with the largest value of the `fill` parameter within the limits.

        It is found by bisection, so the number of weights must not decrease as the parameter
        increases. The name of the parameter is added as `fill`.

        Raises:
            BuildError: With the value 1 the network is over a limit or cannot be built; or the
                parameter does not decide the network's size.
        """
        name = self.fill
        assert name is not None

        def holds(value: int) -> bool:
            filled = config.with_user_values(**{name: value})
            if max_macs is None:  # counting weights alone needs no forward pass
                return self.weights(filled, input_shape, outputs) <= budget
            planned = self.plan(filled, input_shape, outputs)
            return planned.weights <= budget and planned.macs <= max_macs

        # Start from the last solution for this budget, which is often close. First double the
        # upper end until it no longer holds, then halve the interval: `low` always holds (or is
        # 0), `high` never does.
        near = self._solved.get(budget, 1)
        low, high = (near, near + 1) if holds(near) else (0, near)
        while low and holds(high):
            low, high = high, 2 * high
            if high > LARGEST_FILL:
                size = self.weights(config.with_user_values(**{name: low}), input_shape, outputs)
                raise BuildError(
                    f"fill: with {name} = {low:,} the network still has {size:,} weights, so "
                    f"{name} does not decide its size; name another parameter in fill"
                )
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if holds(middle) else (low, middle)
        if low == 0:
            smallest = self.plan(config.with_user_values(**{name: 1}), input_shape, outputs)
            what, least, most = (
                ("weights", smallest.weights, budget)
                if smallest.weights > budget
                else ("multiply-adds per image", smallest.macs, max_macs or 0)
            )
            raise BuildError(
                f"with {name} = 1 the network already has {least:,} {what}, above the limit of "
                f"{most:,}"
            )
        self._solved[budget] = low
        return config.with_user_values(**{name: low, SOLVED_NAME: name})


class _BlameOnFunction:
    """A context that turns any error into a BuildError that names the user's function."""

    def __init__(self, reference: str, arguments: Mapping[str, Any]) -> None:
        self.reference, self.arguments = reference, arguments

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, Exception):
            return
        text = " ".join(str(error).split())[:_MAX_MESSAGE]
        values = ", ".join(f"{name}: {show(value)}" for name, value in self.arguments.items())
        raise BuildError(
            f"{self.reference}{f' with {values}' if values else ''} raised "
            f"{type(error).__name__}: {text}"
        ) from error


Model = str | UserModel  # "fcn", "cnn", or a user's function


def find_model(name: str, fill: str | None, folders: Sequence[Path]) -> Model:
    """Return the model that a search file names; load a user's function from one of `folders`.

    Raises:
        FunctionError: No such function is found.
    """
    if not is_function(name):
        return name
    return UserModel(name, load_function(name, folders), fill)
