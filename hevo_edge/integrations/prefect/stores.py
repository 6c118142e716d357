"""Where a ticket is kept, so that a retry goes on with the run of what was cut off.

In a flow run: in the labels of the outermost flow run, which outlive a crash of its process, and go
with it. A task has no identity that a re-run of its flow run would know again, so a Pipeline's
runs are counted: the first one, the second one, ... Outside of any: in a Variable.
"""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext, TaskRunContext
from prefect.variables import Variable

PREFIX = "hevo_edge"
MAX_RUNS = 20
"""How many runs of one Pipeline a flow run keeps; further ones share the last place."""
_CHECK_EVERY = 0.01
"""Seconds after which a write of labels looks whether the one before it is over."""
_LOCK = threading.Lock()
"""Held to take a place, or a batch of labels: tasks of a flow run may be in several threads."""


@dataclass(frozen=True)
class Caller:
    """Who asks for a run: a flow run, those that called it, and a task run.

    Attributes:
        flow_run_ids: The flow run and those that called it, the outermost last.
        attempts: The number of the attempt, by the id of the flow run or task run.
    """

    flow_run_ids: tuple[UUID, ...]
    attempts: dict[str, int]

    def is_later_than(self, other: dict[str, int]) -> bool:
        """Say whether this is a later attempt of what has asked before."""
        return any(other.get(run_id, number) < number for run_id, number in self.attempts.items())


async def find_caller() -> Caller | None:
    """Return who calls; None outside of a flow run. Two calls of the API for each calling flow."""
    context, task = FlowRunContext.get(), TaskRunContext.get()
    if context is None or context.flow_run is None:
        return None
    runs = [context.flow_run]
    async with get_client() as client:
        while (parent := runs[-1].parent_task_run_id) is not None:
            flow_run_id = (await client.read_task_run(parent)).flow_run_id
            if flow_run_id is None:
                break
            runs.append(await client.read_flow_run(flow_run_id))
    attempts = {str(each.id): each.run_count for each in runs}
    if task is not None:
        attempts[str(task.task_run.id)] = task.task_run.run_count
    return Caller(tuple(each.id for each in runs), attempts)


@dataclass(frozen=True)
class Place:
    """A label that holds a ticket.

    Attributes:
        key: The label.
        ticket: The ticket, as a ``Run`` stores it.
        attempts: Those of who has stored it.
        block: The name of the credentials that it belongs to, if they have one.
        is_done: Whether its Job has ended well.
    """

    key: str
    ticket: str
    attempts: dict[str, int]
    block: str | None = None
    is_done: bool = False

    @classmethod
    def read(cls, key: str, label: Any) -> Place | None:
        """Read a label; None when it holds nothing, or nothing that was stored here."""
        with suppress(ValueError, TypeError, KeyError):
            kept = json.loads(label)
            return cls(key, kept["ticket"], kept["attempts"], kept["block"], kept["is_done"])
        return None

    def label(self) -> str:
        """Return the text of the label."""
        return json.dumps({name: value for name, value in vars(self).items() if name != "key"})


def places_of(labels: dict[str, Any], pipeline_id: int | None = None) -> Iterator[Place]:
    """Yield what a flow run's labels hold, of one Pipeline or of all."""
    prefix = f"{PREFIX}." if pipeline_id is None else f"{PREFIX}.{pipeline_id}."
    for key, label in labels.items():
        if key.startswith(prefix) and (place := Place.read(key, label)) is not None:
            yield place


class _Labels:
    """The labels of a flow run, as all that runs in this process writes them.

    Prefect's server reads them, adds what it got, and writes them back: of two writes at once one
    may be lost. So one goes after the other, and takes with it all that waits.
    """

    def __init__(self, flow_run_id: UUID) -> None:
        self.flow_run_id = flow_run_id
        self.claims: WeakValueDictionary[str, LabelStore] = WeakValueDictionary()
        self._writing = threading.Lock()
        self._pending: dict[str, str] = {}

    async def read(self) -> dict[str, Any]:
        """Return the labels."""
        async with get_client() as client:
            return dict((await client.read_flow_run(self.flow_run_id)).labels)

    async def write(self, key: str, label: str) -> None:
        """Write a label."""
        with _LOCK:
            self._pending[key] = label
        # Its holder may be in another thread's loop.
        while not self._writing.acquire(blocking=False):  # noqa: ASYNC110
            await asyncio.sleep(_CHECK_EVERY)
        try:
            with _LOCK:
                batch, self._pending = self._pending, {}
            if batch:
                await self._write(batch)
        finally:
            self._writing.release()

    async def _write(self, batch: dict[str, Any]) -> None:
        try:
            async with get_client() as client:
                await client.update_flow_run_labels(self.flow_run_id, batch)
        except BaseException:
            # Each of the others tries itself, and hears of it.
            with _LOCK:
                self._pending = {**batch, **self._pending}
            raise


