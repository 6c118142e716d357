"""Names of a package that load on first use."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

PACKAGE = """
from hevo_edge._common.lazy import lazy_names
__getattr__, __dir__ = lazy_names(__name__, {"Sheep": "animals", "animals": "animals", "Lost": "animals"})
"""


@pytest.fixture
def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A package with two lazy names, one of them a module, and one name that is not there."""
    (tmp_path / "lazy_farm").mkdir()
    (tmp_path / "lazy_farm" / "__init__.py").write_text(PACKAGE)
    (tmp_path / "lazy_farm" / "animals.py").write_text("class Sheep: ...")
    monkeypatch.syspath_prepend(tmp_path)
    yield import_module("lazy_farm")
    for name in [name for name in sys.modules if name.startswith("lazy_farm")]:
        del sys.modules[name]


def test_a_name_loads_its_module_on_first_use_and_is_kept(farm: Any) -> None:
    assert "lazy_farm.animals" not in sys.modules
    sheep = farm.Sheep
    assert sheep is sys.modules["lazy_farm.animals"].Sheep
    assert vars(farm)["Sheep"] is sheep


def test_a_module_is_a_name_as_well(farm: Any) -> None:
    assert farm.animals is sys.modules["lazy_farm.animals"]


def test_dir_shows_all_names_and_loads_nothing(farm: Any) -> None:
    assert dir(farm) == ["Lost", "Sheep", "animals"]
    assert "lazy_farm.animals" not in sys.modules


def test_an_unknown_name_is_an_attribute_error(farm: Any) -> None:
    with pytest.raises(AttributeError, match="module 'lazy_farm' has no attribute 'Goat'"):
        _ = farm.Goat
    with pytest.raises(AttributeError, match="animals"):
        _ = farm.Lost
