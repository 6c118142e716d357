"""The end of a task that may have been asked for, or be that of its worker."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from hevo_edge._text.logger import get_logger
from hevo_edge.client import HevoClient
from hevo_edge.orchestration.runs import Run

__all__ = ["cancel_if", "cancel_if_asked"]

log: logging.Logger = get_logger("hevo_edge.orchestration")


@asynccontextmanager
async def cancel_if(
    asked: Callable[[], bool | Awaitable[bool]],
    run: Run,
    hevo: HevoClient,
    *,
    within: float = 20.0,
) -> AsyncGenerator[None, None]:
    """Cancel a run's Job in Hevo when the block is cancelled because somebody asked for that.

    Engines cancel tasks for other reasons as well, such as the end of a worker; then the Job is
    to go on. The cancellation is raised in any case, after that.

    Args:
        asked: Says whether the engine was asked to cancel; may be a coroutine function.
        run: The attempt whose Job it is, see ``Run.cancel``.
        hevo: The client.
        within: Seconds that cancelling may take.
    """
    try:
        yield
    except asyncio.CancelledError:
        await cancel_if_asked(asked, run, hevo, within=within)
        raise


async def cancel_if_asked(
    asked: Callable[[], bool | Awaitable[bool]],
    run: Run,
    hevo: HevoClient,
    *,
    within: float = 20.0,
    logger: logging.Logger | logging.LoggerAdapter[logging.Logger] = log,
) -> None:
    """Cancel the Job of a run that is cut off, if somebody asked for that; say what came of it.

    No error is raised: what the caller is to see is why the run was cut off.

    Args:
        asked: Says whether the engine was asked to cancel; may be a coroutine function.
        run: The attempt whose Job it is, see ``Run.cancel``.
        hevo: The client.
        within: Seconds that cancelling may take.
        logger: The engine's, whose user sees what it says.
    """
    try:
        answer = asked()
        if not (await answer if inspect.isawaitable(answer) else answer):
            logger.info("no user asked for this end, so %s goes on in Hevo", _name(run)[0])
        elif await run.cancel(hevo, within=within):
            logger.info("Hevo was asked to cancel %s", _name(run)[0])
        else:
            logger.warning("%s goes on in Hevo: it may be another's", _name(run)[0])
    except Exception as error:  # noqa: BLE001 -- whatever fails, the Job may be left running
        name, by_hand = _name(run)
        why = f"{error}" or type(error).__name__
        left = "%s could not be cancelled, and goes on in Hevo: %s%s"
        logger.warning(left, name, why, by_hand)


def _name(run: Run) -> tuple[str, str]:
    """Return what to call the Job of a run, and how to cancel it by hand if it is known."""
    if run.job_id is None:
        return f"a Job of Pipeline {run.spec.pipeline_id}", ""
    ref = f"{run.spec.pipeline_id}:{run.job_id}"
    return f"Job {ref}", f". To cancel it: hevo-edge cancel {ref}"
