"""Many trainings of one architecture as one program.

A small network leaves a GPU idle most of the time: starting a kernel takes longer than computing
it. Here the networks' weights are stacked along a new first axis, and each kernel computes all of
them at once.
"""

from tune_app.training.members.network import stack_key
from tune_app.training.members.run import Member, MemberRun

__all__ = ["Member", "MemberRun", "stack_key"]
