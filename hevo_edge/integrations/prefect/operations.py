"""What the tasks do; each ends in a state of Prefect."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Literal

from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import ValidationError

from hevo_edge import orchestration
from hevo_edge.errors import ConfigurationError, HevoError
from hevo_edge.integrations.prefect.credentials import HevoCredentials, loaded, messages_of
from hevo_edge.integrations.prefect.states import state_of
from hevo_edge.orchestration import validation

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from hevo_edge.integrations.prefect.blocks import HevoPipeline

Credentials = HevoCredentials | str
"""A block of credentials, or the name by which it is saved."""


class WaitKeywords(orchestration.WaitKeywords, total=False):
    """How to await a Job."""

    cancel_on_kill: Literal["user", "always", "never"]
    """Cancel the Job in Hevo when a ``"user"`` cancels the flow run (the default); ``"always"``,
    when its process is evicted or stopped too; ``"never"``. Only a Job that is surely its own."""
    report: bool
    """Make artifacts and asset events of the Job. Default: True."""


class SyncKeywords(orchestration.RunKeywords, WaitKeywords, total=False):
    """How to start a run, and await its Job."""

    durable: bool
    """Keep the ticket, so that a re-run of the flow run goes on with the Job. Default: True."""


async def trigger(
    credentials: Credentials, pipeline_id: int, **options: Unpack[SyncKeywords]
) -> State[Any]:
    """Start or resume a run."""
    return await _ended(pipeline_id, _sync(credentials, pipeline_id, options, waits=False))


async def sync(
    credentials: Credentials, pipeline_id: int, **options: Unpack[SyncKeywords]
) -> State[Any]:
    """Start or resume a run, and await its Job."""
    return await _ended(pipeline_id, _sync(credentials, pipeline_id, options, waits=True))


async def wait(
    credentials: Credentials, job: dict[str, Any] | str, **options: Unpack[WaitKeywords]
) -> State[Any]:
    """Await a Job that another task has started, or nobody here."""
    known = job if isinstance(job, dict) else {"ref": job}
    return await _ended(known.get("pipeline_id", 0), _wait(credentials, known, options))


async def _ended(pipeline_id: Any, work: Awaitable[State[Any]]) -> State[Any]:
    """Return how some work ended; what is wrong before any request is a failure too."""
    from hevo_edge.orchestration import failure  # noqa: PLC0415 -- loads aiohttp

    try:
        return await work
    except HevoError as error:
        return state_of(failure(error, pipeline_id))


async def _sync(
    credentials: Credentials, pipeline_id: Any, options: Any, *, waits: bool
) -> State[Any]:
    attempt = await (await _pipeline_of(credentials, pipeline_id, options)).attempt()
    started = await attempt.start()
    if started is not None:
        return state_of(started)
    if waits:
        return state_of(await attempt.wait())
    return Completed(message=f"Job {attempt.job['ref']} is running", data=attempt.job)


async def _wait(credentials: Credentials, job: dict[str, Any], options: Any) -> State[Any]:
    pipeline_id, _ = validation.job_ref(job.get("ref"))
    block = await _pipeline_of(credentials, pipeline_id, {**options, "durable": False})
    return state_of(await (await block.attempt()).wait(job))


async def _pipeline_of(credentials: Credentials, pipeline_id: Any, options: Any) -> HevoPipeline:
    """Return the block of a Pipeline, which is not saved.

    Raises:
        ConfigurationError: for a block that does not exist, and for options that are wrong.
    """
    # Prefect needs half the time of all our imports to make this class.
    from hevo_edge.integrations.prefect.blocks import HevoPipeline  # noqa: PLC0415

    credentials = await loaded(credentials)
    wanted = {"pipeline_id": validation.pipeline_id(pipeline_id), **options}
    try:
        return HevoPipeline(credentials=credentials, **wanted)
    except ValidationError as error:
        raise ConfigurationError(messages_of(error)) from None
