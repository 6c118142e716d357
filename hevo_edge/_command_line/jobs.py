"""Jobs that are there, or come by themselves: ``wait``, ``cancel``, ``jobs``."""

from __future__ import annotations

from contextlib import aclosing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from hevo_edge import Job, TriggerTicket
from hevo_edge._command_line.exit_codes import ExitCode
from hevo_edge._command_line.rows import JOBS, job_line, job_row, job_texts
from hevo_edge._command_line.runs import Notes, check_wait, one_run, wait_options
from hevo_edge._command_line.session import Session
from hevo_edge._command_line.started import StartedRun
from hevo_edge._command_line.tickets import TicketFile
from hevo_edge._text.printable import short
from hevo_edge.enums import TERMINAL_STATUSES
from hevo_edge.errors import ConfigurationError, HevoError


async def wait(session: Session) -> int:
    """Wait for a Job: by its ref, by a ticket, or what a Pipeline runs now or next."""
    options = session.options
    check_wait(options)
    options.wait = True
    by_time = options.next or options.ended_since is not None
    if (options.target is None) != (options.ticket is not None):
        raise ConfigurationError("wait for one of them: a REF, a Pipeline's ID, or --ticket FILE")
    if by_time and isinstance(options.target, str):
        raise ConfigurationError("--next and --ended-since go with a Pipeline's ID, not with a REF")
    if options.ticket is not None:
        return await _wait_by_ticket(session, TicketFile(Path(options.ticket)))
    if isinstance(options.target, str):
        return await _wait_for_job(session, session.hevo.job(options.target))
    return await _wait_for_pipeline(session, options.target)


async def _wait_for_job(session: Session, job: Job) -> int:
    async def known(_: StartedRun, __: float | None) -> Job:
        return job

    return await one_run(session, job.pipeline_id, known, is_given=True)


async def _wait_by_ticket(session: Session, file: TicketFile) -> int:
    ticket = TriggerTicket.loads(file.read())

    async def search(run: StartedRun, left: float | None) -> Job:
        run.resume_from(file, ticket)
        session.console.note(f"searching for the run of Pipeline {ticket.pipeline_id}")
        job = await session.hevo.reconcile(ticket, timeout=left or None)
        if job is None:
            run.gone()
            raise HevoError(
                f"no run came of this ticket, so nothing runs; to start one: "
                f"hevo-edge sync {ticket.pipeline_id}"
            )
        return job

    return await one_run(session, ticket.pipeline_id, search)


async def _wait_for_pipeline(session: Session, pipeline_id: int) -> int:
    options, pipeline = session.options, session.hevo.pipeline(pipeline_id)
    since: dict[str, Any] = {"ended_since": options.ended_since}
    if options.next:
        since = {"started_since": datetime.now(timezone.utc)}

    async def next_job(run: StartedRun, left: float | None) -> Job:
        note = Notes(session.console)

        def update(job: Job) -> None:
            run.found(job)  # so that an interrupt can name it
            note(job)

        session.console.note(f"waiting for a Job of Pipeline {pipeline_id}")
        return await pipeline.await_completion(
            timeout=left, on_update=update, **since, **wait_options(options)
        )

    return await one_run(session, pipeline_id, next_job, is_given=True)


async def cancel(session: Session) -> int:
    """Ask Hevo to cancel a Job; one that has ended is left alone."""
    options, console = session.options, session.console
    job = await session.hevo.job(options.ref).refresh()
    was_over = job.is_terminal
    await job.cancel()
    if was_over:
        console.note(f"Job {short(job.ref)} had ended already")
    elif options.wait:
        console.note(f"Hevo was asked to cancel Job {short(job.ref)}; waiting for its end")
        await job.await_completion(
            timeout=options.timeout,
            poll_interval=options.poll_interval,
            accept=tuple(TERMINAL_STATUSES),
            on_update=Notes(console),
        )
    else:
        await job.refresh()
    console.result(job_row(job), job_line(job))
    return ExitCode.SUCCESS


async def jobs(session: Session) -> int:
    """List a Pipeline's Jobs, newest first."""
    options = session.options
    found: list[Job] = []
    listing = session.hevo.pipeline(options.pipeline).list_jobs(
        job_type=options.type, status=options.status, limit=options.limit
    )
    async with aclosing(listing) as rows:
        async for job in rows:
            found.append(job)
            if session.console.as_json:
                session.console.result(job_row(job), "")
            if not session.console.is_read:
                break
    if not session.console.as_json:
        session.console.results([], JOBS, [job_texts(job) for job in found])
    if not found:
        session.console.note("no Jobs")
    return ExitCode.SUCCESS
