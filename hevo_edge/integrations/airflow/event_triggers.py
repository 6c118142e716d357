"""A Pipeline's Job that ends well is an event, which runs DAGs (Airflow 3)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Hashable
from contextlib import aclosing, contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException

from hevo_edge.enums import JobStatus, JobType
from hevo_edge.errors import ConfigurationError
from hevo_edge.integrations.airflow import parameters
from hevo_edge.integrations.airflow.provider import CONNECTION_ID
from hevo_edge.options import optional_known_word
from hevo_edge.orchestration import validation

if TYPE_CHECKING:
    from airflow.triggers.base import BaseEventTrigger, TriggerEvent
else:
    from airflow.triggers import base

    # Airflow 2 has no events of this kind; what the package has else is of use there.
    BaseEventTrigger = getattr(base, "BaseEventTrigger", base.BaseTrigger)
    TriggerEvent = base.TriggerEvent

HAS_EVENTS: bool = BaseEventTrigger.__name__ == "BaseEventTrigger"


class HevoJobEventTrigger(BaseEventTrigger):
    """Tells of each Job of a Pipeline that ends well, whoever started it; for an ``AssetWatcher``.

    ::

        orders = Asset(
            "hevo_orders",
            watchers=[AssetWatcher(name="hevo", trigger=HevoJobEventTrigger(123))],
        )
        with DAG("dbt", schedule=orders):
            ...

    It runs in the triggerer: no task polls, no slot is held. All of them that use one connection
    share one client, its call budget and one poll loop, which takes a list a Pipeline and interval.
    Network trouble, 429 and 5xx end nothing; nor do 401, 403, 404 and a connection that cannot be
    read, which are logged and tried again.

    From Airflow 3.3 on the asset keeps where the polls have come to, so a restart of the triggerer
    loses no Job. Before it, Jobs that end while no triggerer runs give no event.

    The event's payload is plain JSON: ``ref``, ``job_id``, ``pipeline_id``, ``status``, ``type``,
    the counts, ``duration_ms``, ``created_ts``, ``ended_ts`` (ms since 1970) and
    ``connection_id``.

    Args:
        pipeline_id: The Pipeline.
        connection_id: The Airflow connection.
        job_type: Only Jobs of this type, ``JobType`` or string.
        accept_completed_with_failures: Take COMPLETED_WITH_FAILURES for a good end.
        accept_any_end: Tell of each Job that ends, however; the payload's ``status`` says how. A
            SKIPPED row is no Job.
        poke_interval: Seconds or timedelta between polls of the Pipeline.
        ended_since: At the very first poll, tell also of Jobs that ended at this time or later; a
            datetime with a time zone, or its ISO text. By default it tells of none that had ended.

    Raises:
        AirflowException: when the DAG is parsed, naming the parameter that is wrong; and on
            Airflow 2.
    """

    def __init__(
        self,
        pipeline_id: int,
        connection_id: str = CONNECTION_ID,
        *,
        job_type: JobType | str | None = None,
        accept_completed_with_failures: bool = False,
        accept_any_end: bool = False,
        poke_interval: float | timedelta = 60,
        ended_since: datetime | str | None = None,
    ) -> None:
        if not HAS_EVENTS:
            raise AirflowException(
                "HevoJobEventTrigger needs Airflow 3, whose assets have watchers; on Airflow 2 use "
                "a HevoSensor with ended_since"
            )
        super().__init__()  # type: ignore[no-untyped-call]
        with _at_parse():
            self.pipeline_id: int = validation.pipeline_id(pipeline_id)
            parameters.connection_id(connection_id)
            self.connection_id = connection_id
            self.job_type: str | None = optional_known_word(job_type, "job_type", JobType)
            self.accept_completed_with_failures: bool = validation.parse_bool(
                accept_completed_with_failures, "accept_completed_with_failures"
            )
            self.accept_any_end: bool = validation.parse_bool(accept_any_end, "accept_any_end")
            self.poke_interval: float = parameters.seconds(poke_interval, "poke_interval")
            since = parameters.moment(ended_since, "ended_since")
        self.ended_since: str | None = None if since is None else since.isoformat()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and its arguments, as plain JSON."""
        return (
            f"{__name__}.HevoJobEventTrigger",
            {
                "pipeline_id": self.pipeline_id,
                "connection_id": self.connection_id,
                "job_type": self.job_type,
                "accept_completed_with_failures": self.accept_completed_with_failures,
                "accept_any_end": self.accept_any_end,
                "poke_interval": self.poke_interval,
                "ended_since": self.ended_since,
            },
        )

    def tells_of(self, status: str) -> bool:
        """Say whether a Job that has ended with this status gives an event."""
        with_failures = status == JobStatus.COMPLETED_WITH_FAILURES
        return (
            self.accept_any_end
            or status == JobStatus.COMPLETED
            or (with_failures and self.accept_completed_with_failures)
        )

    # -- in the triggerer -------------------------------------------------------------------------

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield the events; with a poll loop of its own, where Airflow has none to share."""
        from hevo_edge.integrations.airflow import event_stream  # noqa: PLC0415 -- see below

        async with aclosing(event_stream.own_payloads(self)) as payloads:
            async for payload in payloads:
                yield TriggerEvent(payload)  # type: ignore[no-untyped-call]

    def shared_stream_key(self) -> Hashable:
        """Return what tells connections apart: one poll loop serves all triggers of one."""
        return ("hevo_edge", self.connection_id)

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> Any:
        """Return the poll loop that serves all triggers of a connection."""
        # What polls needs aiohttp and pydantic, which a DAG file must not load.
        from hevo_edge.integrations.airflow import event_stream  # noqa: PLC0415

        return event_stream.Producer(kwargs["connection_id"])

    async def filter_shared_stream(
        self, shared_stream: AsyncIterator[Any]
    ) -> AsyncGenerator[TriggerEvent, None]:
        """Yield the events of this trigger's Pipeline."""
        from hevo_edge.integrations.airflow import event_stream  # noqa: PLC0415 -- see above

        async with aclosing(event_stream.payloads(self, shared_stream)) as payloads:
            async for payload in payloads:
                yield TriggerEvent(payload)  # type: ignore[no-untyped-call]


@contextmanager
def _at_parse() -> Generator[None, None, None]:
    """Raise what is wrong with a parameter as an AirflowException that names the trigger."""
    try:
        yield
    except ConfigurationError as error:
        raise AirflowException(f"{error} (HevoJobEventTrigger)") from None
