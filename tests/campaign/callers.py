"""Callers of hevo_edge: careful scripts, with a ticket that survives a crash and without one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Protocol, TypedDict, TypeVar

from hevo_edge import HevoClient, Job, TriggerTicket, errors
from hevo_edge._triggering.ticket import OnTicket
from hevo_edge.enums import IfRunning, JobStatus, is_terminal

from .environment import PIPELINE, Address, Environment
from .outcome import FAILED, JOB, REFUSED, TIMEOUT, UNRESOLVED, Outcome
from .relay import relay
from .scenario import Scenario

T = TypeVar("T")

ROUNDS = 8
PAUSE = 10.0
LONGEST_WAIT = 3000.0
ENDS = [status for status in JobStatus if is_terminal(status)]
NOTHING_STARTED = (
    errors.RequestNotSent,
    errors.RequestOutcomeUnknown,
    errors.RateLimited,
    errors.ServerError,
    errors.UnexpectedResponse,
)
"""Raised by a trigger, these are documented to mean that no run was started; a retry may help."""
REFUSALS = (errors.JobInProgress, errors.PipelineNotReady)


class _Request(TypedDict):
    job_type: str | None
    drop_and_load: bool
    if_running: IfRunning


class CallerEnvironment(Protocol):
    """What a caller has to work with: in a trial's event loop, or in a process of its own."""

    @property
    def scenario(self) -> Scenario:
        """The plan of the trial."""
        ...

    @property
    def store(self) -> dict[str, str]:
        """What survives the end of the caller's process."""
        ...

    @property
    def object_ids(self) -> list[str]:
        """The objects to resync."""
        ...

    @property
    def address(self) -> Address:
        """Where the emulator listens."""
        ...

    @property
    def now(self) -> float:
        """The emulator's clock."""
        ...

    def client(self) -> AbstractAsyncContextManager[HevoClient]:
        """Make a client."""
        ...

    async def timed(self, name: str, call: Awaitable[T], /) -> T:
        """Await a call of the SDK."""
        ...

    async def stored(self) -> None:
        """Report that what the caller needs after a crash is stored."""
        ...

    async def run_process(self, process: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Run the caller's process until it ends."""
        ...


async def with_ticket(env: CallerEnvironment) -> Outcome:
    """Prepare, store the ticket, fire it until the outcome is known; resume after a crash."""
    return await env.run_process(lambda: _with_client(env, _fire))


async def with_on_ticket(env: CallerEnvironment) -> Outcome:
    """``trigger`` with ``on_ticket``; after a crash, fire the stored ticket."""
    return await env.run_process(lambda: _with_client(env, _trigger_with_on_ticket))


async def without_ticket(env: CallerEnvironment) -> Outcome:
    """``trigger`` in a loop; a ticket is used only where an error carries one."""
    return await env.run_process(lambda: _with_client(env, _trigger))


async def hevo_edge(env: CallerEnvironment) -> Outcome:
    """Run the caller that the scenario names."""
    caller = with_on_ticket if uses_on_ticket(env.scenario) else with_ticket
    if env.scenario.without_ticket:
        caller = without_ticket
    if env.scenario.second_holder is None or not isinstance(env, Environment):
        return await caller(env)
    second = asyncio.ensure_future(env.outcome_of(_fire_as_second_holder(env)))
    try:
        return await caller(env)
    finally:
        if not env.has_stored.is_set():
            second.cancel()  # there is no ticket
        env.others += [
            each
            for each in await asyncio.gather(second, return_exceptions=True)
            if isinstance(each, Outcome)
        ]


def uses_on_ticket(scenario: Scenario) -> bool:
    """Say whether a trial's ticket is stored by ``on_ticket``: only a trigger takes objects."""
    return scenario.uses_on_ticket or scenario.action == "RESYNC_OBJECTS"


async def _fire_as_second_holder(env: Environment) -> Outcome:
    await env.has_stored.wait()
    await asyncio.sleep(env.scenario.second_holder or 0.0)
    ticket = TriggerTicket.loads(env.store["ticket"])
    # By the relay's address, it is of another account.
    ticket = ticket.model_copy(update={"account": None})
    env.note(f"a second process fires the ticket, which is {ticket.state}")
    async with AsyncExitStack() as stack:
        base_url = None
        if not env.scenario.shares_a_loop:
            base_url = await stack.enter_async_context(relay(env.emulator.base_url))
        hevo = await stack.enter_async_context(env.client(base_url))
        return await _until_known(env, hevo, lambda: hevo.fire(ticket), "fire")


async def _with_client(
    env: CallerEnvironment, act: Callable[[CallerEnvironment, HevoClient], Awaitable[Outcome]]
) -> Outcome:
    async with env.client() as hevo:
        outcome = await act(env, hevo)
        if outcome.kind == JOB and env.scenario.awaits:
            outcome.at = env.now
            await _await_end(env, hevo, outcome)
            outcome.ended_at = env.now
        outcome.job = None  # it belongs to a client that is closed
        return outcome


async def _await_end(env: CallerEnvironment, hevo: HevoClient, outcome: Outcome) -> None:
    job = outcome.job
    assert job is not None
    wait = job.await_completion(timeout=LONGEST_WAIT, accept=ENDS)
    try:
        await env.timed("await_completion", wait)
    except errors.JobTimeout:
        outcome.end = TIMEOUT
    except errors.RequestError as error:
        outcome.end, outcome.detail = type(error).__name__, _describe(error)
    else:
        outcome.end = str(job.status)
        outcome.end_of = None if job.data is None else job.data.job_id


async def _fire(env: CallerEnvironment, hevo: HevoClient) -> Outcome:
    if "ticket" not in env.store:
        prepared = await _prepare(env, hevo)
        if isinstance(prepared, Outcome):
            return prepared
        env.store["ticket"] = prepared.dumps()
        await env.stored()
    ticket = TriggerTicket.loads(env.store["ticket"])
    return await _until_known(env, hevo, lambda: hevo.fire(ticket), "fire")


async def _trigger_with_on_ticket(env: CallerEnvironment, hevo: HevoClient) -> Outcome:

    async def store(ticket: TriggerTicket) -> None:
        env.store["ticket"] = ticket.dumps()
        await env.stored()

    def start() -> Awaitable[Job]:
        if "ticket" not in env.store:
            return _start(env, hevo, store)
        return hevo.fire(TriggerTicket.loads(env.store["ticket"]), on_ticket=store)

    return await _until_known(env, hevo, start, "fire" if "ticket" in env.store else "trigger")


async def _trigger(env: CallerEnvironment, hevo: HevoClient) -> Outcome:
    return await _until_known(env, hevo, lambda: _start(env, hevo), "trigger")


def _start(
    env: CallerEnvironment, hevo: HevoClient, on_ticket: OnTicket | None = None
) -> Awaitable[Job]:
    pipeline, request = hevo.pipeline(PIPELINE), _request(env)
    if env.scenario.action == "RESYNC_OBJECTS":
        return pipeline.resync_objects(env.object_ids, on_ticket=on_ticket, **request)
    return pipeline.trigger(env.scenario.action, on_ticket=on_ticket, **request)


async def _prepare(env: CallerEnvironment, hevo: HevoClient) -> TriggerTicket | Outcome:
    pipeline, request = hevo.pipeline(PIPELINE), _request(env)
    detail = ""
    for _ in range(ROUNDS):
        try:
            preparing = pipeline.prepare_trigger(env.scenario.action, **request)
            return await env.timed("prepare", preparing)
        except NOTHING_STARTED as error:
            detail = _describe(error)
            await asyncio.sleep(PAUSE)
        except REFUSALS as error:
            return Outcome(REFUSED, detail=_describe(error))
        except errors.ApiError as error:
            return Outcome(FAILED, detail=_describe(error))
    return Outcome(FAILED, detail=detail)


async def _until_known(
    env: CallerEnvironment, hevo: HevoClient, start: Callable[[], Awaitable[Job]], name: str
) -> Outcome:
    """Start until the outcome is known; ``reconcile`` wherever it is unknown."""
    outcome = Outcome(FAILED)
    unknown: TriggerTicket | None = None
    for _ in range(ROUNDS):
        try:
            if unknown is None:
                return _job_outcome(await env.timed(name, start()))
            found = await env.timed("reconcile", hevo.reconcile(unknown))
            if found is not None:
                return _job_outcome(found)
            unknown = None
        except errors.TriggerError as error:
            unknown = error.ticket
            outcome = Outcome(UNRESOLVED, detail=_describe(error))
        except NOTHING_STARTED as error:
            if unknown is None:
                outcome = Outcome(FAILED, detail=_describe(error))
            await asyncio.sleep(PAUSE)
        except REFUSALS as error:
            return Outcome(REFUSED, detail=_describe(error))
        except errors.ApiError as error:
            return Outcome(FAILED, detail=_describe(error))
    return outcome


def _request(env: CallerEnvironment) -> _Request:
    scenario = env.scenario
    return {
        "job_type": scenario.job_type,
        "drop_and_load": scenario.drop_and_load,
        "if_running": IfRunning(scenario.if_running),
    }


def _job_outcome(job: Job) -> Outcome:
    return Outcome(JOB, job.id, certainty=str(job.certainty), adopted=job.adopted, job=job)


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
