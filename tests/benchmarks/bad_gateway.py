"""Two days behind a gateway that answers badly, one time in twenty: no wait may end wrongly.

Run it: python -m tests.benchmarks.bad_gateway [--hours 48] [--pipelines 10] [--share 0.05] [--seed 1]

In virtual time, over real sockets, against the emulator. Of all requests, so many get in place of
Hevo's answer, before or after its effect: 502, 503, 504, 408, a redirect to a login page, HTML pages
with 200, 401, 403 and 404, half a body, a reset, or nothing for 40 s. Each Pipeline is triggered, its
Job, of a minute to six hours (many of them short), awaited, and then the next; half as many callers wait for whatever runs
next. What a trigger leaves open is reconciled.

It prints how many waits there were, which ended wrongly, and how many lines were logged from INFO
and from WARNING on. It exits with 1 when a wait or a trigger ended wrongly, when a Pipeline had more
runs than were asked for, or with 200 warnings.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
from collections import Counter
from dataclasses import dataclass, field

from hevo_edge import HevoClient, Job, RateLimit, errors
from hevo_edge._common.clock import Clock
from hevo_edge.emulator import HevoEmulator
from hevo_edge.emulator.virtual_time import run

START = 1_767_225_600.0
MAX_WARNINGS = 200
_PAGE = "<html><head><title>Sign in</title></head><body>...</body></html>"
_STATUSES = (502, 503, 504, 408, 302, 401, 403, 404)


class Lines(logging.Handler):
    """Counts the lines of a log by level."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.by_level: Counter[int] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Count one."""
        self.by_level[record.levelno] += 1


@dataclass
class Days:
    """The callers, and what became of their calls.

    Attributes:
        ends: When the last run begins, in loop time.
        asked: How many runs were asked for, by Pipeline.
        outcomes: How many calls ended how.
        wrong: What ended wrongly, in words.
    """

    emulator: HevoEmulator
    hevo: HevoClient
    ends: float
    asked: Counter[int] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    async def run_one_after_another(self, pipeline_id: int) -> None:
        """Trigger a Pipeline, and await its Job, again and again."""
        while _now() < self.ends:
            job = await self.trigger(pipeline_id)
            if job is not None:
                await self.ended(job)

    async def trigger(self, pipeline_id: int) -> Job | None:
        """Start one run; search, and start it again, where that is left open."""
        self.asked[pipeline_id] += 1
        try:
            return await self.hevo.pipeline(pipeline_id).trigger(if_running="wait")
        except errors.TriggerError as error:
            self.outcomes["triggers left open"] += 1
            found = await self.hevo.reconcile(error.ticket)
            return found or await self.hevo.fire(error.ticket)
        except errors.HevoError as error:
            self.wrong.append(f"trigger of Pipeline {pipeline_id}: {error}")
            return None

    async def ended(self, job: Job) -> None:
        """Await a Job, and compare its end with what the emulator knows."""
        try:
            await job.await_completion()
        except errors.JobDidNotSucceed:
            pass
        except errors.HevoError as error:
            self.wrong.append(f"wait for {job.ref}: {error}")
            return
        rows = self.emulator.pipeline(job.pipeline_id).jobs
        real = next(row for row in rows if row.job_id == job.id)
        self.outcomes["waits"] += 1
        if str(real.status) != job.status:
            self.wrong.append(f"{job.ref} is {real.status}, not {job.status}")

    async def await_next(self, pipeline_id: int) -> None:
        """Wait for whatever runs next, again and again."""
        while True:
            try:
                await self.hevo.pipeline(pipeline_id).await_completion()
            except errors.JobDidNotSucceed:
                pass
            except errors.HevoError as error:
                self.wrong.append(f"wait for the next Job of Pipeline {pipeline_id}: {error}")
                return
            self.outcomes["waits for the next Job"] += 1


def _now() -> float:
    return asyncio.get_running_loop().time()


def answer_badly(emulator: HevoEmulator, share: float) -> None:
    """Let a gateway answer in place of Hevo, for such a share of all requests."""
    faults, each = emulator.faults, share / (2 * len(_STATUSES) + 4)
    for status in _STATUSES:
        for effect in ("before", "after"):
            faults.status(status, _PAGE, effect=effect, probability=each, times=None)
    faults.html(probability=each, times=None)
    faults.truncate(probability=each, times=None)
    faults.drop(reset=True, probability=each, times=None)
    faults.delay(40.0, probability=each, times=None)


async def live(hours: float, pipelines: int, share: float, seed: int) -> Days:
    """Live through so many hours."""
    emulator = HevoEmulator(seed=seed, start=START, journal_limit=2000)
    chance = random.Random(seed)
    for number in range(1, pipelines + 1):
        pipeline = emulator.add_pipeline(number, job_limit=50)
        for _ in range(1000):
            outcome = chance.choices(["COMPLETED", "FAILED"], [9, 1])[0]
            pipeline.plan(duration=60 * 360 ** chance.random(), outcome=outcome)
    async with (
        emulator,
        HevoClient(
            emulator.api_key,
            emulator.api_secret,
            base_url=emulator.base_url,
            rate_limit=RateLimit(),
            clock=Clock(seed=seed),
        ) as hevo,
    ):
        answer_badly(emulator, share)
        days = Days(emulator, hevo, _now() + hours * 3600)
        ids = range(1, pipelines + 1)
        others = [asyncio.create_task(days.await_next(number)) for number in ids if number % 2 == 0]
        try:
            await asyncio.gather(*(days.run_one_after_another(number) for number in ids))
        finally:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        for number in ids:
            runs = len(emulator.pipeline(number).jobs)
            if runs > days.asked[number]:
                days.wrong.append(f"Pipeline {number} had {runs} runs, not {days.asked[number]}")
    return days


def measure(hours: float, pipelines: int, share: float, seed: int) -> tuple[Days, Lines]:
    """Live through so many hours, and count what is logged."""
    lines, logger = Lines(), logging.getLogger("hevo_edge")
    level = logger.level
    logger.addHandler(lines)
    logger.setLevel(logging.INFO)
    try:
        return run(live(hours, pipelines, share, seed)), lines
    finally:
        logger.removeHandler(lines)
        logger.setLevel(level)


def main() -> int:
    """Print what came out; return 1 when anything ended wrongly."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--hours", type=float, default=48)
    options.add_argument("--pipelines", type=int, default=10)
    options.add_argument("--share", type=float, default=0.05)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    days, lines = measure(asked.hours, asked.pipelines, asked.share, asked.seed)
    warnings = sum(n for level, n in lines.by_level.items() if level >= logging.WARNING)
    print(f"{asked.hours:g} hours, {asked.pipelines} Pipelines, {asked.share:.0%} bad answers")
    print(f"runs asked for: {sum(days.asked.values())}; {dict(days.outcomes)}")
    print(f"lines logged: {warnings} warnings, {lines.by_level[logging.INFO]} of INFO")
    print(f"ended wrongly: {len(days.wrong)}", *days.wrong[:20], sep="\n")
    return 1 if days.wrong or warnings >= MAX_WARNINGS else 0


if __name__ == "__main__":
    logging.getLogger("hevo_edge").propagate = False
    raise SystemExit(main())
