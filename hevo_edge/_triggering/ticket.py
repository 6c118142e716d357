"""The ticket of a trigger: what to start, which Jobs there were before, what is known by now."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import (
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from hevo_edge._jobs.watermark import Watermark
from hevo_edge._text.model import PrintableModel
from hevo_edge._triggering.schedule_grid import ScheduleGrid
from hevo_edge._triggering.states import TicketState
from hevo_edge.enums import Certainty, IfRunning, PipelineAction, can_come_of, same_job_type
from hevo_edge.errors import ConfigurationError
from hevo_edge.models import JobData
from hevo_edge.options import TriggerOptions

if TYPE_CHECKING:
    from typing_extensions import Self


class Post(PrintableModel):
    """What is known of the POST of a trigger.

    Attributes:
        ambiguity: Why it is not known whether Hevo accepted it; None when Hevo accepted it.
        elapsed: Seconds from when it left to the reply, or until the sender gave up; None while it
            is in flight, or when its sender did not see the outcome.
        answered_at: When Hevo answered by Hevo's clock, in seconds since 1970.
        sent_at: When it was about to leave by the sender's clock, in seconds since 1970.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    ambiguity: str | None = None
    elapsed: float | None = None
    answered_at: float | None = None
    sent_at: float | None = None

    @property
    def accepted(self) -> bool:
        """Whether it is certain that Hevo accepted it."""
        return self.ambiguity is None


UNKNOWN: Post = Post(ambiguity="it is not known whether it was fired")
IN_FLIGHT: Post = Post(ambiguity="the process that sent it did not see an answer")


class TriggerTicket(PrintableModel):
    """What a trigger is to start, which Jobs there were before it, and what is known of it by now.

    Plain JSON; contains no secret. After a crash, another process fires the ticket that was stored
    last: by ``on_ticket``, or by ``dumps()`` before ``HevoClient.fire``.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    version: Literal[2] = 2
    """The version of its form."""
    ticket_id: str = Field(default_factory=lambda: uuid.uuid4().hex)
    """Its own id, by which clients tell it from others."""
    state: TicketState = TicketState.NEW
    """How far the trigger had come when the ticket was stored."""
    pipeline_id: int
    """The Pipeline to run."""
    account: str | None = None
    """The account's fingerprint, which holds no secret; None when it is not known."""
    action: PipelineAction
    """What to start."""
    job_type: str | None = None
    """Accept only a Job of this type; None for any that can come of the action."""
    drop_and_load: bool = False
    """Whether a resync drops and recreates the Destination tables."""
    object_ids: tuple[str, ...] | None = None
    """The objects to resync; None for all."""
    if_running: IfRunning = IfRunning.FAIL
    """What to do when a Job is running."""
    discovery_timeout: float = Field(default=150.0, gt=0, allow_inf_nan=False)
    """Seconds in which the new Job must be listed."""
    watermark: Watermark = Watermark()
    """Which Jobs there were before."""
    schedule_grid: ScheduleGrid = ScheduleGrid()
    """When Hevo's schedule may start a run of its own."""
    post: Post | None = None
    """What is known of its POST; None when no POST is known to have left."""
    job_id: str | None = None
    """Its Job, once that is known; with ``if_running="join"``, perhaps the running Job."""
    certainty: Certainty | None = None
    """How certain ``job_id`` is."""

    @classmethod
    def of(
        cls,
        pipeline_id: int,
        options: TriggerOptions,
        object_ids: tuple[str, ...] | None = None,
        account: str | None = None,
    ) -> Self:
        """Make the ticket of a new trigger, of checked options."""
        return cls(
            pipeline_id=pipeline_id,
            account=account,
            action=options.action,
            job_type=options.job_type,
            drop_and_load=options.drop_and_load,
            object_ids=object_ids,
            if_running=options.if_running,
            discovery_timeout=options.discovery_timeout,
        )

    @model_validator(mode="before")
    @classmethod
    def _upgrade(cls, stored: Any) -> Any:
        """Read version 1, which has other names and no state."""
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
    def loads(cls, text: str | bytes) -> Self:
        """Read a ticket from JSON, of this version or an older one.

        Raises:
            ConfigurationError: when it is no ticket, or of an unknown version.
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
"""Called with the ticket whenever more is known of it; an awaitable result is awaited."""


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
