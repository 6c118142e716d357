"""Pipelines without an emulator around them, at a fixed time."""

from __future__ import annotations

from typing import Any

import pytest

from hevo_edge.emulator import DIALECTS, EmulatedPipeline
from hevo_edge.emulator.pipeline import Refused

NOW = 1_000_000.0
NEWEST = DIALECTS["newest"]
HOUR = 3600.0


def pipeline(**options: Any) -> EmulatedPipeline:
    options.setdefault("now", NOW)
    options.setdefault("dialect", NEWEST)
    return EmulatedPipeline(123, **options)


def refused(act: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(Refused) as caught:
        act(*arguments, **options)
    return caught.value.reason


def statuses(p: EmulatedPipeline) -> list[str]:
    return [job.status for job in p.jobs]
