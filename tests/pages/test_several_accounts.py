"""What the page docs/several-accounts.md says, beside its block."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hevo_edge import RateLimit, errors
from hevo_edge.emulator import HevoEmulator
from tests.conftest import client_of


@pytest.fixture
async def other() -> AsyncIterator[HevoEmulator]:
    """Another account, which has the same Pipeline."""
    async with HevoEmulator(seed=1, api_key="other-key", api_secret="other-secret") as other:
        other.add_pipeline(123)
        yield other


async def test_each_has_a_budget_of_its_own(emulator: HevoEmulator, other: HevoEmulator) -> None:
    """Here, of ten calls a minute: what one client has used up the other has left."""
    ten = RateLimit(10, 60.0)
    loop = asyncio.get_running_loop()
    ours, theirs = client_of(emulator, rate_limit=ten), client_of(other, rate_limit=ten)
    async with ours, theirs:
        began = loop.time()
        reads = [each.get_pipeline(123) for each in (ours, theirs) for _ in range(9)]
        await asyncio.gather(*reads)
        assert loop.time() - began < 30
        await asyncio.gather(*(ours.get_pipeline(123) for _ in range(9)))
        assert loop.time() - began > 60


async def test_what_goes_wrong_with_one_leaves_the_other_alone(
    emulator: HevoEmulator, other: HevoEmulator
) -> None:
    async with client_of(emulator) as ours, client_of(other) as theirs:
        jobs = [await each.pipeline(123).trigger() for each in (ours, theirs)]
        waits = [asyncio.ensure_future(job.await_completion()) for job in jobs]
        emulator.api_secret = "rotated"
        other.faults.status(429, headers={"Retry-After": "90"}, on="get_job")
        done = await asyncio.gather(*waits, return_exceptions=True)
        assert isinstance(done[0], errors.AuthenticationError)
        assert done[1] is jobs[1]
        assert jobs[1].status == "COMPLETED"


async def test_a_job_knows_its_account_and_a_ref_does_not(
    emulator: HevoEmulator, other: HevoEmulator
) -> None:
    async with client_of(emulator) as ours, client_of(other) as theirs:
        job = await ours.pipeline(123).trigger()
        calls = len(other.requests)
        with pytest.raises(errors.ConfigurationError, match="another account"):
            await theirs.await_all([job])
        ticket = await ours.pipeline(123).prepare_trigger(if_running="join")
        with pytest.raises(errors.ConfigurationError, match="another account"):
            await theirs.fire(ticket)
        assert len(other.requests) == calls
        assert theirs.job(job.ref) != job
        assert theirs.pipeline(123) != ours.pipeline(123)
        with pytest.raises(errors.NotFound):
            await theirs.job(job.ref).refresh()


async def test_after_a_change_of_keys_the_ref_goes_on(emulator: HevoEmulator) -> None:
    async with client_of(emulator) as old:
        job = await old.pipeline(123).trigger()
    emulator.api_key, emulator.api_secret = "new-key", "new-secret"
    async with client_of(emulator) as new:
        assert (await new.job(job.ref).await_completion()).status == "COMPLETED"


async def test_processes_of_a_key_share_a_window_and_two_accounts_never_do(
    emulator: HevoEmulator,
    other: HevoEmulator,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    windows = []
    for account in (emulator, emulator, other):
        async with client_of(account, rate_limit=RateLimit(shared=True)) as hevo:
            await hevo.get_pipeline(123)
        windows.append(len([path for path in tmp_path.rglob("*") if path.is_file()]))
    assert windows == [1, 1, 2]
