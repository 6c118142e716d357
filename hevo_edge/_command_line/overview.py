"""What there is and what runs: ``status``, ``objects``, ``top``, ``check``."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone

from hevo_edge import Job, Pipeline, api
from hevo_edge._command_line.exit_codes import ExitCode, exit_code_of, worst
from hevo_edge._command_line.rows import (
    JOB_OBJECTS,
    OBJECTS,
    PIPELINES,
    job_object_row,
    job_object_texts,
    job_row,
    object_row,
    object_texts,
    pipeline_row,
    pipeline_texts,
    took,
)
from hevo_edge._command_line.session import Session
from hevo_edge._command_line.wording import wording
from hevo_edge._text.tables import Column
from hevo_edge.errors import (
    ApiError,
    AuthenticationError,
    HevoError,
    PermissionDenied,
    RequestError,
    UnexpectedResponse,
)
from hevo_edge.orchestration._overview import Overview, read_overview

RUNNING = (
    Column("JOB"),
    Column("NAME", 1, may_shrink=True),
    Column("STATUS"),
    Column("TYPE", 3),
    Column("TOOK"),
    Column("LOADED", 2),
)


async def chosen(session: Session, ids: list[int]) -> list[Pipeline]:
    """Return the Pipelines of these ids, or all."""
    if ids:
        return [session.hevo.pipeline(each) for each in dict.fromkeys(ids)]
    return [pipeline async for pipeline in session.hevo.list_pipelines()]


async def status(session: Session) -> int:
    """Show Pipelines: the last Job, its outcome and age, what runs."""
    pipelines = await chosen(session, session.options.pipelines)
    results = await session.each(read_overview, pipelines)
    there = [each for each in results if isinstance(each, Overview)]
    session.console.results(
        [pipeline_row(each.pipeline, each.last, each.running) for each in there],
        PIPELINES,
        [pipeline_texts(each.pipeline, each.last, each.running) for each in there],
    )
    if not results:
        session.console.note("no Pipelines")
    return worst([session.report(each) for each in results if isinstance(each, HevoError)])


async def objects(session: Session) -> int:
    """List a Pipeline's objects, or what a Job did with each; those that failed come first."""
    console, target = session.console, session.options.target
    if isinstance(target, str):
        results = [each async for each in session.hevo.job(target).list_objects()]
        results.sort(key=lambda each: not each.has_failed)
        rows = [job_object_row(each) for each in results]
        console.results(rows, JOB_OBJECTS, [job_object_texts(each) for each in results])
    else:
        listed = [each async for each in session.hevo.pipeline(target).list_objects()]
        rows = [object_row(each) for each in listed]
        console.results(rows, OBJECTS, [object_texts(each) for each in listed])
    if not rows:
        session.console.note("no objects")
    return ExitCode.SUCCESS


# -- top -------------------------------------------------------------------------------------------


async def top(session: Session) -> int:
    """Show what runs now, again and again; trouble that passes ends nothing."""
    options = session.options
    while True:
        try:
            pipelines = await chosen(session, [])
            results = await session.each(read_overview, pipelines)
        except RequestError as error:
            if options.once or isinstance(error, (AuthenticationError, PermissionDenied)):
                raise
            session.report(error)
        else:
            _draw(session, results)
            if options.once:
                return worst([session.report(e) for e in results if isinstance(e, HevoError)])
        if not session.console.is_read:
            return ExitCode.SUCCESS
        await asyncio.sleep(options.interval)


def _draw(session: Session, results: list[Overview | HevoError]) -> None:
    console, now = session.console, datetime.now().astimezone()
    running = [
        (each.pipeline, each.running)
        for each in results
        if isinstance(each, Overview) and each.running is not None
    ]
    if not session.options.once:
        console.clear()
    if not console.as_json:
        console.text(f"{now:%H:%M:%S}  {len(running)} of {len(results)} run")
    at = now.astimezone(timezone.utc).isoformat(timespec="seconds")
    console.results(
        [{"at": at, "name": pipeline.name, **job_row(job)} for pipeline, job in running],
        RUNNING,
        [_running_texts(pipeline, job) for pipeline, job in running],
    )


def _running_texts(pipeline: Pipeline, job: Job) -> list[str]:
    data = job.data
    loaded = "" if data is None or data.events_loaded is None else f"{data.events_loaded:,}"
    name, elapsed = pipeline.name or "", "" if data is None else took(data)
    return [job.ref, name, f"{job.status}", f"{job.type}", elapsed, loaded]


# -- check -----------------------------------------------------------------------------------------


async def check(session: Session) -> int:
    """Say in one line each whether network, region, key and its role are right."""
    error: HevoError | None = None
    try:
        await session.hevo.send(api.list_pipelines(limit=1))
    except HevoError as raised:
        error = raised
    profile = session.options.profile
    place = "the environment" if profile is None else f"profile {profile}"
    lines = [("settings", "ok", f"{session.hevo.base_url}, from {place}"), *_findings(error)]
    for name, result, what in lines:
        # No table: of what is wrong nothing may be cut.
        row = {"check": name, "result": result, "what": what}
        session.console.result(row, f"{name}: {result}{what and f', {what}'}")
    return ExitCode.SUCCESS if error is None else exit_code_of(error)


def _findings(error: HevoError | None) -> list[tuple[str, str, str]]:
    """Return what a request's failure says of network, key and role; what it hides is "unknown"."""
    answered = ("network", "ok", "Hevo answers at this address")
    if error is None:
        role = ("role", "ok", "it may list Pipelines")
        return [answered, ("key", "ok", "Hevo takes key and secret"), role]
    if isinstance(error, PermissionDenied):
        role = ("role", "WRONG", wording(error))
        return [answered, ("key", "ok", "Hevo takes key and secret"), role]
    unknown = ("role", "unknown", "")
    if isinstance(error, AuthenticationError):
        why = f"{wording(error)}; key and secret are wrong, or of another region"
        return [answered, ("key", "WRONG", why), unknown]
    if isinstance(error, (ApiError, UnexpectedResponse)):
        why = f"{wording(error)}; is this the address of Hevo?"
        return [("network", "WRONG", why), ("key", "unknown", ""), unknown]
    return [("network", "WRONG", wording(error)), ("key", "unknown", ""), unknown]
