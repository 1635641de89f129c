"""The examples in the docstrings of the config room."""

import doctest
import importlib
import pkgutil

import pytest

import tune_app.config


@pytest.mark.parametrize(
    "name", [module.name for module in pkgutil.iter_modules(tune_app.config.__path__)]
)
def test_the_examples_of_a_module_hold(name):
    assert doctest.testmod(importlib.import_module(f"tune_app.config.{name}")).failed == 0
