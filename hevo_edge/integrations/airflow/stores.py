"""Where a task keeps its ticket, so that the next try goes on with the run of the last one.

An XCom would not do: Airflow clears a task's XComs when a new try begins.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Any

from airflow.providers.common.compat.sdk import Variable

from hevo_edge.orchestration import TicketStore, to_be_cancelled

_KEY = "hevo_ticket"
_CANCEL_KEY = "hevo_cancel"
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
    ti = context["ti"]
    return VariableStore(ti) if store is None else StateStore(ti, store)


def leave_cancel(ti: Any, ref: str) -> None:
    """Leave a task's Job to its next try, which cancels it before it starts another. Blocks.

    For the triggerer, which cannot write to a task's state store.
    """
    Variable.set(_key_of(ti, _CANCEL_KEY), ref)


class Store:
    """Where a task keeps its ticket.

    Args:
        ti: The task instance.
    """

    outlives_success: bool = False

    def __init__(self, ti: Any) -> None:
        self._cancel_key = _key_of(ti, _CANCEL_KEY)
        self._must_cancel = False

    def load(self) -> str | None:
        """Return the text; what a triggerer had to leave is a part of it."""
        text = self._read()
        if text is None:
            return None
        if Variable.get(self._cancel_key, None) is None:
            return str(text)
        self._must_cancel = True
        with suppress(ValueError):  # whoever reads it says that it cannot be read
            return to_be_cancelled(str(text))
        return str(text)

    def save(self, text: str) -> None:
        """Keep a text instead of what was kept before."""
        self._write(text)
        self._forget_cancel()

    def delete(self) -> None:
        """Keep nothing any more."""
        self._remove()
        self._forget_cancel()

    def _forget_cancel(self) -> None:
        if self._must_cancel:
            Variable.delete(self._cancel_key)
            self._must_cancel = False

    def _read(self) -> Any:
        raise NotImplementedError

    def _write(self, text: str) -> None:
        raise NotImplementedError

    def _remove(self) -> None:
        raise NotImplementedError


class StateStore(Store):
    """Airflow's task state store, which Airflow clears when the task has succeeded.

    A try that fails after its Job, in ``post_execute`` for instance, need not run again.
    """

    outlives_success: bool = True

    def __init__(self, ti: Any, store: Any) -> None:
        super().__init__(ti)
        self._store = store

    def _read(self) -> Any:
        return self._store.get(_KEY)

    def _write(self, text: str) -> None:
        self._store.set(_KEY, text)

    def _remove(self) -> None:
        self._store.delete(_KEY)


class VariableStore(Store):
    """A Variable of Airflow, which nobody else deletes."""

    def __init__(self, ti: Any) -> None:
        super().__init__(ti)
        self._key = _key_of(ti, _KEY)

    def _read(self) -> Any:
        return Variable.get(self._key, None)

    def _write(self, text: str) -> None:
        Variable.set(self._key, text)

    def _remove(self) -> None:
        Variable.delete(self._key)


def _key_of(ti: Any, prefix: str) -> str:
    ids = (ti.dag_id, ti.task_id, ti.run_id, str(ti.map_index))
    # Ids may be as long as a key, and hold anything.
    digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:32]
    return f"{prefix}.{digest}.{ti.dag_id}.{ti.task_id}"[:_MAX_LENGTH]
