"""Hyperparameter search for small networks under weight budgets."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tune_app.service.client import connect

__all__ = ["connect"]


def __getattr__(name: str) -> Any:
    # Imported when first asked for: a command that does not need it must not wait for it.
    if name == "connect":
        from tune_app.service.client import connect

        return connect
    raise AttributeError(f"module 'tune_app' has no attribute '{name}'")
