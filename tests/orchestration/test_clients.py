"""One client for each account and event loop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hevo_edge import HevoClient
from hevo_edge.emulator import HevoEmulator
from hevo_edge.errors import ConfigurationError, HevoError
from hevo_edge.orchestration import Account, ClientPool, clients


class Accounts:
    """Where accounts are kept; it may have outages."""

    def __init__(self, url: str) -> None:
        self.fields: dict[str, Any] = {"login": "key", "password": "secret", "host": url}
        self.errors: list[Exception] = []
        self.reads: list[str] = []

    async def read(self, key: str) -> Account:
        self.reads.append(key)
        await asyncio.sleep(0.01)
        if self.errors:
            raise self.errors.pop(0)
        return Account.parse(**{"extra": {"rate_limit": None}, **self.fields})


@pytest.fixture
def accounts(emulator: HevoEmulator) -> Accounts:
    accounts = Accounts(emulator.base_url)
    accounts.fields |= {"login": emulator.api_key, "password": emulator.api_secret}
    return accounts


@pytest.fixture
def pool() -> ClientPool:
    return ClientPool(is_gone=lambda error: isinstance(error, KeyError))


async def use(pool: ClientPool, accounts: Accounts, key: str = "a", **options: Any) -> HevoClient:
    async with pool.lease(key, accounts.read, **options) as hevo:
        await hevo.get_pipeline(123)
    return hevo


async def is_closed(hevo: HevoClient) -> bool:
    try:
        await hevo.get_pipeline(123)
    except HevoError:
        return True
    return False


async def test_a_thousand_leases_share_a_client_and_one_read(
    pool: ClientPool, accounts: Accounts, emulator: HevoEmulator
) -> None:
    async def lease() -> HevoClient:
        async with pool.lease("a", accounts.read) as hevo:
            return hevo

    leased = await asyncio.gather(*(lease() for _ in range(1000)))
    assert len(set(map(id, leased))) == 1
    assert accounts.reads == ["a"]


async def test_a_client_outlives_its_leases(pool: ClientPool, accounts: Accounts) -> None:
    hevo = await use(pool, accounts)
    await asyncio.sleep(5)
    assert not await is_closed(hevo)
    assert await use(pool, accounts) is hevo


async def test_another_key_gets_a_client_of_its_own(pool: ClientPool, accounts: Accounts) -> None:
    assert await use(pool, accounts, "a") is not await use(pool, accounts, "b")
    assert accounts.reads == ["a", "b"]


def test_another_event_loop_gets_a_client_of_its_own(pool: ClientPool) -> None:
    accounts = Accounts("us")

    async def lease() -> HevoClient:
        async with pool.lease("a", accounts.read) as hevo:
            return hevo

    assert asyncio.run(lease()) is not asyncio.run(lease())


async def test_an_account_is_read_again_when_that_was_long_ago(
    pool: ClientPool, accounts: Accounts
) -> None:
    hevo = await use(pool, accounts)
    await asyncio.sleep(clients.MAX_AGE / 2)
    assert await use(pool, accounts) is hevo
    assert len(accounts.reads) == 1
    await asyncio.sleep(clients.MAX_AGE)
    assert await use(pool, accounts) is hevo
    assert len(accounts.reads) == 2
    await asyncio.sleep(3600)
    assert await use(pool, accounts, max_age=None) is hevo
    assert len(accounts.reads) == 2
    assert await use(pool, accounts, max_age=0.0) is hevo
    assert len(accounts.reads) == 3


async def test_those_who_wait_for_a_second_read_share_it(
    pool: ClientPool, accounts: Accounts
) -> None:
    await use(pool, accounts)
    await asyncio.sleep(3600)
    await asyncio.gather(*(use(pool, accounts) for _ in range(10)))
    assert len(accounts.reads) == 2


async def test_a_changed_account_is_for_new_leases_and_old_ones_go_on(
    pool: ClientPool, accounts: Accounts
) -> None:
    async with pool.lease("a", accounts.read) as old:
        async with pool.lease("a", accounts.read) as same:
            assert same is old
            await asyncio.sleep(1)
            accounts.fields["extra"] = {"rate_limit": None, "timeout": 7}
            new = await use(pool, accounts, max_age=0.0)
            assert new is not old
        assert not await is_closed(old), "one still uses it"
    assert await is_closed(old)
    assert not await is_closed(new)


async def test_the_client_of_a_changed_account_that_nobody_uses_is_closed_at_once(
    pool: ClientPool, accounts: Accounts
) -> None:
    old = await use(pool, accounts)
    accounts.fields["extra"] = {"rate_limit": None, "timeout": 7}
    await asyncio.sleep(1)
    assert await use(pool, accounts, max_age=0.0) is not old
    assert await is_closed(old)


# -- outages --------------------------------------------------------------------------------------


async def test_a_first_read_that_fails_is_repeated(pool: ClientPool, accounts: Accounts) -> None:
    accounts.errors = [OSError("an outage"), OSError("an outage")]
    assert not await is_closed(await use(pool, accounts))
    assert len(accounts.reads) == 3


async def test_a_first_read_that_always_fails_raises_its_error(
    pool: ClientPool, accounts: Accounts
) -> None:
    accounts.errors = [OSError("an outage")] * 9999
    with pytest.raises(OSError, match="an outage"):
        await use(pool, accounts, patience=0.05)
    accounts.errors = []
    assert not await is_closed(await use(pool, accounts))


async def test_those_who_wait_for_a_read_share_its_failure(
    pool: ClientPool, accounts: Accounts
) -> None:
    accounts.errors = [ConfigurationError("no key")] * 10
    uses = (use(pool, accounts) for _ in range(10))
    results = await asyncio.gather(*uses, return_exceptions=True)
    assert all(isinstance(result, ConfigurationError) for result in results)
    assert len(accounts.reads) == 1


@pytest.mark.parametrize("error", [ConfigurationError("no key"), KeyError("no such account")])
async def test_a_final_error_is_raised_at_once(
    pool: ClientPool, accounts: Accounts, error: Exception
) -> None:
    accounts.errors = [error]
    with pytest.raises(type(error)):
        await use(pool, accounts)
    assert len(accounts.reads) == 1


async def test_a_pool_without_a_rule_of_its_own_repeats_other_errors(accounts: Accounts) -> None:
    accounts.errors = [KeyError("no such account")]
    await use(ClientPool(), accounts)
    assert len(accounts.reads) == 2


@pytest.mark.parametrize("error", [OSError("an outage"), ConfigurationError("no key")])
async def test_while_an_account_cannot_be_read_its_client_serves_on(
    pool: ClientPool, accounts: Accounts, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    hevo = await use(pool, accounts)
    await asyncio.sleep(60)
    accounts.errors = [error]
    assert await use(pool, accounts) is hevo
    assert f"account 'a' cannot be read again: {error}" in caplog.text
    assert await use(pool, accounts) is hevo
    assert len(accounts.reads) == 2, "the next read is due in a while"


async def test_an_account_that_is_gone_serves_nobody(pool: ClientPool, accounts: Accounts) -> None:
    await use(pool, accounts)
    await asyncio.sleep(60)
    accounts.errors = [KeyError("no such account"), KeyError("no such account")]
    for _ in range(2):
        with pytest.raises(KeyError):
            await use(pool, accounts)
        await asyncio.sleep(1)
    await use(pool, accounts)


async def test_a_lease_that_is_cancelled_in_its_read_leaves_nothing_locked(
    pool: ClientPool, accounts: Accounts
) -> None:
    reading = asyncio.ensure_future(use(pool, accounts))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await use(pool, accounts)


async def test_clients_that_nobody_uses_are_bounded(
    pool: ClientPool, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon for many tenants: the longest unused go, whoever is in use stays."""
    monkeypatch.setattr(clients, "MAX_IDLE", 3)
    async with pool.lease("long", accounts.read) as long_used:
        first = await use(pool, accounts, key="0")
        for number in range(1, 10):
            await use(pool, accounts, key=f"{number}")
        assert await use(pool, accounts, key="long") is long_used
        assert await use(pool, accounts, key="0") is not first
    of_loop = pool._of_loop[asyncio.get_running_loop()]
    assert list(of_loop) == ["9", "long", "0"]


async def test_a_pool_may_close_what_nobody_uses(accounts: Accounts) -> None:
    pool = ClientPool(keeps_unused=False)
    late = pool.lease("a", accounts.read)
    async with pool.lease("a", accounts.read) as one, pool.lease("a", accounts.read) as other:
        assert one is other
    assert await is_closed(one)
    async with late as another:  # leased before, entered after
        assert not await is_closed(another)
    assert await is_closed(another)
