"""``recover``: after an outage, sync what failed or did not run since it began."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from hevo_edge import Job, Pipeline
from hevo_edge._command_line.exit_codes import ExitCode, worst
from hevo_edge._command_line.overview import chosen
from hevo_edge._command_line.results import write_unread
from hevo_edge._command_line.runs import check_wait, one_run
from hevo_edge._command_line.session import Session
from hevo_edge._command_line.started import StartedRun
from hevo_edge._text.printable import short
from hevo_edge.enums import JobStatus
from hevo_edge.errors import HevoError
from hevo_edge.orchestration import FailedPipeline
from hevo_edge.orchestration._overview import Overview, read_overview
from hevo_edge.orchestration.recovery import FAILED, examine


async def recover(session: Session) -> int:
    """Sync what failed or did not run since then, a few at a time."""
    options, console = session.options, session.console
    check_wait(options)
    pipelines = await chosen(session, options.pipelines)
    results = await session.each(read_overview, pipelines)
    codes = []
    for pipeline, error in zip(pipelines, results, strict=True):
        if isinstance(error, HevoError):
            codes.append(session.report(error))
            write_unread(console, pipeline.id, error, codes[-1])
    since, now = options.since.timestamp() * 1000, time.time() * 1000
    there = [each for each in results if isinstance(each, Overview)]
    needing = _needing(session, there, since, now)
    found = [each for each in needing if each.obstacle is None]
    console.note(_counts(len(pipelines), len(needing), len(needing) - len(found), len(codes)))
    if options.dry_run:
        for each in found:
            console.result(_row(each), _line(each))
        return worst(codes)

    async def sync(finding: FailedPipeline) -> int:
        console.note(_line(finding))
        return await one_run(session, finding.pipeline.id, _trigger(finding.pipeline))

    ended = await session.each(sync, found, options.max)
    codes += [each for each in ended if isinstance(each, int)]
    if found:
        done = sum(each == ExitCode.SUCCESS for each in ended)
        verb = "have recovered" if options.wait else "were started"
        console.note(f"{done} of {len(found)} {verb}")
    return worst(codes)


def _trigger(pipeline: Pipeline) -> Any:
    async def trigger(run: StartedRun, left: float | None) -> Job:
        # A run that has started meanwhile will do.
        return await pipeline.sync_now(if_running="join", timeout=left, on_ticket=run.store)

    return trigger


def _needing(
    session: Session, overviews: Sequence[Overview], since: float, now: float
) -> list[FailedPipeline]:
    """Return which need a sync; of those that cannot start one, say so."""
    accepts = {JobStatus.COMPLETED_WITH_FAILURES} if _accepts_failures(session) else set()
    examined = (examine(each, since, now, FAILED - accepts) for each in overviews)
    needing = [each for each in examined if each is not None]
    for each in needing:
        if each.obstacle is not None:
            session.console.note(f"Pipeline {each.pipeline.id} {each.reason}, but {each.obstacle}")
    return needing


def _counts(every: int, needing: int, blocked: int, unread: int) -> str:
    text = f"{needing} of {every} Pipelines need a sync"
    if blocked:
        text += f"; {blocked} cannot have one"
    return f"{text}; {unread} could not be read" if unread else text


def _accepts_failures(session: Session) -> bool:
    named = {each.strip().upper() for each in session.options.accept}
    by_name = JobStatus.COMPLETED_WITH_FAILURES in named
    return by_name or bool(session.options.accept_completed_with_failures)


def _line(finding: FailedPipeline) -> str:
    name = "" if finding.pipeline.name is None else f" ({short(finding.pipeline.name)})"
    return f"Pipeline {finding.pipeline.id}{name} {finding.reason}"


def _row(finding: FailedPipeline) -> dict[str, Any]:
    return {
        "pipeline_id": finding.pipeline.id,
        "name": finding.pipeline.name,
        "reason": finding.reason,
    }
