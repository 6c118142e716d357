"""What log records hold: handlers may keep them, as those of error trackers do."""

from __future__ import annotations

import gc
import logging
import weakref

import pytest

from hevo_edge._text.logger import get_logger


class Held:
    """What a frame holds."""


def test_a_record_that_is_kept_keeps_no_frames(caplog: pytest.LogCaptureFixture) -> None:
    log = get_logger("hevo_edge.http")
    held: list[weakref.ref[Held]] = []

    def fails() -> None:
        of_a_frame = Held()
        held.append(weakref.ref(of_a_frame))
        raise ValueError("it failed")

    try:
        fails()
    except ValueError as error:
        log.warning("once more: %s", error)
    gc.collect()
    assert [record.getMessage() for record in caplog.records] == ["once more: it failed"]
    assert held[0]() is None


def test_numbers_stay_numbers(caplog: pytest.LogCaptureFixture) -> None:
    get_logger("hevo_edge.http").warning("%.1f of %d", 1.25, 3)
    assert caplog.records[-1].getMessage() == "1.2 of 3"
    assert logging.getLogger("hevo_edge.http") is get_logger("hevo_edge.http")
