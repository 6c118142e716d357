"""``Pipeline.job_history``: the newest Jobs of all emulated lists, by one call where one will do."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from hevo_edge import HevoClient, errors
from hevo_edge.emulator import HevoEmulator
from hevo_edge.emulator.dialect import Dialect
from hevo_edge.history import JobHistory
from tests.conftest import START, client_of

NOW = datetime.fromtimestamp(START, timezone.utc)


@pytest.mark.parametrize("cursor", ["row", "offset"])
@pytest.mark.parametrize("order", ["newest_first", "oldest_first", "last_updated_first"])
async def test_the_newest_of_every_dialect(order: str, cursor: str) -> None:
    dialect = Dialect(list_order=order, cursor=cursor)
    async with HevoEmulator(start=START, dialect=dialect) as emulator, client_of(emulator) as hevo:
        emulated = emulator.add_pipeline(7, history=250)
        created = [row.created for row in emulated.jobs][::-1]
        pipeline = hevo.pipeline(7)

        async def times(**options: Any) -> list[float]:
            history = await pipeline.job_history(**options)
            assert isinstance(history, JobHistory)
            return [job.created.timestamp() for job in history if job.created is not None]

        def same(found: list[float], wanted: list[float]) -> bool:
            return found == pytest.approx(wanted, abs=0.01)

        assert same(await times(), created[:50])
        assert same(await times(limit=130), created[:130])
        assert same(await times(since=NOW - timedelta(hours=200, minutes=1)), created[:200])
        assert same(await times(since=NOW - timedelta(hours=200), limit=3), created[:3])
        assert await times(since=NOW + timedelta(hours=1)) == []


async def test_one_page_has_what_is_asked_for_by_default(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.add_pipeline(7, history=1000)
    assert len(await hevo.pipeline(7).job_history()) == 50
    assert len(emulator.requests) == 1


async def test_a_job_of_it_is_as_good_as_any(hevo: HevoClient) -> None:
    job = (await hevo.pipeline(123).job_history())[0]
    assert (await job.refresh()).status == "COMPLETED"
    assert job.created == NOW - timedelta(hours=1)
    assert job.duration is not None
    assert job.ended == job.created + job.duration
    assert job.updated == job.ended


async def test_a_pipeline_without_jobs(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.add_pipeline(7)
    history = await hevo.pipeline(7).job_history()
    assert len(history) == 0
    assert history.summary().count == 0


@pytest.mark.parametrize(
    "options",
    [{"limit": 0}, {"limit": "5"}, {"since": 5}, {"since": NOW.replace(tzinfo=None)}],
)
async def test_bad_options_send_nothing(
    emulator: HevoEmulator, hevo: HevoClient, options: dict[str, Any]
) -> None:
    with pytest.raises(errors.ConfigurationError, match=next(iter(options))):
        await hevo.pipeline(123).job_history(**options)
    assert not emulator.requests


async def test_times_of_a_job_that_was_not_read(hevo: HevoClient) -> None:
    job = hevo.job("123:abc")
    assert (job.created, job.updated, job.ended, job.duration) == (None, None, None, None)
