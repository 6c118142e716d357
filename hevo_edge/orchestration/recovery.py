"""After an outage: which Pipelines need a sync, because they failed or did not run."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from hevo_edge._common.validation import parse_bool, parse_timestamp
from hevo_edge._text.printable import short
from hevo_edge.client import HevoClient
from hevo_edge.enums import UNRUNNABLE_STATUSES, JobStatus, SyncType
from hevo_edge.errors import AuthenticationError, ConfigurationError, NotFound, RequestError
from hevo_edge.orchestration._overview import Overview, read_overview
from hevo_edge.pipeline import Pipeline

__all__ = ["FailedPipeline", "find_failed_pipelines"]

GRACE_MS = 300_000
"""Milliseconds after which a scheduled run that is not listed did not come."""
FAILED: frozenset[JobStatus] = frozenset({JobStatus.FAILED, JobStatus.COMPLETED_WITH_FAILURES})


class FailedPipeline(NamedTuple):
    """A Pipeline that needs a sync, and why.

    Attributes:
        pipeline: The Pipeline.
        reason: What happened, a clause such as "ended FAILED".
        obstacle: Why none can be started, a clause such as "it is DISABLED"; None if one can.
    """

    pipeline: Pipeline
    reason: str
    obstacle: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values; the Pipeline is ``pipeline_id`` and ``name``."""
        return {
            "pipeline_id": self.pipeline.id,
            "name": self.pipeline.name,
            "reason": self.reason,
            "obstacle": self.obstacle,
        }


async def find_failed_pipelines(
    hevo: HevoClient,
    *,
    since: datetime,
    pipeline_ids: Iterable[int] | None = None,
    accept_completed_with_failures: bool = False,
) -> list[FailedPipeline]:
    """Find the Pipelines whose last run has failed since then, or did not come on schedule.

    One that runs now is none of them, and neither is one whose run was cancelled: somebody wanted
    that. They are read one after another, a call for each, so that waits get theirs in between.

    Args:
        hevo: The client.
        since: When the outage began, with a time zone.
        pipeline_ids: Look at these alone; None for all of the account.
        accept_completed_with_failures: Count COMPLETED_WITH_FAILURES as success.

    Raises:
        RequestError: when the Pipelines cannot be listed, or the key is refused. One Pipeline that
            cannot be read hides none of the others: it is found, with an obstacle.
        ConfigurationError: for a time without a zone.
    """
    begin = parse_timestamp(since, "since")
    if begin is None:
        raise ConfigurationError("since must be a datetime with a time zone, not None")
    accepts = parse_bool(accept_completed_with_failures, "accept_completed_with_failures")
    failed = FAILED - {JobStatus.COMPLETED_WITH_FAILURES} if accepts else FAILED
    pipelines: list[Pipeline]
    if pipeline_ids is None:
        pipelines = [each async for each in hevo.list_pipelines()]
    else:
        pipelines = [hevo.pipeline(each) for each in dict.fromkeys(pipeline_ids)]
    found = [await _examined(each, begin, failed) for each in pipelines]
    return [each for each in found if each is not None]


async def _examined(
    pipeline: Pipeline, since: float, failed: frozenset[JobStatus]
) -> FailedPipeline | None:
    try:
        overview = await read_overview(pipeline)
    except AuthenticationError:
        raise
    except NotFound:
        return None  # deleted meanwhile
    except RequestError as error:
        return FailedPipeline(pipeline, "may have failed", f"it could not be read: {error}")
    return examine(overview, since, time.time() * 1000, failed)


def examine(
    overview: Overview, since: float, now: float, failed: frozenset[JobStatus] = FAILED
) -> FailedPipeline | None:
    """Say whether and why a Pipeline needs a sync; None when it needs none, or runs already.

    Args:
        overview: The Pipeline and its newest Jobs.
        since: When the outage began, in ms since 1970.
        now: The time, in ms since 1970.
        failed: The statuses of a run that has failed.
    """
    reason = why_to_sync(overview, since, now, failed)
    if reason is None:
        return None
    status = overview.pipeline.status
    obstacle = f"it is {short(status)}" if status in UNRUNNABLE_STATUSES else None
    return FailedPipeline(overview.pipeline, reason, obstacle)


def why_to_sync(
    overview: Overview, since: float, now: float, failed: frozenset[JobStatus] = FAILED
) -> str | None:
    """Return the reason alone, see ``examine``."""
    if overview.running is not None:
        return None
    last = None if overview.last is None else overview.last.data
    if last is not None and last.status in failed and (last.ended_ts or 0) >= since:
        return f"ended {short(last.status)}"
    return "had no scheduled run" if _has_missed(overview, since, now) else None


def _has_missed(overview: Overview, since: float, now: float) -> bool:
    """Say whether a scheduled run was due since then, and none is listed since it was due."""
    data = overview.pipeline.data
    schedule = None if data is None else data.schedule
    if data is None or schedule is None or schedule.sync_type != SyncType.SCHEDULED:
        return False
    every = (schedule.frequency_minutes or 0) * 60_000
    newest = None if overview.newest is None else overview.newest.data
    began = data.created_ts if newest is None else newest.created_ts
    if every <= 0 or began is None:
        return False
    runs_before = max(1, math.ceil((since - began) / every))
    return began + runs_before * every + GRACE_MS <= now
