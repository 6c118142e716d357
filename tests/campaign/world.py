"""One trial: an emulator that misbehaves as drawn, and a caller that may die and come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from email.utils import formatdate
from typing import Any, TypeVar

import aiohttp

from hevo_edge import HevoClient
from hevo_edge._common.clock import Clock
from hevo_edge.emulator import HevoEmulator, RecordedCall
from hevo_edge.emulator.pipeline import Refused
from hevo_edge.errors import HevoError

from .outcome import HANG, UNTYPED, Evidence, Outcome, Span
from .scenario import Scenario, Trouble
from .watching import RUNAWAY, Killer, Outages, WatchedJournal

T = TypeVar("T")

PIPELINE = 123
NOW = 1_767_225_600.0
"""This machine's clock at the trigger: 2026-01-01 00:00:00 UTC."""
LONGEST_CALL = 3600.0
LONGEST_TRIAL = 6 * 3600.0
_SETTLE = 60.0  # seconds after the end, for what is still on its way in the server
_RETRY_AFTER = 25.0  # seconds less than a fault's


class Hung(Exception):
    """A call lasted longer than any may."""


class _MachineClock(Clock):
    """This machine's clock, which knows nothing of the emulator's."""

    def __init__(self, seed: int, zero: float) -> None:
        super().__init__(seed)
        self._zero = zero

    def wall(self) -> float:
        return NOW + self.now() - self._zero


