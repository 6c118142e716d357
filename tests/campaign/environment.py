"""The environment of one trial: an emulator with faults, and processes that may be killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from email.utils import formatdate
from math import inf
from typing import Any, NamedTuple, TypeVar

import aiohttp

from hevo_edge import HevoClient
from hevo_edge._common.clock import Clock
from hevo_edge.emulator import HevoEmulator, RecordedCall
from hevo_edge.emulator.pipeline import Refused
from hevo_edge.enums import PipelineStatus
from hevo_edge.errors import HevoError

from .hostile import OTHER_PIPELINE
from .interruptions import RUNAWAY, Killer, ObservedJournal, Outages
from .outcome import HANG, UNTYPED, Evidence, Outcome, Span
from .scenario import Lie, PlannedFault, Scenario

T = TypeVar("T")

PIPELINE = 123
NOW = 1_767_225_600.0
"""This machine's clock at the trigger: 2026-01-01 00:00:00 UTC."""
LONGEST_CALL = 3600.0
LONGEST_TRIAL = 6 * 3600.0
POSTS = {"RESYNC": "resync_pipeline", "RESYNC_OBJECTS": "resync_objects"}
"""The endpoint of an action, where it is not ``sync_now``."""
_GIVES_UP = 10.0  # seconds for which a caller pauses after its last failure
_UNREAD = 60.0  # seconds for which a stray reply may wait on its connection
_HARMLESS = frozenset({"stale", "shift"})
"""Lies through which the truth can be seen after a while, so they excuse nobody who gives up."""
_SETTLE = 60.0  # seconds after the end, for requests that the server still handles
_RETRY_AFTER = 25.0  # subtracted from a fault's seconds


class Address(NamedTuple):
    """Where an emulator listens, and the credentials that it accepts."""

    base_url: str
    api_key: str
    api_secret: str


@asynccontextmanager
async def client_of(
    scenario: Scenario, address: Address, clock: Clock
) -> AsyncIterator[HevoClient]:
    """Make a client for a trial, as a new process would."""
    body = scenario.dialect.resync_body
    session = None
    if scenario.fresh_connections:
        session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
    hevo = HevoClient(
        address.api_key,
        address.api_secret,
        base_url=address.base_url,
        session=session,
        dialect="drop_and_load" if body == "drop_and_load" else "resync_mode",
        clock=clock,
    )
    try:
        yield hevo
    finally:
        # After a kill this sends nothing: it closes the sockets, as the end of a process does.
        await hevo.close()
        if session is not None:
            await session.close()


class CallTooLong(Exception):
    """A call lasted longer than any is allowed to."""


class _MachineClock(Clock):
    """This machine's clock, independent of the emulator's."""

    def __init__(self, seed: int, zero: float) -> None:
        super().__init__(seed)
        self._zero = zero

    def wall(self) -> float:
        return NOW + self.now() - self._zero


