"""What every attempt of a client's triggers needs."""

from __future__ import annotations

from dataclasses import dataclass, field

from hevo_edge._common.clock import Clock
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.transport import Transport
from hevo_edge._triggering.if_running import IfRunningPolicy
from hevo_edge._triggering.pipeline_reader import PipelineReader
from hevo_edge._triggering.registry import TicketRegistry
from hevo_edge.enums import Dialect
from hevo_edge.observing._observer import Observers


@dataclass(frozen=True)
class TriggerParts:
    """What every attempt needs.

    Attributes:
        transport: Sends requests.
        limiter: Knows for how long a 429 pauses the client.
        reader: Reads the Pipeline and its Jobs.
        policy: Applies ``if_running``.
        clock: Time.
        dialect: The form of a resync's body.
        scope: The base URL; two triggers of one Pipeline id under one scope never run at once.
        registry: The client's tickets.
        observers: Those who are told what an attempt does.
    """

    transport: Transport
    limiter: RateLimiter
    reader: PipelineReader
    policy: IfRunningPolicy
    clock: Clock
    dialect: Dialect
    scope: str
    registry: TicketRegistry = field(default_factory=TicketRegistry)
    observers: Observers = field(default_factory=Observers)
