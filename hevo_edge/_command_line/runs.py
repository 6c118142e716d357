"""Starting a run and waiting for it: ``sync``, ``resync``, and what ``recover`` does to each."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

from hevo_edge import Certainty, Job
from hevo_edge._command_line.exit_codes import ExitCode, worst
from hevo_edge._command_line.output import Console
from hevo_edge._command_line.results import write_result
from hevo_edge._command_line.rows import job_line
from hevo_edge._command_line.session import Session
from hevo_edge._command_line.started import StartedRun
from hevo_edge._text.printable import short
from hevo_edge.errors import HevoError, JobInProgress, NotFound
from hevo_edge.options import WaitOptions

RESTART_TIMEOUT = 900.0
"""Seconds in which the Job of a resync must be listed: before it, Hevo restarts the Pipeline."""
NOTE_INTERVAL = 60.0
"""Seconds between the lines about a Job whose status stays the same."""


async def sync(session: Session) -> int:
    """Start a sync of each Pipeline, all at once, and wait for their Jobs."""
    options = session.options
    check_wait(options)

    async def one(pipeline_id: int) -> int:
        async def trigger(run: StartedRun, left: float | None) -> Job:
            pipeline = session.hevo.pipeline(pipeline_id)
            return await pipeline.sync_now(
                if_running=_policy(options), timeout=left, on_ticket=run.store
            )

        return await one_run(session, pipeline_id, trigger)

    ids = list(dict.fromkeys(options.pipelines))
    codes = [each for each in await session.each(one, ids, len(ids)) if isinstance(each, int)]
    if len(ids) > 1:
        done = sum(each == ExitCode.SUCCESS for each in codes)
        verb = "ended well" if options.wait else "were started"
        skipped = " or were skipped" if _skips(options) else ""
        session.console.note(f"{done} of {len(ids)} {verb}{skipped}")
    return worst(codes)


async def resync(session: Session) -> int:
    """Start a resync of all objects or of some, and wait for its Job."""
    pipeline, options = session.hevo.pipeline(session.options.pipeline), session.options
    check_wait(options)

    async def trigger(run: StartedRun, left: float | None) -> Job:
        keywords: dict[str, Any] = {
            "drop_and_load": options.drop_and_load,
            "if_running": _policy(options),
            "timeout": left,
            "discovery_timeout": RESTART_TIMEOUT,
            "on_ticket": run.store,
        }
        if options.objects:
            return await pipeline.resync_objects(options.objects, **keywords)
        return await pipeline.resync(**keywords)

    return await one_run(session, pipeline.id, trigger)


def _policy(options: Namespace) -> Any:
    """Return the policy of the trigger; what it refuses is skipped in ``one_run``."""
    return "fail" if _skips(options) else options.if_running


def _skips(options: Namespace) -> bool:
    return getattr(options, "if_running", None) == "skip"


# -- one run, from its trigger to its result -------------------------------------------------------

Trigger = Callable[[StartedRun, "float | None"], Awaitable[Job]]
"""Starts a run within so many seconds; None for no limit."""


async def one_run(
    session: Session, pipeline_id: int, trigger: Trigger, *, is_given: bool = False
) -> int:
    """Start a run, say which, wait for it if that is wanted, and write its result."""
    options, run = session.options, session.start(pipeline_id, is_given=is_given)
    deadline = None if options.timeout is None else monotonic() + options.timeout
    error: HevoError | None = None
    try:
        run.found(await trigger(run, options.timeout))
        assert run.job is not None  # noqa: S101 -- for the type checkers
        session.console.note(_announcement(run.job))
        _name_earlier(session, run, session.console.note)
        if options.wait:
            session.console.tells_trouble = True
            left = None if deadline is None else max(0.0, deadline - monotonic())
            await await_job(session, run.job, left)
    except HevoError as raised:
        error = raised
        run.is_over = run.job is not None and isinstance(raised, NotFound)
    except asyncio.CancelledError:
        if run.job is None:
            _name_earlier(session, run, session.console.say)
        write_result(session.console, run, session.interrupted_code)
        raise
    is_skipped = isinstance(error, JobInProgress) and _skips(options)
    if is_skipped:
        session.console.note(f"Pipeline {pipeline_id} is skipped, as a Job runs: nothing started")
    code: int = ExitCode.SUCCESS if error is None or is_skipped else session.report(error)
    if error is not None and run.job is None:
        _name_earlier(session, run, session.console.note if is_skipped else session.console.say)
    outcome = "skipped" if is_skipped else None
    if error is None and not options.wait:
        outcome = "started"
    write_result(session.console, run, code, error, outcome=outcome)
    return code


async def await_job(session: Session, job: Job, timeout: float | None) -> None:
    """Wait for a Job, and say how it goes."""
    await job.await_completion(
        timeout=timeout, on_update=Notes(session.console), **wait_options(session.options)
    )


def wait_options(options: Namespace) -> dict[str, Any]:
    """Return the keywords of a wait that the options say."""
    return {
        "poll_interval": options.poll_interval,
        "accept_completed_with_failures": options.accept_completed_with_failures,
        "accept": tuple(options.accept),
    }


def check_wait(options: Namespace) -> None:
    """Check the options of the wait before anything is started.

    Raises:
        ConfigurationError: when one is wrong.
    """
    WaitOptions.check(**wait_options(options))


def _name_earlier(session: Session, run: StartedRun, say: Callable[[str], None]) -> None:
    """Name the tickets that earlier runs have left: what they started may run."""
    for line in run.earlier_tickets(session.account):
        say(line)


class Notes:
    """Says how a Job goes: at each change of its status, and else once a minute.

    Args:
        console: Where to say it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: tuple[str, float] | None = None

    def __call__(self, job: Job) -> None:
        """Say it, if it is time; the end is told by the result or the error."""
        now, status = monotonic(), str(job.status)
        said, at = self._said or ("", now)
        if job.is_terminal or (said == status and now < at + NOTE_INTERVAL):
            return
        self._said = (status, now)
        self._console.note(job_line(job))


def _announcement(job: Job) -> str:
    if job.certainty is None:
        return f"waiting for Job {short(job.ref)}"
    how = "runs already" if job.certainty is Certainty.JOINED else f"started ({job.certainty})"
    return f"Job {short(job.ref)} {how}"