class Environment:
    """What a caller has to work with in a trial, and the record of the trial."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.store: dict[str, str] = {}
        """What survives the end of the caller's process."""
        self.spans: list[Span] = []
        self.log: list[tuple[float, str]] = []
        """What happened, with seconds since the trigger."""
        self.faults_end = 0.0
        self.emulator = HevoEmulator(
            seed=scenario.number,
            dialect=scenario.dialect,
            api_key=f"campaign-{scenario.seed}-{scenario.number}",
            start=NOW + scenario.clock_offset - scenario.lead,
            date_skew=scenario.date_skew,
            on_request=self._answered,
        )
        self.has_stored = asyncio.Event()
        self.others: list[Outcome] = []
        self._clients = 0
        self._killed = 0
        self._zero = 0.0
        self._killer: Killer | None = None
        self._outages = Outages([], self._stop_for)
        self._outage: asyncio.Task[None] | None = None
        self._stranger: asyncio.Task[None] | None = None

    @property
    def now(self) -> float:
        """The emulator's clock."""
        return self.emulator.now

    @asynccontextmanager
    async def client(self, base_url: str | None = None) -> AsyncIterator[HevoClient]:
        """Make a client, as a new process would; ``base_url`` is another address, of a relay."""
        self._clients += 1
        address = self.address
        if base_url is not None:
            address = address._replace(base_url=base_url)
        clock = _MachineClock(self.scenario.number + self._clients, self._zero)
        async with client_of(self.scenario, address, clock) as hevo:
            yield hevo

    @property
    def address(self) -> Address:
        """Where the emulator listens, and the credentials that it accepts."""
        emulator = self.emulator
        return Address(emulator.base_url, emulator.api_key, emulator.api_secret)

    @property
    def object_ids(self) -> list[str]:
        """The objects to resync."""
        return list(self.emulator.pipeline(PIPELINE).objects)[:2]

    def note(self, text: str) -> None:
        """Write a line into the trial's log."""
        self.log.append((self.now - self._began, text))

    @property
    def _began(self) -> float:
        return NOW + self.scenario.clock_offset

    async def timed(self, name: str, call: Awaitable[T]) -> T:
        """Await a call of the SDK, record how long it takes, and end it when it takes too long."""
        span = Span(name, self.now)
        self.spans.append(span)
        self.note(f"call {name}")
        try:
            result = await asyncio.wait_for(call, LONGEST_CALL)
        except asyncio.CancelledError:
            span.killed = True
            raise
        except asyncio.TimeoutError:
            if self.now - span.started < LONGEST_CALL:
                raise  # the caller's own time-out
            raise CallTooLong(name) from None
        except Exception as error:
            self.note(f"{name} raised {type(error).__name__}: {error}")
            raise
        else:
            self.note(f"{name} returned {result!r}"[:300])
            return result
        finally:
            span.ended = self.now

    async def stored(self) -> None:
        """Report that what the caller needs after a crash is stored."""
        if self._killer is not None:
            self._killer.stored()
        self.has_stored.set()
        await asyncio.sleep(self.scenario.pause)

    async def run_process(self, process: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Run a caller's process; when it is killed, run it again, to its end."""
        kills = iter(self.scenario.kills)
        while True:
            kill = next(kills, None)
            task: asyncio.Task[Outcome] = asyncio.ensure_future(_as_coroutine(process))
            self._killer = killer = Killer(kill, task)
            try:
                outcome = await task
            except asyncio.CancelledError:
                if not killer.has_killed:
                    raise
            else:
                if not killer.has_killed:
                    return outcome
            finally:
                killer.disarm()
            if kill is None:
                raise CallTooLong("too many requests")
            self._killed += 1
            self.note(f"killed: {kill}")
            await asyncio.sleep(kill.resume_after)
            self.note("resumed")

    async def run(self, caller: Callable[[Environment], Awaitable[Outcome]]) -> Evidence:
        """Run the trial with a caller; return the evidence."""
        async with self.emulator:
            await self._arrange()
            outcome = await self.outcome_of(caller(self))
            await asyncio.sleep(_SETTLE)
            if self._outage is not None:
                await self._outage
            scenario = self.scenario
            return Evidence(
                action=scenario.action,
                if_running=scenario.if_running,
                is_quiet=scenario.is_quiet,
                restart_duration=scenario.restart_duration,
                journal=list(self.emulator.requests),
                jobs=self.emulator.pipeline(PIPELINE).jobs,
                outcome=outcome,
                spans=self.spans,
                faults_end=self._faults_end(),
                pause=scenario.pause,
                killed=self._killed,
                others=self.others,
            )

    def _faults_end(self) -> float:
        endless = any(lie.times is None and lie.kind not in _HARMLESS for lie in self.scenario.lies)
        pauses = self.scenario.pause + (_GIVES_UP if self.scenario.lies else 0.0)
        return inf if endless else self.faults_end + pauses

    async def outcome_of(self, call: Awaitable[Outcome]) -> Outcome:
        """Await a caller; return its outcome, also when it hangs or raises."""
        try:
            outcome = await asyncio.wait_for(call, LONGEST_TRIAL)
        except (CallTooLong, asyncio.TimeoutError) as error:
            outcome = Outcome(HANG, detail=repr(error))
        except HevoError as error:
            outcome = Outcome(UNTYPED, detail=f"an unexpected HevoError: {error!r}")
        except Exception as error:  # noqa: BLE001 -- the campaign searches for them
            outcome = Outcome(UNTYPED, detail=repr(error))
        outcome.at = outcome.at or self.now
        # Ports differ from run to run; the text about a trial must not.
        port = self.emulator.base_url.rsplit(":", 1)[1]
        outcome.detail = outcome.detail.replace(port, "PORT")
        self.note(f"outcome: {outcome}")
        return outcome

    # -- inside -----------------------------------------------------------------------------------

    async def _arrange(self) -> None:
        scenario = self.scenario
        add_pipelines(self.emulator, scenario)
        age = scenario.running_age or 0.0
        await asyncio.sleep(scenario.lead - age)
        pipeline = self.emulator.pipeline(PIPELINE)
        if scenario.running_age is not None and pipeline.running is None:
            pipeline.start_job(now=self.now)
        await asyncio.sleep(age)
        self._zero = asyncio.get_running_loop().time()
        self.emulator.requests = ObservedJournal(self._arrived)
        for fault in scenario.faults:
            add_fault(self.emulator, scenario, fault)
        for lie in scenario.lies:
            _add_lie(self.emulator, scenario, lie)
        outages = [fault for fault in scenario.faults if fault.kind == "outage"]
        self._outages = Outages(outages, self._stop_for)
        if scenario.stranger is not None:
            self._stranger = asyncio.ensure_future(self._sync_as_stranger(scenario.stranger))

    async def _sync_as_stranger(self, moment: float) -> None:
        await asyncio.sleep(moment)
        pipeline = self.emulator.pipeline(PIPELINE)
        with suppress(Refused):
            pipeline.sync_now(self.now).origin = "stranger"

    def _arrived(self, call: RecordedCall) -> None:
        if self._killer is not None:
            self._killer.arrived(call)
            if len(self.emulator.requests) > RUNAWAY:
                self._killer.kill_now()

    def _answered(self, call: RecordedCall) -> None:
        what = "took effect" if call.took_effect else "no effect"
        status = "dropped" if call.status is None else call.status
        delay = f" (arrived {call.at - self._began:.3f})" if self.now > call.at else ""
        job = f", Job {call.job_id}" if call.job_id else ""
        faults = f", faults: {' '.join(call.faults)}" if call.faults else ""
        self.note(f"{call.method} {call.endpoint}{delay}: {status}, {what}{job}{faults}")
        if set(call.faults) - _HARMLESS:
            unread = _UNREAD if {"stray", "double"} & set(call.faults) else 0.0
            self.faults_end = max(self.faults_end, self.now + unread)
        self._outages.answered(call)
        if self._killer is not None:
            self._killer.answered(call)

    def _stop_for(self, seconds: float) -> None:
        if self._outage is None or self._outage.done():
            self._outage = asyncio.ensure_future(self._stop_and_start(seconds))

    async def _stop_and_start(self, seconds: float) -> None:
        self.note(f"the server stops for {seconds:.1f} s")
        await self.emulator.stop()
        await asyncio.sleep(seconds)
        with suppress(OSError):  # the port may be taken for a moment
            await self.emulator.start()
            self.faults_end = max(self.faults_end, self.now)
            self.note("the server is back")
            return
        await asyncio.sleep(1)
        await self.emulator.start()
        self.faults_end = max(self.faults_end, self.now)


def add_pipelines(emulator: HevoEmulator, scenario: Scenario) -> None:
    """Add the trial's Pipeline with its history and plans, and another one."""
    emulator.add_pipeline(OTHER_PIPELINE, status=PipelineStatus.DISABLED)
    added = emulator.now
    pipeline = emulator.add_pipeline(
        PIPELINE,
        every_minutes=scenario.every_minutes,
        restart_duration=scenario.restart_duration,
    )
    for past in reversed(scenario.history):
        pipeline.add_history(
            created=added - past.ago,
            duration=past.duration,
            status=past.status,
            job_type=past.type,
            skew=past.skew,
        )
    for plan in scenario.plans:
        pipeline.plan(
            duration=plan.duration, appears_after=plan.lag, outcome=plan.outcome, skew=plan.skew
        )
    if scenario.includes_object:
        pipeline.include_object("included")


def add_fault(emulator: HevoEmulator, scenario: Scenario, fault: PlannedFault) -> None:
    """Add a planned fault to the emulator's rules."""
    faults, kind = emulator.faults, fault.kind
    rule: dict[str, Any] = {
        "on": _endpoint(scenario, fault.on),
        "skip": fault.skip,
        "times": fault.times,
    }
    if kind in {"drop", "reset"}:
        faults.drop(effect=fault.effect, reset=kind == "reset", **rule)
    elif kind == "hold":
        faults.delay(fault.seconds, **rule)
        faults.drop(**rule)
    elif kind == "late":
        faults.delay(fault.seconds, **rule)
    elif kind == "slow":
        faults.delay(fault.seconds, effect="after", **rule)
    elif kind == "429":
        headers = _retry_after(emulator.now + (scenario.date_skew or 0.0), fault)
        faults.status(429, "slow down", headers=headers, **rule)
    elif kind in {"5xx", "gateway"}:
        faults.status(fault.status, fault.body, effect=fault.effect, **rule)
    elif kind != "outage":
        getattr(faults, kind)(**rule)


def _add_lie(emulator: HevoEmulator, scenario: Scenario, lie: Lie) -> None:
    options = dict(lie.options)
    if lie.kind == "other_id" and not options:
        past = [job.job_id for job in emulator.pipeline(PIPELINE).jobs if job.origin == "history"]
        if not past:
            return  # there is no other Job
        options = {"job_id": past[-1]}
    getattr(emulator.faults, lie.kind)(
        **options,
        on=_endpoint(scenario, lie.on),
        times=lie.times,
        skip=lie.skip,
        probability=lie.probability,
    )


def _endpoint(scenario: Scenario, on: str) -> str:
    return POSTS.get(scenario.action, "sync_now") if on == "post" else on


def _retry_after(date: float, fault: PlannedFault) -> dict[str, str]:
    seconds = fault.seconds - _RETRY_AFTER
    if fault.retry_after == "date":
        return {"Retry-After": formatdate(date + seconds, usegmt=True)}
    return {} if fault.retry_after is None else {"Retry-After": str(int(seconds))}


async def _as_coroutine(process: Callable[[], Awaitable[Outcome]]) -> Outcome:
    return await process()
