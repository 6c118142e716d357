"""Where a task keeps its ticket, so that the next try goes on with the run of the last one.

An XCom would not do: Airflow clears a task's XComs when a new try begins.
"""

from __future__ import annotations

import hashlib
import logging
from typing import Any, Protocol

from airflow.providers.common.compat.sdk import Variable
from pydantic import BaseModel, ValidationError

from hevo_edge import HevoClient, Job, JobStatus, TriggerTicket
from hevo_edge.errors import JobDidNotSucceed, JobNotFoundAfterTrigger, NotFound

log: logging.Logger = logging.getLogger("hevo_edge.integrations.airflow")

_KEY = "hevo_ticket"
_LONGEST = 250
"""Characters of a Variable's key."""


class Store(Protocol):
    """Keeps a text for one task of one DAG run, from one try to the next."""

    outlives_success: bool
    """Whether what it keeps can be left when the task is done, because Airflow clears it."""

    def get(self) -> str | None:
        """Return the text."""

    def set(self, text: str) -> None:
        """Keep a text instead of what was kept before."""

    def delete(self) -> None:
        """Keep nothing any more."""


class Kept(BaseModel):
    """What is kept.

    Attributes:
        ticket: The ticket of the run.
        max_tries: Airflow's number of that name; it grows when the task is cleared.
        account: Tells whose run it is.
    """

    ticket: TriggerTicket
    max_tries: int | None = None
    account: str = ""


class Tickets:
    """Keeps the ticket of one task of one DAG run.

    Args:
        store: Where to.
        max_tries: Of this try.
    """

    def __init__(self, store: Store, max_tries: int | None) -> None:
        self.account: str = ""
        self.last: TriggerTicket | None = None
        self._store = store
        self._max_tries = max_tries

    def load(self) -> Kept | None:
        """Return what an earlier try has kept, if it can be read and is of this account."""
        text = self._store.get()
        if text is None:
            return None
        try:
            kept = Kept.model_validate_json(text)
        except ValidationError:
            log.warning("the ticket of an earlier try cannot be read, so a new run starts")
            return None
        if kept.account != self.account:
            log.warning("an earlier try ran in another account of Hevo, so a new run starts")
            return None
        return kept

    def was_cleared(self, kept: Kept) -> bool:
        """Say whether somebody has cleared the task since; a retry is none."""
        known = kept.max_tries is not None and self._max_tries is not None
        return known and kept.max_tries != self._max_tries

    def save(self, ticket: TriggerTicket) -> None:
        """Keep a ticket instead of what was kept before."""
        self.last = ticket
        kept = Kept(ticket=ticket, max_tries=self._max_tries, account=self.account)
        self._store.set(kept.model_dump_json())

    def forget(self) -> None:
        """Keep nothing any more: the next try is to run again."""
        self.last = None
        self._store.delete()

    def done(self) -> None:
        """Keep nothing that is in the way; a try that fails after its Job need not run again."""
        if not self._store.outlives_success:
            self.forget()


def tickets_of(context: Any, *, durable: bool) -> Tickets:
    """Return where the task of a context keeps its ticket.

    Airflow has a store for this from 3.3 on. Before it, a Variable does: it outlives a try, and is
    deleted when the task has its outcome.
    """
    ti = context["ti"]
    if not durable:
        return Tickets(_Nowhere(), None)
    store = context.get("task_state_store")
    kept: Store = _InVariable(ti) if store is None else _InStateStore(store)
    return Tickets(kept, getattr(ti, "max_tries", None))


class _Nowhere:
    outlives_success: bool = True

    def get(self) -> str | None:
        return None

    def set(self, text: str) -> None:
        pass

    def delete(self) -> None:
        pass


class _InStateStore:
    outlives_success: bool = True

    def __init__(self, store: Any) -> None:
        self._store = store

    def get(self) -> str | None:
        kept = self._store.get(_KEY)
        return None if kept is None else str(kept)

    def set(self, text: str) -> None:
        self._store.set(_KEY, text)

    def delete(self) -> None:
        self._store.delete(_KEY)


class _InVariable:
    outlives_success: bool = False

    def __init__(self, ti: Any) -> None:
        ids = (ti.dag_id, ti.task_id, ti.run_id, str(ti.map_index))
        # Ids may be as long as a key, and hold anything.
        digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:32]
        self._key = f"{_KEY}.{digest}.{ti.dag_id}.{ti.task_id}"[:_LONGEST]

    def get(self) -> str | None:
        kept = Variable.get(self._key, None)
        return None if kept is None else str(kept)

    def set(self, text: str) -> None:
        Variable.set(self._key, text)

    def delete(self) -> None:
        Variable.delete(self._key)


async def resume(
    hevo: HevoClient, tickets: Tickets, wish: dict[str, Any], *, accepts_failures: bool
) -> Job | None:
    """Return the Job of an earlier try that was cut off, or None when a new one is to be started.

    The run of a try that was killed between the POST and its end goes on in Hevo. While it runs,
    it is what this try is about. When it is over, a retry takes it if it has ended well; if it
    ended otherwise, or the task was cleared, it is to run again.

    Args:
        hevo: The client.
        tickets: Where the earlier try kept its ticket.
        wish: What this try would trigger; a ticket for something else is of no use.
        accepts_failures: Whether COMPLETED_WITH_FAILURES is well.
    """
    kept = _of_use(tickets.load(), wish)
    if kept is None:
        return None
    try:
        job = await hevo.fire(kept.ticket, on_ticket=tickets.save)
        await job.refresh()
    except (NotFound, JobNotFoundAfterTrigger) as error:
        log.warning("the run of an earlier try is not there, so a new one starts: %s", error)
        tickets.forget()
        return None
    if job.status == JobStatus.CANCELLING:
        # Nobody wants to hear how that ends, but Hevo refuses a new run before it has.
        await job.cancel(wait=True)
    if not job.is_terminal:
        log.info("an earlier try started Job %s, which is still running: going on with it", job.id)
        return job
    if tickets.was_cleared(kept):
        log.info("the task was cleared, and Job %s is over: a new run starts", job.id)
        return None
    try:
        await job.await_completion(accept_completed_with_failures=accepts_failures)
    except JobDidNotSucceed:
        log.info("Job %s of an earlier try ended %s: a new run starts", job.id, job.status)
        return None
    log.info("Job %s of an earlier try has ended %s: taking it", job.id, job.status)
    return job


def _of_use(kept: Kept | None, wish: dict[str, Any]) -> Kept | None:
    """Return what is kept, if something was sent, and for the same wish."""
    if kept is None or (kept.ticket.post is None and kept.ticket.job_id is None):
        # It is stored before anything leaves, so nothing did.
        return None
    if any(getattr(kept.ticket, name) != value for name, value in wish.items()):
        log.warning("the task was changed since its last try, so a new run starts")
        return None
    return kept
