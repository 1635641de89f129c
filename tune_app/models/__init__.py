"""Plan, count and build networks from plain arguments."""

from tune_app.models.fill import fill_widths
from tune_app.models.network import build_network, plan_network
from tune_app.models.network_plan import LayerPlan, NetworkPlan
from tune_app.models.user_networks import Model, UserModel, find_model

__all__ = [
    "LayerPlan",
    "Model",
    "NetworkPlan",
    "UserModel",
    "build_network",
    "fill_widths",
    "find_model",
    "plan_network",
]
