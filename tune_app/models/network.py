"""Plan or build the network of a trial's configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tune_app.config.parameters import FcnParameters
from tune_app.config.trial_config import TrialConfig
from tune_app.config.user_functions import is_function
from tune_app.errors import BuildError
from tune_app.models.cnn import plan_cnn
from tune_app.models.fcn import plan_fcn
from tune_app.models.network_plan import NetworkPlan, Shape
from tune_app.models.user_networks import Model, UserModel

if TYPE_CHECKING:
    from torch import nn

FCN_OPTIONS = ("activation", "batch_norm", "dropout")
CNN_OPTIONS = (
    *("kernel_size", "padding", "conv", "residual", "pool", "pool_every"),
    *("head", "head_widths", "activation", "batch_norm", "dropout", "conv_dropout"),
)


def plan_network(
    model: Model, config: TrialConfig, input_shape: Shape, outputs: int
) -> NetworkPlan:
    """Return the plan of the network that `config` describes.

    Imports torch only for a user's model, which must be called to be planned.

    Raises:
        BuildError: No such network can be built.
    """
    if isinstance(model, UserModel):
        return model.plan(config, input_shape, outputs)
    if is_function(model):
        raise BuildError(f"the network is built by {model}, which was not loaded; load it first")
    network = config.network
    if isinstance(network, FcnParameters):
        options = {name: getattr(network, name) for name in FCN_OPTIONS}
        return plan_fcn(input_shape, config.layer_sizes, outputs, **options)
    options = {name: getattr(network, name) for name in CNN_OPTIONS}
    return plan_cnn(input_shape, config.layer_sizes, outputs, **options)


def build_network(model: Model, config: TrialConfig, input_shape: Shape, outputs: int) -> nn.Module:
    """Return the network that `config` describes, initialised from torch's global generator."""
    if isinstance(model, UserModel):
        return model.call(config, input_shape, outputs)
    from tune_app.models.build import build_plan  # here, because planning must not import torch

    plan = plan_network(model, config, input_shape, outputs)
    assert config.network is not None
    return build_plan(plan, config.network.weight_init)
