"""A search space with conditions on conditions, sizes among them: what a filter may miss."""

NESTED = """
name: nested
dataset: {name: digits}
model: cnn
budgets: [1k, 3k, 9k]
parameters:
  conv_layers: {int: [1, 3]}
  channels: {int: [2, 32], log: true}
  channel_growth: {float: [1.0, 2.5]}
  kernel_size: {choice: [3, 5]}
  padding: {choice: [same, 0]}
  head: {choice: [flatten, gap]}
  head_widths: {choice: [[], [16], [64, 32]], when: {head: [flatten]}}
  conv: {choice: [standard, separable]}
  dropout: {float: [0.0, 0.5], when: {head: [flatten]}}
  optimizer: {choice: [adam, sgd]}
  momentum: {float: [0.5, 0.99], when: {optimizer: [sgd]}}
  nesterov: {choice: [true, false], when: {optimizer: [sgd], head: [flatten]}}
  lr: {float: [1e-4, 1e-1], log: true}
  epochs: 5
"""

DIGITS = ((1, 8, 8), 10)  # input shape, classes
