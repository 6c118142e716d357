"""The ticket of a trigger: what it is to do, what was there before, and what is known by now."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hevo_edge._jobs.watermark import Watermark
from hevo_edge._triggering.schedule_grid import Timetable
from hevo_edge.enums import Certainty, IfRunning, PipelineAction, can_come_of, same_job_type
from hevo_edge.errors import ConfigurationError
from hevo_edge.models import JobData

DISCOVERY_TIMEOUT = 150.0
"""Seconds in which a started Job must show up in the list; vendor docs say 5 to 15."""


class Post(BaseModel):
    """What is known of the POST of a trigger.

    Attributes:
        doubt: Why it is not known that Hevo accepted it; None when it did.
        took: Seconds from its leaving to the reply, or to the end of the waiting for one; None
            while it is under way, or if who sent it did not live to see.
        answered_at: The moment of Hevo's answer by Hevo's clock, in seconds since 1970.
        sent_at: When it was about to leave by the sender's clock, in seconds since 1970.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    doubt: str | None = None
    took: float | None = None
    answered_at: float | None = None
    sent_at: float | None = None

    @property
    def accepted(self) -> bool:
        """Whether Hevo surely accepted it."""
        return self.doubt is None

    @property
    def is_over(self) -> bool:
        """Whether who sent it lived to see what came of it."""
        return self.took is not None


UNKNOWN: Post = Post(doubt="it is not known whether it was fired")
UNDER_WAY: Post = Post(doubt="whoever sent it did not see an answer")


class TriggerTicket(BaseModel):
    """What a trigger is to do, what was there before it, and what is known of it by now.

    Plain JSON; holds no secret. A process that crashes can be followed by another that fires the
    ticket which was stored last: by ``on_ticket``, or ``dumps()`` before ``HevoClient.fire``.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    version: Literal[1] = 1
    ticket_id: str = Field(default_factory=lambda: uuid.uuid4().hex)
    pipeline_id: int
    action: PipelineAction
    job_type: str | None = None
    drop_and_load: bool = False
    object_ids: tuple[str, ...] | None = None
    """The objects of a resync that is not of all."""
    if_running: IfRunning = IfRunning.FAIL
    discovery_timeout: float = Field(default=DISCOVERY_TIMEOUT, gt=0, allow_inf_nan=False)
    watermark: Watermark
    timetable: Timetable = Timetable()
    post: Post | None = None
    """What is known of its POST; None when none is known to have left."""
    job_id: str | None = None
    """Its Job, once that is known: the running one under ``if_running="join"``."""
    certainty: Certainty | None = None
    """How surely ``job_id`` is."""

    def dumps(self) -> str:
        """Return the ticket as JSON."""
        return self.model_dump_json()

    @classmethod
    def loads(cls, text: str | bytes) -> TriggerTicket:
        """Read a ticket from JSON.

        Raises:
            ConfigurationError: when it is not one, or of a version that is not known.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "the text"
            raise ConfigurationError(
                f"this is not a TriggerTicket of version 1: {where}: {first['msg']}"
            ) from None

    @property
    def restarts(self) -> bool:
        """Whether firing it restarts the Pipeline, as a resync of all objects does."""
        return self.action is PipelineAction.RESYNC and self.object_ids is None

    def later(self, seconds: float) -> TriggerTicket:
        """Return the ticket as if it had been read so many seconds later, by Hevo's clock."""
        mark = self.watermark
        if mark.read_at is None:
            return self
        moved = mark.model_copy(update={"read_at": mark.read_at + seconds})
        return self.model_copy(update={"watermark": moved})

    def fits(self, job: JobData) -> bool:
        """Say whether a Job is of a type that can come of this trigger."""
        if self.job_type is not None:
            return same_job_type(self.job_type, job.type)
        return can_come_of(self.action, job.type)


OnTicket = Callable[[TriggerTicket], object]
"""Is given a ticket whenever more is known of it; what it returns is awaited if it can be."""
