"""What came of each Pipeline that a command was to run or to wait for: as JSON, or a line."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from hevo_edge._command_line.exit_codes import ExitCode, outcome_name
from hevo_edge._command_line.output import Console
from hevo_edge._command_line.rows import job_line, job_row
from hevo_edge._command_line.started import StartedRun
from hevo_edge._command_line.wording import wording
from hevo_edge._text.printable import short
from hevo_edge.errors import HevoError


def write_result(
    console: Console,
    run: StartedRun,
    code: int,
    error: HevoError | None = None,
    *,
    outcome: str | None = None,
) -> None:
    """Write what came of a run: as JSON in any case, as text if there is a Job to write of.

    Args:
        console: Where to write it.
        run: The run.
        code: The exit code that it has.
        error: What went wrong.
        outcome: How that is called, where the exit code does not tell.
    """
    job = run.job if run.job is not None or error is None else error.job
    if not console.as_json:
        if run.job is not None and (run.job.is_terminal or code == ExitCode.SUCCESS):
            console.result({}, job_line(run.job) if run.job.is_terminal else short(run.job.ref))
        return
    ticket = run.file if run.ref is None and run.may_run else None
    message = None if error is None else wording(error, run.profile)
    console.result(
        {
            **_row(run.pipeline_id, outcome or outcome_name(code), code, message),
            "ref": run.ref,
            "ticket_file": None if ticket is None else str(ticket.path),
            "job": None if job is None else job_row(job),
        },
        "",
    )


def write_unstarted(console: Console, options: Namespace, code: int, message: str) -> None:
    """Write, as JSON, what came of Pipelines whose run the command did not even begin."""
    if not console.as_json or options.command not in {"sync", "resync", "wait"}:
        return
    target = getattr(options, "target", None)
    named = target.partition(":")[0] if isinstance(target, str) else target
    ids = getattr(options, "pipelines", None) or [getattr(options, "pipeline", named)]
    for each in dict.fromkeys(ids):
        number = None if each is None else int(each)
        console.result(_row(number, outcome_name(code), code, message), "")


def write_unread(console: Console, pipeline_id: int, error: HevoError, code: int) -> None:
    """Write, as JSON, that a Pipeline could not be read."""
    if console.as_json:
        console.result(_row(pipeline_id, outcome_name(code), code, wording(error)), "")


def _row(pipeline_id: int | None, outcome: str, code: int, message: str | None) -> dict[str, Any]:
    return {
        "pipeline_id": pipeline_id,
        "ref": None,
        "outcome": outcome,
        "exit_code": int(code),
        "ticket_file": None,
        "message": message,
        "job": None,
    }
