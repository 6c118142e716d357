"""Where asyncio does not run, each call says so, and leaves nothing behind."""

from __future__ import annotations

import functools
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import anyio
import pytest
import trio

from hevo_edge import HevoClient, api
from hevo_edge.errors import ConfigurationError
from hevo_edge.orchestration import ClientPool, Outcome, Run, RunSpec
from hevo_edge.triggering import TriggerTicket

SAYS = r"hevo_edge needs asyncio.*asyncio backend.*trio-asyncio.*hevo_edge\.orchestration\.run"


async def first(items: AsyncIterator[Any]) -> Any:
    return await anext(items)


async def entered(hevo: HevoClient) -> None:
    async with hevo:
        raise AssertionError("it was entered")


async def leased() -> None:
    async with ClientPool().lease("key", lambda key: None):  # type: ignore[arg-type, return-value]
        raise AssertionError("it was lent")


TICKET = TriggerTicket.loads(
    '{"ticket_id": "1", "pipeline_id": 123, "action": "SYNC_NOW", "discovery_timeout": 1}'
)
CALLS: dict[str, Callable[[HevoClient], Coroutine[Any, Any, Any]]] = {
    "async with": entered,
    "close": lambda hevo: hevo.close(),
    "get_pipeline": lambda hevo: hevo.get_pipeline(123),
    "list_pipelines": lambda hevo: first(hevo.list_pipelines()),
    "await_all": lambda hevo: hevo.await_all(["123:a"]),
    "await_all in time": lambda hevo: hevo.await_all(["123:a"], timeout=10),
    "as_completed": lambda hevo: first(hevo.as_completed(["123:a"])),
    "send": lambda hevo: hevo.send(api.get_pipeline(123)),
    "fire": lambda hevo: hevo.fire(TICKET),
    "reconcile": lambda hevo: hevo.reconcile(TICKET),
    "trigger": lambda hevo: hevo.pipeline(123).trigger(),
    "trigger in time": lambda hevo: hevo.pipeline(123).trigger(timeout=10),
    "prepare_trigger": lambda hevo: hevo.pipeline(123).prepare_trigger(),
    "list_jobs": lambda hevo: first(hevo.pipeline(123).list_jobs()),
    "active_job": lambda hevo: hevo.pipeline(123).active_job(),
    "the next Job": lambda hevo: hevo.pipeline(123).await_completion(),
    "await_completion": lambda hevo: hevo.job("123:a").await_completion(),
    "watch": lambda hevo: first(hevo.job("123:a").watch()),
    "cancel": lambda hevo: hevo.job("123:a").cancel(wait=True),
    "refresh": lambda hevo: hevo.job("123:a").refresh(),
    "lease": lambda hevo: leased(),
}


class Nowhere:
    """A store that has nothing."""

    def load(self) -> str | None:
        return None

    def save(self, text: str) -> None:
        pass

    def delete(self) -> None:
        pass


def client() -> HevoClient:
    return HevoClient("key", "secret", region="us")


@pytest.mark.parametrize("call", CALLS)
def test_under_trio_each_call_says_what_to_do(call: str) -> None:
    with pytest.raises(ConfigurationError, match=SAYS) as raised:
        trio.run(CALLS[call], client())
    assert raised.value.__context__ is None


@pytest.mark.parametrize("call", CALLS)
def test_without_any_loop_as_well(call: str) -> None:
    coroutine = CALLS[call](client())
    with pytest.raises(ConfigurationError, match=SAYS):
        coroutine.send(None)
    coroutine.close()


def test_leaving_says_so_too() -> None:
    """Where entering could not: it was entered elsewhere."""
    with pytest.raises(ConfigurationError, match=SAYS):
        trio.run(client().__aexit__, None, None, None)


def test_an_orchestrators_run_ends_with_it_for_good() -> None:
    outcome = trio.run(Run(RunSpec(123), Nowhere(), account="").start, client())
    assert isinstance(outcome, Outcome)
    assert outcome.is_final
    assert re.match(SAYS, outcome.message)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio_needs_its_asyncio_backend(backend: str) -> None:
    async def main() -> str:
        async with client() as hevo:
            return hevo.base_url

    run = functools.partial(anyio.run, main, backend=backend)
    if backend == "asyncio":
        assert run() == "https://us.hevodata.com"
    else:
        with pytest.raises(ConfigurationError, match=SAYS):
            run()
