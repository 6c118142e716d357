"""The journal of requests, from which a test tells what a client did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hevo_edge.emulator.latest import Latest
from hevo_edge.emulator.routes import check_endpoint


@dataclass
class RecordedCall:
    """One request.

    Attributes:
        at: Emulator seconds since 1970 at its arrival.
        endpoint: The endpoint's name as in ``hevo_edge.api``; ``"unknown"`` for no such path.
        method, path, query, body: What was sent. Headers are not kept: they hold credentials.
        user_agent: The ``User-Agent`` header.
        pipeline_id: The Pipeline, when the path names one.
        status: The status of the reply; None when the connection was dropped.
        took_effect: Whether the endpoint was called and did not refuse.
        job_id: The Job that it started.
        faults: The kinds of the faults that hit it.
    """

    at: float
    endpoint: str
    method: str
    path: str
    query: dict[str, str]
    body: Any
    user_agent: str
    pipeline_id: int | None
    status: int | None = None
    took_effect: bool = False
    job_id: str | None = None
    faults: tuple[str, ...] = ()


class Journal(Latest[RecordedCall]):
    """The requests in the order of their arrival: all, or the latest within a limit."""

    def of(self, *endpoints: str) -> list[RecordedCall]:
        """Return the requests to these endpoints, such as ``"sync_now"``.

        Raises:
            ValueError: for a name that no endpoint has; a misspelt one would never be found.
        """
        for endpoint in endpoints:
            check_endpoint(endpoint)
        return [call for call in self if call.endpoint in endpoints]
