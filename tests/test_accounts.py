"""Handles of two accounts: what is of one is not used, and not mistaken, with the other's client."""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator

import pytest

from hevo_edge import HevoClient, Job, errors
from hevo_edge.emulator import HevoEmulator
from hevo_edge.orchestration import Account
from hevo_edge.triggering import TriggerTicket
from tests.awaiting.support import started
from tests.conftest import START, client_of


@pytest.fixture
async def theirs() -> AsyncIterator[HevoClient]:
    """Make a client of another account, which has a Pipeline of the same id."""
    async with HevoEmulator(seed=2, start=START, api_key="theirs") as other:
        other.add_pipeline(123)
        async with client_of(other) as hevo:
            yield hevo


@pytest.mark.parametrize("cancel", [True, False])
async def test_a_job_of_another_account_is_refused_before_any_request(
    cancel: bool, emulator: HevoEmulator, hevo: HevoClient, theirs: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=100)
    _, own = started(emulator, hevo, duration=100)
    several: list[list[Job | str]] = [[job], [own.ref, job]]
    for jobs in several:
        with pytest.raises(errors.ConfigurationError, match=r"another account.*than this client"):
            await theirs.await_all(jobs, cancel_on_interrupt=cancel)
        with pytest.raises(errors.ConfigurationError, match="another account"):
            async for _ in theirs.as_completed(jobs):
                pass
    with pytest.raises(errors.ConfigurationError, match=r"HevoClient.job\(job.ref\)"):
        await theirs.await_all([pickle.loads(pickle.dumps(job))])
    assert not emulator.requests
    assert await hevo.await_all([job]) == [job]


async def test_two_clients_of_one_account_share_their_jobs(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=100)
    async with client_of(emulator) as elsewhere:
        assert elsewhere.job(job.ref) == job
        assert elsewhere.pipeline(123) == hevo.pipeline(123)
        assert len({elsewhere.job(job.ref), job, pickle.loads(pickle.dumps(job))}) == 1
        assert await elsewhere.await_all([job, job.ref]) == [job, job]


async def test_handles_of_two_accounts_are_two(hevo: HevoClient, theirs: HevoClient) -> None:
    assert hevo.job("1:a") != theirs.job("1:a")
    assert len({hevo.job("1:a"), theirs.job("1:a"), hevo.job("1:a")}) == 2
    assert hevo.pipeline(1) != theirs.pipeline(1)
    assert len({hevo.pipeline(1), theirs.pipeline(1), hevo.pipeline(1)}) == 2
    assert pickle.loads(pickle.dumps(hevo.job("1:a"))) != theirs.job("1:a")
    # A ref names no account.
    assert hevo.job("1:a").ref == theirs.job("1:a").ref


async def test_a_ticket_of_another_account_is_refused_before_any_request(
    emulator: HevoEmulator, hevo: HevoClient, theirs: HevoClient
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger()
    stored = TriggerTicket.loads(ticket.dumps())
    calls = len(emulator.requests)
    for given in (ticket, stored):
        with pytest.raises(errors.ConfigurationError, match="another account"):
            await theirs.fire(given)
        with pytest.raises(errors.ConfigurationError, match="another account"):
            await theirs.reconcile(given)
    assert len(emulator.requests) == calls
    assert emulator.api_key not in ticket.dumps()
    # One that was stored before tickets named their account.
    nameless = TriggerTicket.loads(ticket.model_copy(update={"account": None}).dumps())
    assert await theirs.reconcile(nameless) is None
    async with client_of(emulator) as elsewhere:
        assert (await elsewhere.fire(stored)).pipeline_id == 123


async def test_an_account_is_told_as_orchestrators_do(emulator: HevoEmulator) -> None:
    account = Account.parse(login="key", password="secret", host="us")
    ticket = await _ticket_of(emulator)
    assert len(ticket.account or "") == len(account.fingerprint)
    same = HevoClient("key", "another secret", region="us")
    assert same._core.account == account.fingerprint


async def _ticket_of(emulator: HevoEmulator) -> TriggerTicket:
    async with client_of(emulator) as hevo:
        return await hevo.pipeline(123).prepare_trigger()