class World:
    """What a caller sees of a trial, and what is noted of it."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.store: dict[str, str] = {}
        """What survives the death of the caller's process."""
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
        self._clients = 0
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
    async def client(self) -> AsyncIterator[HevoClient]:
        """Make a client, as a new process would."""
        self._clients += 1
        body = self.scenario.dialect.resync_body
        session = None
        if self.scenario.fresh_connections:
            session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
        hevo = HevoClient(
            self.emulator.api_key,
            self.emulator.api_secret,
            base_url=self.emulator.base_url,
            session=session,
            dialect="drop_and_load" if body == "drop_and_load" else "resync_mode",
            clock=_MachineClock(self.scenario.number + self._clients, self._zero),
        )
        try:
            yield hevo
        finally:
            # When killed, nothing more is said: this closes the sockets, as a dying process does.
            await hevo.close()
            if session is not None:
                await session.close()

    def note(self, text: str) -> None:
        """Write a line into the trial's log."""
        self.log.append((self.now - self._began, text))

    @property
    def _began(self) -> float:
        return NOW + self.scenario.clock_offset

    async def timed(self, name: str, call: Awaitable[T]) -> T:
        """Await a call of the SDK, note how long it takes, and end it when it takes too long."""
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
                raise  # not ours
            raise Hung(name) from None
        except Exception as error:
            self.note(f"{name} raised {type(error).__name__}: {error}")
            raise
        else:
            self.note(f"{name} returned {result!r}"[:300])
            return result
        finally:
            span.ended = self.now

    async def stored(self) -> None:
        """Say that what the caller needs after a crash is stored."""
        if self._killer is not None:
            self._killer.stored()
        await asyncio.sleep(0)

    async def survive(self, life: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Run a caller's process; when it is killed, run it again, to its end."""
        kills = iter(self.scenario.kills)
        while True:
            kill = next(kills, None)
            task: asyncio.Task[Outcome] = asyncio.ensure_future(_as_coroutine(life))
            self._killer = killer = Killer(kill, task)
            try:
                outcome = await task
            except asyncio.CancelledError:
                if not killer.has_struck:
                    raise
            else:
                if not killer.has_struck:
                    return outcome
            finally:
                killer.disarm()
            if kill is None:
                raise Hung("far too many requests")
            self.note(f"killed: {kill}")
            await asyncio.sleep(kill.resume_after)
            self.note("resumed")

    async def judge_by(self, caller: Callable[[World], Awaitable[Outcome]]) -> Evidence:
        """Let a caller run through the trial; return the evidence."""
        async with self.emulator:
            await self._arrange()
            try:
                outcome = await asyncio.wait_for(caller(self), LONGEST_TRIAL)
            except (Hung, asyncio.TimeoutError) as error:
                outcome = Outcome(HANG, detail=repr(error))
            except HevoError as error:
                outcome = Outcome(UNTYPED, detail=f"a HevoError nobody expects: {error!r}")
            except Exception as error:  # noqa: BLE001 -- just these are looked for
                outcome = Outcome(UNTYPED, detail=repr(error))
            outcome.at = self.now
            # Ports differ from run to run; the words about a trial should not.
            port = self.emulator.base_url.rsplit(":", 1)[1]
            outcome.detail = outcome.detail.replace(port, "PORT")
            self.note(f"outcome: {outcome}")
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
                faults_end=self.faults_end,
            )

    # -- inside -----------------------------------------------------------------------------------

    async def _arrange(self) -> None:
        scenario = self.scenario
        added = self.now
        pipeline = self.emulator.add_pipeline(
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
            )
        for plan in scenario.plans:
            pipeline.plan(duration=plan.duration, appears_after=plan.lag)
        age = scenario.running_age or 0.0
        await asyncio.sleep(scenario.lead - age)
        pipeline = self.emulator.pipeline(PIPELINE)
        if scenario.running_age is not None and pipeline.running is None:
            pipeline.start_job(now=self.now)
        await asyncio.sleep(age)
        self._zero = asyncio.get_running_loop().time()
        self.emulator.requests = WatchedJournal(self._arrived)
        for trouble in scenario.troubles:
            self._add(trouble)
        outages = [trouble for trouble in scenario.troubles if trouble.kind == "outage"]
        self._outages = Outages(outages, self._stop_for)
        if scenario.stranger is not None:
            self._stranger = asyncio.ensure_future(self._be_somebody_else(scenario.stranger))

    async def _be_somebody_else(self, moment: float) -> None:
        await asyncio.sleep(moment)
        pipeline = self.emulator.pipeline(PIPELINE)
        with suppress(Refused):
            pipeline.sync_now(self.now).origin = "stranger"

    def _add(self, trouble: Trouble) -> None:
        faults, kind = self.emulator.faults, trouble.kind
        post = "resync_pipeline" if self.scenario.action == "RESYNC" else "sync_now"
        on = post if trouble.on == "post" else trouble.on
        rule: dict[str, Any] = {"on": on, "skip": trouble.skip, "times": trouble.times}
        if kind == "drop":
            faults.drop(effect=trouble.effect, **rule)
        elif kind == "hold":
            faults.delay(trouble.seconds, **rule)
            faults.drop(**rule)
        elif kind == "late":
            faults.delay(trouble.seconds, **rule)
        elif kind == "slow":
            faults.delay(trouble.seconds, effect="after", **rule)
        elif kind == "429":
            faults.status(429, "slow down", headers=self._retry_after(trouble), **rule)
        elif kind == "5xx":
            faults.status(trouble.status, trouble.body, effect=trouble.effect, **rule)
        elif kind != "outage":
            getattr(faults, kind)(**rule)

    def _retry_after(self, trouble: Trouble) -> dict[str, str]:
        seconds = trouble.seconds - _RETRY_AFTER
        if trouble.retry_after == "date":
            skew = self.scenario.date_skew or 0.0
            return {"Retry-After": formatdate(self.now + skew + seconds, usegmt=True)}
        return {} if trouble.retry_after is None else {"Retry-After": str(int(seconds))}

    def _arrived(self, call: RecordedCall) -> None:
        if self._killer is not None:
            self._killer.arrived(call)
            if len(self.emulator.requests) > RUNAWAY:
                self._killer.strike()

    def _answered(self, call: RecordedCall) -> None:
        what = "took effect" if call.took_effect else "no effect"
        status = "dropped" if call.status is None else call.status
        held = f" (arrived {call.at - self._began:.3f})" if self.now > call.at else ""
        job = f", Job {call.job_id}" if call.job_id else ""
        faults = f", faults: {' '.join(call.faults)}" if call.faults else ""
        self.note(f"{call.method} {call.endpoint}{held}: {status}, {what}{job}{faults}")
        if call.faults:
            self.faults_end = max(self.faults_end, self.now)
        self._outages.answered(call)
        if self._killer is not None:
            self._killer.answered(call)

    def _stop_for(self, seconds: float) -> None:
        if self._outage is None or self._outage.done():
            self._outage = asyncio.ensure_future(self._be_out(seconds))

    async def _be_out(self, seconds: float) -> None:
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


async def _as_coroutine(life: Callable[[], Awaitable[Outcome]]) -> Outcome:
    return await life()
