"""What the tests of orchestration share."""

from __future__ import annotations

import pytest

from tests.orchestration.support import DictStore


@pytest.fixture
def store() -> DictStore:
    """The store of one task."""
    return DictStore()
