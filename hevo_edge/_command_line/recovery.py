"""``recover``: after an outage, sync what failed or did not run since it began."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from hevo_edge import Job, Pipeline
from hevo_edge._command_line.exit_codes import ExitCode, worst
from hevo_edge._command_line.overview import Overview, chosen, read_overview
from hevo_edge._command_line.runs import check_wait, one_run
from hevo_edge._command_line.session import Session
from hevo_edge._command_line.started import StartedRun
from hevo_edge._text.printable import short
from hevo_edge.enums import UNRUNNABLE_STATUSES, JobStatus, SyncType
from hevo_edge.errors import HevoError

GRACE_MS = 300_000
"""Milliseconds after which a scheduled run that is not listed did not come."""
_FAILED = frozenset({JobStatus.FAILED, JobStatus.COMPLETED_WITH_FAILURES})


class Finding(NamedTuple):
    """A Pipeline that needs a sync, and why."""

    pipeline: Pipeline
    reason: str


async def recover(session: Session) -> int:
    """Sync what failed or did not run since then, a few at a time."""
    options, console = session.options, session.console
    check_wait(options)
    pipelines = await chosen(session, options.pipelines)
    results = await session.each(read_overview, pipelines)
    codes = [session.report(each) for each in results if isinstance(each, HevoError)]
    since, now = options.since.timestamp() * 1000, time.time() * 1000
    found = _findings(session, [each for each in results if isinstance(each, Overview)], since, now)
    console.note(f"{len(found)} of {len(pipelines)} Pipelines need a sync")
    if options.dry_run:
        for each in found:
            console.result(_row(each), _line(each))
        return worst(codes)

    async def sync(finding: Finding) -> int:
        console.note(_line(finding))
        return await one_run(session, finding.pipeline.id, _trigger(finding.pipeline))

    ended = await session.each(sync, found, options.max)
    codes += [each for each in ended if isinstance(each, int)]
    done = sum(each == ExitCode.SUCCESS for each in ended)
    verb = "have recovered" if options.wait else "were started"
    console.note(f"{done} of {len(found)} {verb}")
    return worst(codes)


def _trigger(pipeline: Pipeline) -> Any:
    async def trigger(run: StartedRun, left: float | None) -> Job:
        # A run that has started meanwhile will do.
        return await pipeline.sync_now(if_running="join", timeout=left, on_ticket=run.store)

    return trigger


def _findings(
    session: Session, overviews: Sequence[Overview], since: float, now: float
) -> list[Finding]:
    accepts = {JobStatus.COMPLETED_WITH_FAILURES} if _accepts_failures(session) else set()
    found = []
    for each in overviews:
        reason = why_to_sync(each, since, now, _FAILED - accepts)
        if reason is None:
            continue
        if each.pipeline.status in UNRUNNABLE_STATUSES:
            session.console.note(
                f"Pipeline {each.pipeline.id} {reason}, but it is {short(each.pipeline.status)}"
            )
            continue
        found.append(Finding(each.pipeline, reason))
    return found


def _accepts_failures(session: Session) -> bool:
    named = {each.strip().upper() for each in session.options.accept}
    by_name = JobStatus.COMPLETED_WITH_FAILURES in named
    return by_name or bool(session.options.accept_completed_with_failures)


def why_to_sync(
    overview: Overview, since: float, now: float, failed: frozenset[JobStatus] = _FAILED
) -> str | None:
    """Say why a Pipeline needs a sync; None when it needs none, or runs already.

    Args:
        overview: The Pipeline and its newest Jobs.
        since: When the outage began, in ms since 1970.
        now: The time, in ms since 1970.
        failed: The statuses of a run that has failed.
    """
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


def _line(finding: Finding) -> str:
    name = "" if finding.pipeline.name is None else f" ({short(finding.pipeline.name)})"
    return f"Pipeline {finding.pipeline.id}{name} {finding.reason}"


def _row(finding: Finding) -> dict[str, Any]:
    return {
        "pipeline_id": finding.pipeline.id,
        "name": finding.pipeline.name,
        "reason": finding.reason,
    }
