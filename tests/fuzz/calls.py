"""The public calls, each of which must end well or in a typed error."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from hevo_edge import HevoClient, TriggerTicket, api
from hevo_edge.history import JobHistory

Call = Callable[[HevoClient], Awaitable[object]]
_MOST = 1000
TICKET = TriggerTicket.loads(
    '{"state": "sending", "pipeline_id": 123, "action": "SYNC_NOW", '
    '"watermark": {"known_job_ids": ["j-1"], "server_time": 1767225600, "newest_ts": 1767225660000},'
    '"post": {"ambiguity": "it is not known"}}'
)


async def first(rows: AsyncIterator[Any]) -> list[Any]:
    """Read a list; a thousand rows are enough."""
    read: list[Any] = []
    async with aclosing(rows) as open_rows:  # type: ignore[type-var]
        async for row in open_rows:
            read.append(row)
            if len(read) == _MOST:
                break
    return read


async def history(hevo: HevoClient) -> JobHistory:
    """Read a history, and look at it in all ways that need no other package."""
    read = await hevo.pipeline(123).job_history()
    read.to_dicts()
    read.summary()._repr_mimebundle_()
    read._repr_mimebundle_()
    return read


CALLS: dict[str, Call] = {
    "trigger": lambda hevo: hevo.pipeline(123).trigger(timeout=900),
    "trigger without a time-out": lambda hevo: hevo.pipeline(123).trigger(),
    "trigger join": lambda hevo: hevo.pipeline(123).trigger(if_running="join"),
    "trigger wait": lambda hevo: hevo.pipeline(123).trigger(if_running="wait", timeout=900),
    "trigger replace": lambda hevo: hevo.pipeline(123).trigger(if_running="replace", timeout=900),
    "resync": lambda hevo: hevo.pipeline(123).resync(timeout=900),
    "resync_objects": lambda hevo: hevo.pipeline(123).resync_objects(["o-1"], timeout=900),
    "prepare_trigger": lambda hevo: hevo.pipeline(123).prepare_trigger(),
    "fire": lambda hevo: hevo.fire(TICKET, timeout=900),
    "reconcile": lambda hevo: hevo.reconcile(TICKET),
    "job.await_completion": lambda hevo: hevo.job("123:j-2").await_completion(timeout=600),
    "await_all": lambda hevo: hevo.await_all(["123:j-1", "123:j-2"], timeout=600),
    "pipeline.await_completion": lambda hevo: hevo.pipeline(123).await_completion(timeout=600),
    "job.refresh": lambda hevo: hevo.job("123:j-2").refresh(),
    "job.cancel": lambda hevo: hevo.job("123:j-2").cancel(),
    "job.list_objects": lambda hevo: first(hevo.job("123:j-2").list_objects()),
    "list_jobs": lambda hevo: first(hevo.pipeline(123).list_jobs()),
    "list_objects": lambda hevo: first(hevo.pipeline(123).list_objects()),
    "list_pipelines": lambda hevo: first(hevo.list_pipelines()),
    "job_history": history,
    "active_job": lambda hevo: hevo.pipeline(123).active_job(),
    "get_pipeline": lambda hevo: hevo.get_pipeline(123),
    "get_object": lambda hevo: hevo.pipeline(123).get_object("o-1"),
    "refresh_schema": lambda hevo: hevo.pipeline(123).refresh_schema(),
    "enable": lambda hevo: hevo.pipeline(123).enable(),
    "disable": lambda hevo: hevo.pipeline(123).disable(),
    "update": lambda hevo: hevo.pipeline(123).update(name="x"),
    "send": lambda hevo: hevo.send(api.list_destinations()),
}
