"""The ticket of a trigger: what was known before the POST, to tell afterwards what came of it."""

from __future__ import annotations

import uuid
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hevo_edge.enums import IfRunning, PipelineAction, can_come_of, same_job_type
from hevo_edge.errors import ConfigurationError
from hevo_edge.history import Watermark
from hevo_edge.models import JobData
from hevo_edge.timetable import Timetable

DISCOVERY_TIMEOUT = 150.0
"""Seconds in which a started Job must show up in the list; vendor docs say 5 to 15."""


class TriggerTicket(BaseModel):
    """What a trigger is to do and what was there before it. Plain JSON; holds no secret.

    Store ``dumps()`` before ``HevoClient.fire(ticket)``, and a process that crashes in between
    can be resumed in another by ``HevoClient.reconcile(TriggerTicket.loads(text))``.
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
    discovery_timeout: float = DISCOVERY_TIMEOUT
    watermark: Watermark
    timetable: Timetable = Timetable()
    join_job_id: str | None = None
    """The running Job that ``if_running="join"`` found; then nothing will be sent."""

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
