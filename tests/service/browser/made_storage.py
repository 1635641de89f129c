"""A storage of made-up sweeps for the tests of pages."""

from pathlib import Path

from made_sweeps import REGRESSION, classes_text, make_sweep

from tune_app.results.store import open_store

WORDS = """
name: words
dataset: {name: digits}
model: nets:shapes
parameters:
  layers: {int: [1, 3]}
  lr: {float: [1e-4, 1e-1], log: true}
  activation: {choice: [relu, tanh, gelu]}
  label: {choice: ["a b", "c,d", "e|f"]}
  epochs: 27
"""
LONG_NAME = "a_sweep_with_a_very_long_name_of_sixty_four_characters_in_all_so"


def fill_storage(folder: Path) -> None:
    """Write `made` with budgets, two regressions, and `words` with odd categories."""
    store = open_store(folder)
    make_sweep(store, classes_text("made"), 40, final=True)
    make_sweep(store, REGRESSION, 12, seed=1)
    make_sweep(store, WORDS, 30, seed=2)
    make_sweep(store, REGRESSION.replace("curve", "outlier"), 12, seed=1)
    store.update_trial("outlier", "t0001", val_loss=500.0)
    store.update_sweep("curve", refused={"all": 3})
    store.close()
