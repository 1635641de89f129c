"""The importance of parameters, which `sweep` computes and `report` draws."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Importance:
    """The importance of each parameter among the trials drawn for one budget.

    `shares` add up to 1, the largest first; if there are none, `reason` says why. `left_out` gives
    the reason for each parameter without a share.
    """

    method: str  # "fanova", "ped-anova"
    budget: int | None
    trials: int  # that had a result
    shares: Mapping[str, float] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None
