"""What was asked of the emulator, to judge a client by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class RecordedCall:
    """One request.

    Attributes:
        at: Emulator seconds since 1970 at its arrival.
        endpoint: The endpoint's name as in ``hevo_edge.api``; ``"unknown"`` for no such path.
        method, path, query, body: What was sent. Headers are not kept: they hold credentials.
        user_agent: Who sent it.
        pipeline_id: The Pipeline, when the path names one.
        status: The status of the reply; None when the connection was dropped.
        took_effect: Whether the endpoint was carried out and did not refuse.
        job_id: The Job that it started.
        faults: The names of the faults that hit it.
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


class Journal(list[RecordedCall]):
    """All requests in the order of their arrival."""

    def of(self, *endpoints: str) -> list[RecordedCall]:
        """Return the requests to these endpoints, such as ``"sync_now"``."""
        return [call for call in self if call.endpoint in endpoints]
