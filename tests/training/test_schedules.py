import pytest
import torch
from torch.optim import lr_scheduler

from tune_app.config.parameters import TrainingParameters
from tune_app.training.optimizers import SGD
from tune_app.training.schedules import learning_rate

EPOCHS, STEPS = 12, 5  # per epoch


def curve(**values):
    training = TrainingParameters(**{"lr": 0.2, "lr_gamma": 0.5, "epochs": EPOCHS, **values})
    return [learning_rate(training, step, STEPS) for step in range(EPOCHS * STEPS)]


def torch_curve(make_scheduler):
    """Return the rates of one of torch's schedulers, one step after the other."""
    optimizer = SGD([torch.zeros(1)], lr=0.2)
    scheduler = make_scheduler(optimizer)
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(EPOCHS * STEPS - 1):
        optimizer.step()
        scheduler.step()
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


THEIRS = {
    "constant": lambda o: lr_scheduler.ConstantLR(o, factor=1.0),
    "exponential": lambda o: lr_scheduler.LambdaLR(o, lambda step: 0.5 ** (step // STEPS)),
    "step": lambda o: lr_scheduler.MultiStepLR(o, [6 * STEPS, 9 * STEPS], gamma=0.5),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, EPOCHS * STEPS),
    "one_cycle": lambda o: lr_scheduler.OneCycleLR(
        o, 0.2, total_steps=EPOCHS * STEPS, cycle_momentum=False
    ),
}


@pytest.mark.parametrize("name", THEIRS)
def test_schedules_are_those_of_torch(name):
    assert curve(lr_schedule=name) == pytest.approx(torch_curve(THEIRS[name]))


@pytest.mark.parametrize("name", ["constant", "exponential", "step", "cosine"])
def test_warmup_rises_in_equal_steps_and_the_schedule_follows(name):
    warm = curve(lr_schedule=name, warmup_epochs=2)
    assert warm[:10] == pytest.approx([0.02 * step for step in range(1, 11)])
    training = TrainingParameters(lr=0.2, lr_gamma=0.5, lr_schedule=name, epochs=10)
    assert warm[10:] == [learning_rate(training, step, STEPS) for step in range(50)]


@pytest.mark.parametrize("name", THEIRS)
def test_a_training_of_one_step_has_a_rate(name):
    training = TrainingParameters(lr=0.2, lr_gamma=0.5, lr_schedule=name, epochs=1)
    assert 0 < learning_rate(training, 0, 1) <= 0.2
