"""Never doubled: where tickets are kept, and what goes on with them."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from prefect import flow, get_client, task
from prefect.context import FlowRunContext
from prefect.flow_engine import run_flow
from prefect.states import Pending
from prefect.variables import Variable

from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.prefect import (
    HevoCredentials,
    HevoPipeline,
    sync_and_wait,
    trigger_sync,
    wait_for_job,
)
from hevo_edge.integrations.prefect.stores import MAX_RUNS, Caller, LabelStore, VariableStore
from tests.integrations.prefect.support import OFTEN, flow_run, last_job, places, starts


class Crash(BaseException):
    """The process dies."""


def own_id() -> UUID:
    """Return the id of the flow run that calls."""
    context = FlowRunContext.get()
    assert context is not None
    assert context.flow_run is not None
    return context.flow_run.id


def run_again(one: Any, run_id: UUID) -> Any:
    """Run a flow run once more, as a worker does that has got it anew."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run_id, Pending(), force=True)
        return run_flow(one, flow_run=client.read_flow_run(run_id))


def test_a_crashed_flow_run_goes_on_with_its_job(
    credentials: HevoCredentials, emu: HevoEmulator
) -> None:
    runs: list[UUID] = []

    @flow
    def crashes_once() -> Any:
        runs.append(own_id())
        job = trigger_sync(credentials, 123)
        if len(runs) == 1:
            raise Crash
        last_job(emu).end(emu.now, "COMPLETED")
        return wait_for_job(credentials, job, **OFTEN)

    with pytest.raises(Crash):
        crashes_once()
    first = last_job(emu).job_id
    assert run_again(crashes_once, runs[0])["job_id"] == first
    assert runs[0] == runs[1]
    assert starts(emu) == 1


def test_a_job_that_ended_well_is_not_run_again_by_a_rerun(
    credentials: HevoCredentials, emu: HevoEmulator
) -> None:
    runs: list[UUID] = []
    jobs: list[Any] = []

    @flow
    def fails_later() -> Any:
        runs.append(own_id())
        jobs.extend(sync_and_wait(credentials, 7, **OFTEN)["job_id"] for _ in range(2))
        if len(runs) == 1:
            raise OSError("what comes after the syncs")

    with pytest.raises(OSError, match="after the syncs"):
        fails_later()
    run_again(fails_later, runs[0])
    # Twice in one attempt are two runs, and the next attempt takes each again.
    assert jobs[0] != jobs[1]
    assert jobs[2:] == jobs[:2]
    assert starts(emu) == 2


def test_flow_retries_take_the_job_too(credentials: HevoCredentials, emu: HevoEmulator) -> None:
    attempts: list[int] = []

    @flow(retries=1)
    def fails_once() -> None:
        sync_and_wait(credentials, 7, **OFTEN)
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError

    fails_once()
    assert (len(attempts), starts(emu)) == (2, 1)


def test_a_failed_job_is_run_again_by_a_rerun(
    credentials: HevoCredentials, emu: HevoEmulator
) -> None:
    runs: list[UUID] = []

    @flow
    def once() -> Any:
        runs.append(own_id())
        return sync_and_wait(credentials, 7, **OFTEN)

    emu.pipeline(7).plan(outcome="FAILED")
    state: Any = once(return_state=True)
    assert state.is_failed()
    assert not any(place["ticket"] for place in places(flow_run(runs[0])))
    run_again(once, runs[0])
    assert starts(emu) == 2


def test_a_task_of_ones_own_that_is_retried(
    credentials: HevoCredentials, emu: HevoEmulator
) -> None:
    attempts: list[Any] = []

    @task(retries=1)
    def mine() -> dict[str, Any]:
        job_run = HevoPipeline(credentials=credentials, pipeline_id=123, **OFTEN).trigger()
        attempts.append(job_run.job["job_id"])
        if len(attempts) == 1:
            raise OSError
        last_job(emu).end(emu.now, "COMPLETED")
        job_run.wait_for_completion()
        return job_run.fetch_result()

    @flow
    def wraps() -> dict[str, Any]:
        return mine()

    assert wraps()["status"] == "COMPLETED"
    assert attempts[0] == attempts[1]
    assert starts(emu) == 1


