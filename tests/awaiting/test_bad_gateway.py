"""An hour behind a gateway that answers badly: a slice of `tests.benchmarks.bad_gateway`."""

from __future__ import annotations

import logging

import pytest

from tests.benchmarks.bad_gateway import measure


@pytest.mark.real_time  # it makes a loop of virtual time of its own
@pytest.mark.parametrize("share", [0.05, 0.2])
def test_no_wait_ends_wrongly_behind_a_gateway_that_answers_badly(share: float) -> None:
    days, lines = measure(hours=1, pipelines=2, share=share, seed=3)
    assert days.wrong == []
    assert days.outcomes["waits"] >= 2
    assert lines.by_level[logging.WARNING] < 20
