"""One attempt to run a Pipeline: what the tasks and the blocks share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from prefect.context import AsyncClientContext

from hevo_edge import Certainty, HevoClient
from hevo_edge.integrations.prefect import cancellation
from hevo_edge.integrations.prefect.credentials import HevoCredentials
from hevo_edge.integrations.prefect.notes import RunNotes
from hevo_edge.integrations.prefect.reports import Report
from hevo_edge.integrations.prefect.run_log import flush_log, run_logger
from hevo_edge.integrations.prefect.stores import Caller, LabelStore, VariableStore, find_caller
from hevo_edge.orchestration import (
    Account,
    ClientPool,
    Outcome,
    Run,
    RunSpec,
    cancel_if_asked,
    finish_cleanup,
    summary,
)

_NOTES = RunNotes()
_CLIENTS = ClientPool(keeps_unused=False, observer=_NOTES)
"""All that runs in one event loop shares a client, its polls and its calls."""


class Attempt:
    """One attempt to run a Pipeline, in a flow run or outside of any. Made by ``make``.

    Attributes:
        job: What is known of the Job, as plain data.
        cancel_on_kill: Whose cancellation cancels the Job: ``user``, ``always`` or ``never``.
        reports: Whether to show the Job in Prefect.
    """

    def __init__(
        self,
        spec: RunSpec,
        account: Account,
        caller: Caller | None,
        store: LabelStore | VariableStore | None,
    ) -> None:
        self.job: dict[str, Any] = {}
        self.cancel_on_kill: str = "user"
        self.reports: bool = True
        self._account = account
        self._caller = caller
        self._store = store
        generation = None if caller is None else f"{caller.flow_run_ids[-1]}"
        self._run = Run(spec, store, account=account.fingerprint, generation=generation)

    @classmethod
    async def make(
        cls,
        credentials: HevoCredentials,
        spec: RunSpec,
        *,
        durable: bool,
        cancel_on_kill: str,
        report: bool,
    ) -> Attempt:
        """Return an attempt; the arguments are the fields of ``HevoPipeline``."""
        account = credentials.account()
        store: LabelStore | VariableStore | None = None
        async with AsyncClientContext.get_or_create():
            caller = await find_caller()
            if durable and caller is not None:
                store = await LabelStore.open(caller, spec.pipeline_id, credentials.saved_as)
            elif durable:
                store = await VariableStore.open(account.fingerprint, spec.pipeline_id)
        made = cls(spec, account, caller, store)
        made.cancel_on_kill, made.reports = cancel_on_kill, report
        return made

    async def start(self) -> Outcome | None:
        """Start or resume the run; return how that ended if there is no Job."""
        async with self._client() as hevo:
            started = await self._run.start(hevo)
            await self._flush()
        if isinstance(started, Outcome):
            return started
        self.job = summary(started)
        verb = "goes on with" if self._run.is_resumed else "has"
        run_logger().info("Pipeline %s: this run %s Job %s", started.pipeline_id, verb, started.id)
        return None

    async def wait(self, job: dict[str, Any] | None = None) -> Outcome:
        """Await the Job, and report how it goes and how it ended.

        Args:
            job: What is known of a Job that another attempt has started: its ``ref``, and its
                ``certainty``.
        """
        async with self._client() as hevo:
            if job is not None:
                handle: Any = hevo.job(job["ref"])
                handle.certainty = Certainty(job["certainty"]) if job.get("certainty") else None
                self._run.job = handle
            pipeline = hevo.pipeline(self._run.spec.pipeline_id)
            report = Report(hevo, pipeline, shows=self.reports and self._caller is not None)
            with _NOTES.told(pipeline.id):
                outcome = await self._run.wait(hevo, on_update=report.update)
            if outcome.kind == "success" and self._store is not None:
                self._store.done()
            else:
                self._run.finish(outcome)
            await self._flush()
            await report.finish(outcome)
        self.job = outcome.job or self.job
        return outcome

    async def _flush(self) -> None:
        if self._store is not None:
            await self._store.flush()

    # -- cancel -----------------------------------------------------------------------------------

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[HevoClient]:
        """Lend a client; when the task is cancelled meanwhile, see to its Job."""

        async def read(account: Account) -> Account:
            return account

        async with (
            AsyncClientContext.get_or_create(),  # one client of Prefect for all that is asked here
            _CLIENTS.lease(self._account, read, max_age=None) as hevo,
        ):
            try:
                yield hevo
            except asyncio.CancelledError:
                await finish_cleanup(self._cancel(), "cancelling a Job", cancellation.WITHIN)
                raise

    async def _cancel(self) -> None:
        """Cancel the Job in Hevo, if a user has cancelled the flow run; raises nothing."""
        if self.cancel_on_kill == "never" or not self._run.has_sent:
            return

        async def asked() -> bool:
            return self.cancel_on_kill == "always" or await cancellation.was_asked_for(self._caller)

        async with self._account.client(timeout=cancellation.CALL_WITHIN) as hevo:
            await cancel_if_asked(
                asked, self._run, hevo, within=cancellation.CANCEL_WITHIN, logger=run_logger()
            )
        await self._flush()
        await flush_log()
