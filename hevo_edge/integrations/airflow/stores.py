"""Where a task keeps its ticket, so that the next try goes on with the run of the last one.

An XCom would not do: Airflow clears a task's XComs when a new try begins.
"""

from __future__ import annotations

import hashlib
from typing import Any

from airflow.providers.common.compat.sdk import Variable

from hevo_edge.orchestration import TicketStore

_KEY = "hevo_ticket"
_MAX_LENGTH = 250
"""Characters of a Variable's key."""


def store_of(context: Any, *, durable: bool) -> TicketStore | None:
    """Return where the task of a context keeps its ticket; None where it keeps none.

    Airflow has a store for this from 3.3 on. Before it, a Variable does: it outlives a try, and is
    deleted when the task has its outcome.
    """
    if not durable:
        return None
    store = context.get("task_state_store")
    return VariableStore(context["ti"]) if store is None else StateStore(store)


class StateStore:
    """Airflow's task state store, which Airflow clears when the task has succeeded.

    A try that fails after its Job, in ``post_execute`` for instance, need not run again.
    """

    outlives_success: bool = True

    def __init__(self, store: Any) -> None:
        self._store = store

    def load(self) -> str | None:
        """Return the text."""
        text = self._store.get(_KEY)
        return None if text is None else str(text)

    def save(self, text: str) -> None:
        """Keep a text instead of what was kept before."""
        self._store.set(_KEY, text)

    def delete(self) -> None:
        """Keep nothing any more."""
        self._store.delete(_KEY)


class VariableStore:
    """A Variable of Airflow, which nobody else deletes."""

    outlives_success: bool = False

    def __init__(self, ti: Any) -> None:
        ids = (ti.dag_id, ti.task_id, ti.run_id, str(ti.map_index))
        # Ids may be as long as a key, and hold anything.
        digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:32]
        self._key = f"{_KEY}.{digest}.{ti.dag_id}.{ti.task_id}"[:_MAX_LENGTH]

    def load(self) -> str | None:
        """Return the text."""
        text = Variable.get(self._key, None)
        return None if text is None else str(text)

    def save(self, text: str) -> None:
        """Keep a text instead of what was kept before."""
        Variable.set(self._key, text)

    def delete(self) -> None:
        """Keep nothing any more."""
        Variable.delete(self._key)
