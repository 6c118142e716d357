"""Packages that only some users have."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from hevo_edge.errors import ConfigurationError


def needed(module: str, by: str, install: str | None = None) -> Any:
    """Import what a feature needs.

    Args:
        module: The module.
        by: What needs it.
        install: What to install; by default the module's package.

    Raises:
        ConfigurationError: when it cannot be imported, with what to install.
    """
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ImportError as error:
        raise ConfigurationError(
            f"{by} needs {package}, which cannot be imported ({error}): "
            f"pip install {install or package}"
        ) from error
