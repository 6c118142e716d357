"""The hook: an Airflow connection as a HevoClient, and the vendor's method names."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException

from hevo_edge.errors import HevoError
from hevo_edge.integrations.airflow import parameters
from hevo_edge.integrations.airflow.provider import CONNECTION_ID, CONNECTION_TYPE, FORM
from hevo_edge.integrations.airflow.records import Record
from hevo_edge.integrations.airflow.vendor_methods import (
    JobCompletionStatus,
    VendorMethods,
    in_sync,
)
from hevo_edge.orchestration import run

__all__ = ["HevoHook", "HevoObjectHook", "HevoPipelineHook", "JobCompletionStatus", "Record"]

if TYPE_CHECKING:
    # The shim is not typed.
    from airflow.sdk import BaseHook

    from hevo_edge import HevoClient
    from hevo_edge.orchestration import Account
else:
    from airflow.providers.common.compat.sdk import BaseHook


class HevoHook(VendorMethods, BaseHook):
    """A connection to Hevo, for tasks of one's own.

    ``hook.client()`` is a ``HevoClient``, with all that the SDK has, for ``asyncio.run`` or an
    async task. The methods, the vendor's among them, raise Airflow's errors and return plain JSON,
    so that a task can return it too: a ``Record``, which is a dict.

    Args:
        connection_id: The Airflow connection: login is the API key, password the API secret, host
            a region or a URL; extra may hold ``headers``, ``proxy``, ``verify``, ``rate_limit``
            (calls a minute), ``timeout``, ``dialect`` and ``insecure``.
        timeout: Seconds for a request.
        retry_limit: Accepted as the vendor's provider has it, without effect: the client repeats
            what may be repeated, with backoff, and nothing else.
        retry_delay: See ``retry_limit``.
        retryable_status_codes: See ``retry_limit``.
        pipeline_id: See ``retry_limit``; an older generation of the vendor's had it.
        extra_headers: More headers for every request, beside the connection's.
        extra_kwargs: See ``pipeline_id``.
    """

    conn_name_attr = "connection_id"
    default_conn_name = CONNECTION_ID
    conn_type = CONNECTION_TYPE
    hook_name = "Hevo Edge"

    def __init__(  # noqa: PLR0917 -- the vendor's, in the vendor's order
        self,
        connection_id: str = CONNECTION_ID,
        retry_limit: int = 3,
        retry_delay: float = 2,
        timeout: float | None = None,
        retryable_status_codes: Collection[int] | None = None,
        pipeline_id: int | None = None,
        extra_headers: dict[str, str] | None = None,
        extra_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pipeline_id = pipeline_id
        self.extra_headers = extra_headers
        self.extra_kwargs = extra_kwargs
        self.connection_id: str = connection_id or CONNECTION_ID
        self.retry_limit = retry_limit
        self.retry_delay = retry_delay
        self.timeout = timeout
        self.retryable_status_codes = retryable_status_codes

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return how the connection's form looks."""
        # In Airflow's other spelling: the provider's description has hyphens.
        return {key.replace("-", "_"): value for key, value in FORM.items()}

    # -- the client -------------------------------------------------------------------------------

    def client(self) -> HevoClient:
        """Read the connection, and make a client. Blocks; in a coroutine use ``aclient``.

        Raises:
            AirflowNotFoundException: when there is no such connection.
            AirflowFailException: when it lacks something.
        """
        from hevo_edge.integrations.airflow import connections  # noqa: PLC0415 -- for DAG files

        with parameters.at_run(self.connection_id):
            return self._client(connections.read(self.connection_id))

    get_conn = client

    async def aclient(self) -> HevoClient:
        """Read the connection without blocking the event loop, and make a client."""
        from hevo_edge.integrations.airflow import connections  # noqa: PLC0415 -- as above

        with parameters.at_run(self.connection_id):
            return self._client(await connections.read_async(self.connection_id))

    def _client(self, account: Account) -> HevoClient:
        timeout = {} if self.timeout is None else {"timeout": self.timeout}
        return account.client(headers=self.extra_headers, **timeout)

    def test_connection(self) -> tuple[bool, str]:
        """Read the first Pipeline; say whether that worked, and what was seen."""
        try:
            return True, run(self._first_pipeline())
        except (HevoError, AirflowException) as error:
            return False, str(error)

    async def _first_pipeline(self) -> str:
        async with await self.aclient() as hevo:
            async for pipeline in hevo.list_pipelines():
                return f"{hevo.base_url} answers; Pipeline {pipeline.id} is {pipeline.status}"
            return f"{hevo.base_url} answers; the account has no Pipelines"

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[HevoClient, None]:
        """Lend a client to one method; nothing that the method returns is bound to it."""
        with parameters.at_run(self.connection_id, resumes=False):
            async with await self.aclient() as hevo:
                yield hevo

    # -- recovery ---------------------------------------------------------------------------------

    async def failed_pipelines_async(
        self,
        since: datetime | timedelta | str,
        pipeline_ids: Collection[int] | None = None,
        accept_completed_with_failures: bool = False,
    ) -> list[Record]:
        """Find the Pipelines whose last run has failed since then, or did not come on schedule.

        One that runs now is none of them. It takes a call for each Pipeline, and one for a hundred.

        Args:
            since: A moment, also as ISO text, or how long ago.
            pipeline_ids: Look at these alone; None for all of the account.
            accept_completed_with_failures: Count COMPLETED_WITH_FAILURES as success.

        Returns:
            ``pipeline_id``, ``name``, ``reason``, and ``obstacle``: why none can be started now, or
            None.
        """
        from hevo_edge.orchestration import find_failed_pipelines  # noqa: PLC0415 -- as above

        async with self._connected() as hevo:
            found = await find_failed_pipelines(
                hevo,
                since=parameters.begin(since, "since"),
                pipeline_ids=pipeline_ids,
                accept_completed_with_failures=accept_completed_with_failures,
            )
        return [Record(each.to_dict()) for each in found]

    failed_pipelines_sync = in_sync(failed_pipelines_async)


# Not in one line: that is no type to mypy.
HevoPipelineHook = HevoHook
HevoObjectHook = HevoHook
"""The vendor's two hooks."""
