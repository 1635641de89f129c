"""What the tests of the dashboard in a browser share."""

import shutil

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
SOURCE = """\
name: seen
dataset: {name: digits, validation: 0.2}
model: fcn
budgets: [1k, 3k]
parameters:
  layers: 1
  width: {int: [2, 30], log: true}
  optimizer: {choice: [adam, sgd]}
  lr: {float: [1e-3, 1e-1], log: true}
  batch_norm: {choice: [true, false]}
  epochs: EPOCHS
search: {sampler: random, trials: TRIALS, seed: 1}
scheduler: {type: none}
resources: {max_concurrent: 1}
"""


def search_file(name: str, trials: int, epochs: int) -> str:
    text = SOURCE.replace("EPOCHS", str(epochs)).replace("TRIALS", str(trials))
    return text.replace("name: seen", f"name: {name}", 1)


def address(page) -> str:
    """Return where the page is now; `page.url` is what the last navigation said."""
    return str(page.evaluate("location.href"))


def column(page, heading: str) -> list[str]:
    heads = [text.strip() for text in page.locator("table.trials thead th").all_text_contents()]
    place = heads.index(heading) + 1
    return page.locator(f"table.trials tbody td:nth-child({place})").all_text_contents()
