"""Train many networks of one architecture together, with the same kernels.

A small network leaves a GPU idle most of the time: starting a kernel takes longer than computing
it. Here the networks' weights are stacked along a new first axis, and each kernel computes all of
them at once.
"""

from tune_app.training.members.member_run import Member, MemberRun
from tune_app.training.members.stacked_network import stack_key

__all__ = ["Member", "MemberRun", "stack_key"]