def test_a_subflow_that_is_made_anew_finds_the_ticket(
    credentials: HevoCredentials, emu: HevoEmulator
) -> None:
    runs: list[UUID] = []

    @flow
    def inner() -> Any:
        job = trigger_sync(credentials, 123)
        if len(runs) == 1:
            raise Crash
        return job

    @flow
    def outer() -> Any:
        runs.append(own_id())
        return inner()

    with pytest.raises(Crash):
        outer()
    assert len(places(flow_run(runs[0]))) == 1
    assert run_again(outer, runs[0])["job_id"] == last_job(emu).job_id
    assert starts(emu) == 1


def test_without_a_store_nothing_is_kept(credentials: HevoCredentials, emu: HevoEmulator) -> None:
    runs: list[UUID] = []

    @flow
    def once() -> Any:
        runs.append(own_id())
        return sync_and_wait(credentials, 7, durable=False, **OFTEN)

    once()
    assert places(flow_run(runs[0])) == []
    run_again(once, runs[0])
    assert starts(emu) == 2


def test_the_labels_hold_no_secret_and_name_the_block(
    credentials: HevoCredentials, emu: HevoEmulator
) -> None:
    runs: list[UUID] = []

    @flow
    def once() -> Any:
        runs.append(own_id())
        return sync_and_wait(HevoCredentials.load("hevo"), 7, **OFTEN)

    once()
    labels = f"{flow_run(runs[0]).labels}"
    assert emu.api_secret not in labels
    assert emu.api_key not in labels
    (place,) = places(flow_run(runs[0]))
    assert (place["key"], place["block"], place["is_done"]) == ("hevo_edge.7.1", "hevo", True)


def test_a_flow_run_keeps_some_places_and_no_more(credentials: HevoCredentials) -> None:
    @flow
    async def loops() -> UUID:
        run_id = own_id()
        for number in range(MAX_RUNS + 2):
            store = await LabelStore.open(Caller((run_id,), {f"{run_id}": 1}), 7, None)
            assert store.load() is None
            await store.save(f"{number}")
            store.done()
            await store.flush()
        return run_id

    kept = [place["ticket"] for place in places(flow_run(asyncio.run(loops())))]
    assert kept == [*map(str, range(MAX_RUNS - 1)), f"{MAX_RUNS + 1}"]


def test_those_who_start_at_the_same_time_have_a_place_each(credentials: HevoCredentials) -> None:
    @flow
    async def at_once() -> UUID:
        run_id = own_id()
        caller = Caller((run_id,), {f"{run_id}": 1})
        stores = await asyncio.gather(*(LabelStore.open(caller, 7, None) for _ in range(5)))
        await asyncio.gather(*(store.save("ticket") for store in stores))
        return run_id

    assert len(places(flow_run(asyncio.run(at_once())))) == 5


# -- outside of flow runs -------------------------------------------------------------------------


def test_outside_of_a_flow_run_a_variable_keeps_it(
    credentials: HevoCredentials, emu: HevoEmulator
) -> None:
    def start() -> Any:
        return HevoPipeline(credentials=credentials, pipeline_id=123, **OFTEN).trigger()

    first, name = start(), f"hevo_edge_ticket_{credentials.account().fingerprint}_123"
    assert Variable.get(name)
    again = start()
    assert again.job["job_id"] == first.job["job_id"]
    last_job(emu).end(emu.now, "COMPLETED")
    again.wait_for_completion()
    assert again.fetch_result()["status"] == "COMPLETED"
    assert Variable.get(name) is None
    assert starts(emu) == 1


def test_a_variable_has_room_for_a_long_history(server: Any) -> None:
    ids = [f"{UUID(int=number * 7919**9 % 2**128)}" for number in range(150)]
    text = f'{{"known": {ids}}}'
    assert len(text) > 5000

    async def keep_and_forget() -> None:
        await (await VariableStore.open("account", 7)).save(text)
        store = await VariableStore.open("account", 7)
        assert store.load() == text
        store.done()
        await store.flush()
        assert (await VariableStore.open("account", 7)).load() is None

    asyncio.run(keep_and_forget())
