"""A Run shows how it goes, where that is wanted."""

from __future__ import annotations

import pytest

from hevo_edge import HevoClient
from hevo_edge.emulator import HevoEmulator
from hevo_edge.orchestration import Run, RunSpec
from tests.conftest import client_of
from tests.orchestration.support import CutOff, DictStore, job_of, posts


def attempt(store: DictStore, *, progress: bool) -> Run:
    return Run(RunSpec(123), store, account="account", progress=progress)


@pytest.mark.parametrize("progress", [True, False])
async def test_a_run_shows_its_start_and_its_wait(
    emulator: HevoEmulator,
    hevo: HevoClient,
    store: DictStore,
    capsys: pytest.CaptureFixture[str],
    progress: bool,
) -> None:
    run = attempt(store, progress=progress)
    job = job_of(await run.start(hevo))
    await run.wait(hevo)
    printed = capsys.readouterr().err
    assert (f"became Job {job.id}" in printed) == progress
    assert (f"Job {job.id}: COMPLETED" in printed) == progress


async def test_a_run_that_is_resumed_shows_it_without_a_request_more(
    emulator: HevoEmulator, capsys: pytest.CaptureFixture[str]
) -> None:
    emulator.pipeline(123).appears_after = 0
    requests = []
    for progress in (False, True):
        store = DictStore()
        store.dies_after = 2
        async with client_of(emulator) as hevo:
            with pytest.raises(CutOff):
                await attempt(store, progress=False).start(hevo)
        before = len(emulator.requests)
        async with client_of(emulator) as hevo:
            run = attempt(store, progress=progress)
            job = job_of(await run.start(hevo))
            assert (f"became Job {job.id}" in capsys.readouterr().err) == progress
            requests.append(len(emulator.requests) - before)
            run.finish(await run.wait(hevo))
    assert requests[0] == requests[1]
    assert posts(emulator) == 2