_LABELS: WeakValueDictionary[UUID, _Labels] = WeakValueDictionary()


class LabelStore:
    """Keeps the ticket of one run of a Pipeline in the labels of a flow run. Made by ``open``.

    Args:
        caller: Who asks for the run.
        block: The name of the credentials, for who cancels from another process.
        place: Where the ticket is.
    """

    def __init__(self, caller: Caller, block: str | None, place: Place) -> None:
        self._caller = caller
        self._block = block
        self._place = place
        self._labels = _labels_of(caller)
        self._written: str = place.label() if place.ticket else ""

    @classmethod
    async def open(cls, caller: Caller, pipeline_id: int, block: str | None) -> LabelStore:
        """Return the store of a run: an earlier attempt's, or a new one."""
        labels = _labels_of(caller)
        places = {place.key: place for place in places_of(await labels.read(), pipeline_id)}
        with _LOCK:
            claimed = {
                key
                for key, store in labels.claims.items()
                if not caller.is_later_than(store._caller.attempts)  # noqa: SLF001 -- one of these
            }
            store = cls(caller, block, _choose(caller, pipeline_id, places, claimed))
            labels.claims[store._place.key] = store
        return store

    def load(self) -> str | None:
        """Return the ticket of an earlier attempt."""
        return self._place.ticket or None

    async def save(self, text: str) -> None:
        """Keep a ticket instead of what was kept before."""
        self._place = replace(self._place, ticket=text, is_done=False)
        await self.flush()

    def delete(self) -> None:
        """Keep nothing any more, from the next ``flush`` on."""
        self._place = replace(self._place, ticket="", is_done=False)

    def done(self) -> None:
        """Keep the ticket of a Job that has ended well: a later attempt takes that Job."""
        self._place = replace(self._place, is_done=True)

    async def flush(self) -> None:
        """Write what is kept, with who has written it; nothing if that is there already."""
        mine = replace(self._place, attempts=self._caller.attempts, block=self._block)
        label = mine.label() if mine.ticket else ""
        if label != self._written:
            await self._labels.write(mine.key, label)
            self._written = label


def _labels_of(caller: Caller) -> _Labels:
    flow_run_id = caller.flow_run_ids[-1]
    return _LABELS.setdefault(flow_run_id, _Labels(flow_run_id))


def _choose(caller: Caller, pipeline_id: int, places: dict[str, Place], claimed: set[str]) -> Place:
    """Return the first place that is free, or that an earlier attempt has taken."""
    keys = [f"{PREFIX}.{pipeline_id}.{number}" for number in range(1, MAX_RUNS + 1)]
    for key in keys:
        place = places.get(key)
        if key not in claimed and (place is None or caller.is_later_than(place.attempts)):
            return place or Place(key, "", caller.attempts)
    return Place(keys[-1], "", caller.attempts)


class VariableStore:
    """Keeps the ticket of a Pipeline in a Variable, outside of flow runs. Made by ``open``."""

    def __init__(self, name: str, text: str | None) -> None:
        self._name = name
        self._text = text

    @classmethod
    async def open(cls, account: str, pipeline_id: int) -> VariableStore:
        """Return the store of an account's Pipeline.

        Args:
            account: The account's fingerprint.
            pipeline_id: The Pipeline.
        """
        name = f"{PREFIX}_ticket_{account}_{pipeline_id}"
        packed: Any = await Variable.aget(name)
        with suppress(ValueError, TypeError, zlib.error):
            return cls(name, zlib.decompress(base64.b64decode(packed)).decode())
        return cls(name, None)

    def load(self) -> str | None:
        """Return the ticket of an earlier attempt."""
        return self._text

    async def save(self, text: str) -> None:
        """Keep a ticket; packed, as a Variable has room for 5,000 characters."""
        self._text = text
        packed = base64.b64encode(zlib.compress(text.encode())).decode()
        await Variable.aset(self._name, packed, overwrite=True)

    def delete(self) -> None:
        """Keep nothing any more, from the next ``flush`` on."""
        self._text = None

    def done(self) -> None:
        """Keep nothing: whoever calls again wants another run."""
        self.delete()

    async def flush(self) -> None:
        """Remove the Variable, if nothing is kept."""
        if self._text is None:
            await Variable.aunset(self._name)
