"""The ticket of a trigger: what it is to do, what was there before, and what is known by now."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from hevo_edge._jobs.watermark import Watermark
from hevo_edge._triggering.schedule_grid import ScheduleGrid
from hevo_edge._triggering.states import TicketState
from hevo_edge.enums import Certainty, IfRunning, PipelineAction, can_come_of, same_job_type
from hevo_edge.errors import ConfigurationError
from hevo_edge.models import JobData


class Post(BaseModel):
    """What is known of the POST of a trigger.

    Attributes:
        ambiguity: Why it is not known that Hevo accepted it; None when it did.
        elapsed: Seconds from its leaving to the reply, or to the end of the waiting for one; None
            while it is in flight, or if whoever sent it did not see its end.
        answered_at: The moment of Hevo's answer by Hevo's clock, in seconds since 1970.
        sent_at: When it was about to leave by the sender's clock, in seconds since 1970.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    ambiguity: str | None = None
    elapsed: float | None = None
    answered_at: float | None = None
    sent_at: float | None = None

    @property
    def accepted(self) -> bool:
        """Whether Hevo surely accepted it."""
        return self.ambiguity is None


UNKNOWN: Post = Post(ambiguity="it is not known whether it was fired")
IN_FLIGHT: Post = Post(ambiguity="whoever sent it did not see an answer")


class TriggerTicket(BaseModel):
    """What a trigger is to do, what was there before it, and what is known of it by now.

    Plain JSON; holds no secret. A process that crashes can be followed by another that fires the
    ticket which was stored last: by ``on_ticket``, or ``dumps()`` before ``HevoClient.fire``.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    version: Literal[2] = 2
    ticket_id: str = Field(default_factory=lambda: uuid.uuid4().hex)
    state: TicketState = TicketState.NEW
    """How far it has come, when this was stored."""
    pipeline_id: int
    action: PipelineAction
    job_type: str | None = None
    drop_and_load: bool = False
    object_ids: tuple[str, ...] | None = None
    """The objects of a resync that is not of all."""
    if_running: IfRunning = IfRunning.FAIL
    discovery_timeout: float = Field(default=150.0, gt=0, allow_inf_nan=False)
    watermark: Watermark = Watermark()
    schedule_grid: ScheduleGrid = ScheduleGrid()
    post: Post | None = None
    """What is known of its POST; None when none is known to have left."""
    job_id: str | None = None
    """Its Job, once that is known: the running one under ``if_running="join"``."""
    certainty: Certainty | None = None
    """How surely ``job_id`` is."""

    @model_validator(mode="before")
    @classmethod
    def _upgrade(cls, stored: Any) -> Any:
        """Read version 1, which had other names and no state."""
        if not isinstance(stored, dict) or stored.get("version") != 1:
            return stored
        ticket = {**stored, "version": 2, "state": _state_of_version_1(stored)}
        ticket["schedule_grid"] = ticket.pop("timetable", None) or {}
        for name, old, new in (
            ("post", "doubt", "ambiguity"),
            ("post", "took", "elapsed"),
            ("watermark", "read_at", "server_time"),
        ):
            part = ticket.get(name)
            if isinstance(part, dict) and old in part:
                ticket[name] = {new if key == old else key: part[key] for key in part}
        return ticket

    @model_validator(mode="after")
    def _is_consistent(self) -> TriggerTicket:
        """Refuse a state that the rest of the ticket contradicts."""
        has_post = self.post is not None
        needed = {
            TicketState.NEW: not has_post,
            TicketState.READ: not has_post,
            TicketState.SENDING: has_post,
            TicketState.AMBIGUOUS: has_post,
            TicketState.ACCEPTED: self.post is not None and self.post.accepted,
        }
        if not needed.get(self.state, True) or (self.state is TicketState.FOUND) != bool(
            self.job_id
        ):
            raise ValueError(f"a ticket that is {self.state} cannot have this post and job_id")
        return self

    def dumps(self) -> str:
        """Return the ticket as JSON."""
        return self.model_dump_json()

    @classmethod
    def loads(cls, text: str | bytes) -> TriggerTicket:
        """Read a ticket from JSON, of this version or an older one.

        Raises:
            ConfigurationError: when it is not one, or of a version that is not known.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "the text"
            raise ConfigurationError(
                f"this is not a TriggerTicket of version 1 or 2: {where}: {first['msg']}"
            ) from None

    @property
    def restarts(self) -> bool:
        """Whether firing it restarts the Pipeline, as a resync of all objects does."""
        return self.action is PipelineAction.RESYNC and self.object_ids is None

    def read_later(self, seconds: float) -> TriggerTicket:
        """Return the ticket as if it had been read so many seconds later, by Hevo's clock."""
        mark = self.watermark
        if mark.server_time is None:
            return self
        moved = mark.model_copy(update={"server_time": mark.server_time + seconds})
        return self.model_copy(update={"watermark": moved})

    def matches(self, job: JobData) -> bool:
        """Say whether a Job is of a type that can come of this trigger."""
        if self.job_type is not None:
            return same_job_type(self.job_type, job.type)
        return can_come_of(self.action, job.type)


OnTicket = Callable[[TriggerTicket], object]
"""Is given a ticket whenever more is known of it; what it returns is awaited if it can be."""


def _state_of_version_1(stored: dict[str, Any]) -> TicketState:
    post = stored.get("post")
    if stored.get("job_id"):
        return TicketState.FOUND
    if not isinstance(post, dict):
        has_read = bool(stored.get("watermark")) and stored["watermark"] != Watermark().model_dump()
        return TicketState.READ if has_read else TicketState.NEW
    if post.get("doubt") is None:
        return TicketState.ACCEPTED
    return TicketState.SENDING if post.get("took") is None else TicketState.AMBIGUOUS
