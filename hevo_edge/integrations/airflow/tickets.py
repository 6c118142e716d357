"""Where a task keeps its ticket, so that the next try goes on with the run of the last one.

An XCom would not do: Airflow clears a task's XComs when a new try begins.
"""

from __future__ import annotations

import hashlib
import logging
from typing import Any, Protocol

from airflow.providers.common.compat.sdk import Variable

from hevo_edge import HevoClient, Job, JobStatus, TriggerTicket
from hevo_edge.errors import ConfigurationError, JobDidNotSucceed

log: logging.Logger = logging.getLogger("hevo_edge.integrations.airflow")

_KEY = "hevo_ticket"
_LONGEST = 250
"""Characters of a Variable's key."""


class Tickets(Protocol):
    """Keeps the ticket of one task of one DAG run."""

    def load(self) -> TriggerTicket | None:
        """Return what is kept, if it can be read."""

    def save(self, ticket: TriggerTicket) -> None:
        """Keep a ticket instead of what was kept before."""

    def forget(self) -> None:
        """Keep nothing any more."""


def tickets_of(context: Any, *, durable: bool) -> Tickets:
    """Return where the task of a context keeps its ticket.

    Airflow has a store for this from 3.3 on. Before it, a Variable does: it outlives a try, and is
    deleted when the task has its outcome.
    """
    if not durable:
        return _Nowhere()
    store = context.get("task_state_store")
    return _InVariable(context["ti"]) if store is None else _InStateStore(store)


class _Nowhere:
    def load(self) -> TriggerTicket | None:
        return None

    def save(self, ticket: TriggerTicket) -> None:
        pass

    def forget(self) -> None:
        pass


class _InStateStore:
    def __init__(self, store: Any) -> None:
        self._store = store

    def load(self) -> TriggerTicket | None:
        return _read(self._store.get(_KEY))

    def save(self, ticket: TriggerTicket) -> None:
        self._store.set(_KEY, ticket.dumps())

    def forget(self) -> None:
        self._store.delete(_KEY)


class _InVariable:
    def __init__(self, ti: Any) -> None:
        ids = (ti.dag_id, ti.task_id, ti.run_id, str(ti.map_index))
        # Ids may be as long as a key, and hold anything.
        digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:32]
        self._key = f"{_KEY}.{digest}.{ti.dag_id}.{ti.task_id}"[:_LONGEST]

    def load(self) -> TriggerTicket | None:
        return _read(Variable.get(self._key, None))

    def save(self, ticket: TriggerTicket) -> None:
        Variable.set(self._key, ticket.dumps())

    def forget(self) -> None:
        Variable.delete(self._key)


def _read(kept: Any) -> TriggerTicket | None:
    if kept is None:
        return None
    try:
        return TriggerTicket.loads(str(kept))
    except ConfigurationError as error:
        log.warning("the ticket of an earlier try cannot be read, so a new run starts: %s", error)
        return None


async def resume(
    hevo: HevoClient, tickets: Tickets, wish: dict[str, Any], *, accepts_failures: bool
) -> Job | None:
    """Return the Job of an earlier try that was cut off, or None when a new one is to be started.

    The run of a try that was killed between the POST and its end goes on in Hevo. If it still
    runs, or has ended well, it is what this try is about; if it ended otherwise, a retry means to
    run again.

    Args:
        hevo: The client.
        tickets: Where the earlier try kept its ticket.
        wish: What this try would trigger; a ticket for something else is of no use.
        accepts_failures: Whether COMPLETED_WITH_FAILURES is well.
    """
    ticket = tickets.load()
    if ticket is None or (ticket.post is None and ticket.job_id is None):
        # It is stored before anything leaves, so nothing did.
        return None
    if any(getattr(ticket, name) != value for name, value in wish.items()):
        log.warning("the task was changed since its last try, so a new run starts")
        return None
    job = await hevo.fire(ticket, on_ticket=tickets.save)
    await job.refresh()
    if job.status == JobStatus.CANCELLING:
        # Nobody wants to hear how that ends, but Hevo refuses a new run before it has.
        await job.cancel(wait=True)
    if not job.is_terminal:
        log.info("an earlier try started Job %s, which is still running: going on with it", job.id)
        return job
    try:
        await job.await_completion(accept_completed_with_failures=accepts_failures)
    except JobDidNotSucceed:
        log.info("Job %s of an earlier try ended %s: a new run starts", job.id, job.status)
        return None
    log.info("Job %s of an earlier try has ended %s: taking it", job.id, job.status)
    return job
