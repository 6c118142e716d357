"""``python -X dev -W error`` has nothing to say: no warning, nothing unclosed, nothing unawaited."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from hevo_edge.emulator import HevoEmulator

pytestmark = pytest.mark.real_time

HEAD = """
import asyncio, sys
from hevo_edge import HevoClient, errors
from hevo_edge.orchestration import ClientPool, run

SHORT = {"poll_interval": 0.05, "timeout": 60}
hevo = HevoClient.from_env()

async def sync(**options):
    job = await hevo.pipeline(1).trigger(if_running="wait", timeout=60, **options)
    return await job.await_completion(**SHORT)

async def long_job():
    return await hevo.pipeline(2).active_job()
"""
SCRIPTS = {
    "closed": """
async def main():
    async with hevo:
        await sync(on_ticket=lambda ticket: None)
        async for snapshot in (await long_job()).watch(poll_interval=0.05):
            break
        async for job in hevo.as_completed([await sync()], **SHORT):
            break
asyncio.run(main())
""",
    "never closed": """
asyncio.run(sync())
""",
    "never closed, in two loops": """
asyncio.run(sync())
asyncio.run(sync())
""",
    "dropped in the loop": """
async def main():
    global hevo
    await sync()
    hevo = None
    await asyncio.sleep(0)
asyncio.run(main())
""",
    "made and never used": """
HevoClient.from_env()
""",
    "a wait is cancelled": """
async def main():
    job = await long_job()
    waits = [asyncio.ensure_future(job.await_completion(**SHORT)) for _ in range(3)]
    waits.append(asyncio.ensure_future(hevo.await_all([job], **SHORT)))
    waits.append(asyncio.ensure_future(hevo.pipeline(1).await_completion(**SHORT)))
    await asyncio.sleep(0.3)
    for wait in waits:
        wait.cancel()
    await asyncio.wait(waits)
asyncio.run(main())
""",
    "cancelled at the end": """
async def main():
    job = await long_job()
    main.waiting = asyncio.ensure_future(job.await_completion(**SHORT))
    main.triggering = asyncio.ensure_future(sync())
    main.watching = job.watch(poll_interval=0.05)
    await anext(main.watching)
    await asyncio.sleep(0.3)
asyncio.run(main())
""",
    "cancelled with its Job": """
async def main():
    job = await hevo.pipeline(3).active_job()
    waiting = asyncio.ensure_future(job.await_completion(**SHORT, cancel_on_interrupt=True))
    await asyncio.sleep(0.3)
    waiting.cancel()
    waiting.cancel()
    await asyncio.wait([waiting])
asyncio.run(main())
""",
    "out of time": """
async def main():
    job = await long_job()
    try:
        await asyncio.wait_for(job.await_completion(**SHORT), 0.3)
    except asyncio.TimeoutError:
        pass
    try:
        await job.await_completion(timeout=0.3, poll_interval=0.05)
    except errors.JobTimeout:
        pass
asyncio.run(main())
""",
    "closed while others wait": """
async def main():
    job = await long_job()
    waits = [asyncio.ensure_future(job.await_completion(**SHORT)) for _ in range(3)]
    await asyncio.sleep(0.3)
    await hevo.close()
    outcomes = await asyncio.gather(*waits, return_exceptions=True)
    assert all(isinstance(each, errors.HevoError) for each in outcomes)
asyncio.run(main())
""",
    "a failing callback": """
async def main():
    async def on_update(job):
        await asyncio.sleep(0.01)
        raise ValueError
    try:
        await (await long_job()).await_completion(**SHORT, on_update=on_update)
    except ValueError:
        pass
asyncio.run(main())
""",
    "nothing is there": """
async def main():
    for use in (hevo.get_pipeline(99), hevo.pipeline(99).trigger(), hevo.job("99:a").refresh()):
        try:
            await use
        except errors.NotFound:
            pass
asyncio.run(main())
""",
    "synchronous": """
run(sync())
async def inside():
    async def work():
        async with HevoClient.from_env() as own:
            await own.get_pipeline(1)
    run(work())
asyncio.run(inside())
""",
    "exit in a coroutine": """
async def main():
    waiting = asyncio.ensure_future((await long_job()).await_completion(**SHORT))
    await asyncio.sleep(0.3)
    sys.exit(0)
asyncio.run(main())
""",
}
BUSY = re.compile(r"^Executing <.*> took 0\.\d+ seconds\n", re.MULTILINE)
"""What asyncio's debug mode says of a callback on a busy machine."""


@pytest.fixture
def emulator() -> Iterator[HevoEmulator]:
    """An emulator in a thread of its own: Pipelines 2 and 3 have a Job that runs for hours."""
    with HevoEmulator(speed=100.0) as emulator:
        emulator.add_pipeline(1, duration=20.0)
        for number in (2, 3):
            pipeline = emulator.add_pipeline(number, duration=360000.0, appears_after=0)
            pipeline.start_job(now=emulator.now)
        yield emulator


@pytest.mark.parametrize("script", SCRIPTS)
def test_nothing_is_said(emulator: HevoEmulator, script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", HEAD + SCRIPTS[script]],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **emulator.environment},
    )
    assert BUSY.sub("", done.stderr) == ""
    assert done.returncode == 0
