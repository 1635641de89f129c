"""Random sweeps that are right in every way, as plain data; for property tests."""

from hypothesis import strategies as st

WORDS = st.text(st.characters(min_codepoint=32, exclude_categories=("C", "Z")), max_size=20)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
SEEDS = st.integers(0, 2**32 - 1)


def floats(low, high):
    return st.floats(low, high, allow_nan=False, exclude_min=True, exclude_max=True)


@st.composite
def ranges(draw, kind, ends, *, log=True):
    low, high = sorted((draw(ends), draw(ends)))
    spelled = {kind: [low, high]}
    if log and low > 0 and draw(st.booleans()):
        spelled["log"] = True
    return spelled


def choices(values):
    listed = st.lists(values, min_size=1, max_size=4, unique_by=repr)
    return st.builds(lambda items: {"choice": items}, listed)


@st.composite
def parameters(draw, *, fill):
    """Return the parameters of an FCN, with conditions of every kind."""
    whole = st.integers(1, 1000)
    found = {
        "layers": draw(st.one_of(st.integers(2, 9), ranges("int", st.integers(2, 9)))),
        "optimizer": draw(choices(st.sampled_from(["sgd", "rmsprop"]))),
        "epochs": draw(whole),
    }
    optional = {
        "lr": st.one_of(floats(0, 1), ranges("float", floats(1e-9, 1))),
        "dropout": st.one_of(floats(0, 1), choices(floats(0, 1))),
        "batch_size": st.sampled_from([2, {"choice": [64, 32]}, {"int": [16, 64], "step": 16}]),
        "patience": st.one_of(st.none(), whole, choices(st.one_of(st.none(), whole))),
        "augment": choices(st.sampled_from(["none", "flip", ["flip", "shift"], ["cutout"]])),
        "batch_norm": st.one_of(st.booleans(), choices(st.booleans())),
        "taper": st.just({"float": [0.1, 0.5], "step": 0.1}),
    }
    if not fill:
        optional["width"] = ranges("int", whole)
    for name, values in optional.items():
        if draw(st.booleans()):
            found[name] = draw(values)
    if draw(st.booleans()):
        accepted = draw(st.lists(st.sampled_from(found["optimizer"]["choice"]), min_size=1))
        kind = draw(st.sampled_from([{"value": 0.9}, {"float": [0.5, 0.9]}, {"choice": [0.1]}]))
        found["momentum"] = {**kind, "when": {"optimizer": accepted}}
        found["weight_decay"] = {"value": 0.1, "when": {"momentum": 0.9}}
        if "value" not in kind:
            del found["weight_decay"]
    return found


@st.composite
def sweeps(draw):
    budgets = draw(st.lists(st.integers(1, 10**7), unique=True, max_size=4))
    fill = bool(budgets) and draw(st.booleans())
    sweep = {
        "name": draw(NAMES),
        "dataset": {
            "name": "images",
            "path": draw(WORDS.filter(lambda text: text and "${" not in text)),
            "validation": draw(st.one_of(floats(0, 1), st.integers(1, 999))),
            "seed": draw(SEEDS),
        },
        "model": "fcn",
        "budgets": budgets,
        "budget_mode": "fill" if fill else "cap",
        "parameters": draw(parameters(fill=fill)),
    }
    optional = {
        "max_macs": st.integers(1, 10**9),
        "objective": st.sampled_from([{"metric": "val_loss"}, {"mode": "maximize"}]),
        "search": st.fixed_dictionaries(
            {"seed": SEEDS},
            optional={
                "sampler": st.sampled_from(["tpe", "random"]),
                "time_limit": st.one_of(floats(0, 1e6), st.sampled_from(["30m", "1h30m", "90s"])),
                "start_with": st.just([{"epochs": sweep["parameters"]["epochs"]}, {}]),
            },
        ),
        "resources": st.fixed_dictionaries(
            {}, optional={"gpus_per_trial": floats(0, 8), "trial_time_limit": floats(0, 1e6)}
        ),
        "final": st.sampled_from([None, {}, {"top": 2}]),
        "baselines": st.just([{"model": "knn", "k": [1, 3]}, {"model": "ridge"}]),
        "record": st.just({"weights_every": 3}),
    }
    for key, values in optional.items():
        if draw(st.booleans()):
            sweep[key] = draw(values)
    return sweep
