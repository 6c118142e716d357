"""Copies of Jobs and Pipelines keep their client, and share no snapshot that could change."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from hevo_edge import HevoClient, Job, Pipeline
from hevo_edge.emulator import HevoEmulator
from tests.awaiting.support import started


@dataclasses.dataclass
class Task:
    job: Job
    pipeline: Pipeline


def as_dict(value: Any) -> Any:
    name = "job" if isinstance(value, Job) else "pipeline"
    both: Any = {"job": None, "pipeline": None, name: value}
    return dataclasses.asdict(Task(**both))[name]


COPIES = [copy.copy, copy.deepcopy, as_dict, lambda value: copy.deepcopy([value, value])[1]]


@pytest.mark.parametrize("make", COPIES)
async def test_a_copy_of_a_job_is_as_good_as_the_job(
    make: Callable[[Any], Any], emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=100)
    await job.refresh()
    same = make(job)
    assert type(same) is Job
    assert same is not job
    assert same == job
    assert hash(same) == hash(job)
    await same.await_completion()
    assert (same.status, job.status) == ("COMPLETED", "IN_PROGRESS")
    assert await hevo.await_all([same]) == [job]


@pytest.mark.parametrize("make", COPIES)
async def test_a_copy_of_a_pipeline_is_as_good_as_the_pipeline(
    make: Callable[[Any], Any], hevo: HevoClient
) -> None:
    pipeline = await hevo.get_pipeline(123)
    same = make(pipeline)
    assert same == pipeline
    assert same is not pipeline
    assert (await same.refresh()).status == pipeline.status
    assert (await (await same.trigger()).await_completion()).is_terminal


async def test_a_deep_copy_shares_nothing_that_can_change(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulated, job = started(emulator, hevo, duration=100)
    emulated.extra["labels"] = {"team": "sales"}
    await job.refresh()
    same = copy.deepcopy(job)
    assert job.data is not None
    assert same.data == job.data
    assert job.data.model_extra is not None
    job.data.model_extra["labels"]["team"] = "changed"
    assert same.data is not None
    assert same.data.model_extra == {"labels": {"team": "sales"}}
    assert same.data != job.data
