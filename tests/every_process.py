"""What every process of tests needs; each conftest that stands alone imports it."""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
from collections.abc import Iterator

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C interrupt: what a shell starts in the background ignores it, tests too.

    And let pytest-randomly draw an order only: the seed of chance is ours.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config.option, "randomly_reset_seed"):
        config.option.randomly_reset_seed = False


@pytest.fixture(autouse=True)
def repeatable_chance(request: pytest.FixtureRequest) -> None:
    """Draw the same numbers each time: what jitter comes to is not left to the day."""
    random.seed(request.node.nodeid)


def pytest_collection_finish() -> None:
    """Let the processes that tests start run as their user would run them: unmeasured."""
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)


@pytest.fixture(scope="session", autouse=True)
def nothing_left_in_the_end() -> Iterator[None]:
    """Collect what became garbage in a later test than the one that made it."""
    yield
    gc.unfreeze()
    gc.collect()


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Collect garbage, so that an unclosed session or loop fails the test that left it.

    What was there before the test is hidden from the collector, which else would spend most of its
    time on modules, caches and reports.
    """
    gc.collect()
    gc.freeze()
    yield
    gc.collect()


@pytest.fixture(scope="session", autouse=True)
def coverage_kept() -> Iterator[None]:
    """Save what was measured: xdist kills a process that takes ten seconds to end."""
    yield
    coverage = sys.modules.get("coverage")
    measured = coverage and coverage.Coverage.current()
    if measured:
        measured.save()
