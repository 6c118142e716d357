"""The generations of the API that the emulator can speak, where the sources conflict."""

from __future__ import annotations

from dataclasses import dataclass

from hevo_edge.enums import JobType, PipelineStatus

_CHOICES = {
    "resync_body": ("resync_mode", "drop_and_load", "any"),
    "in_progress": ("409", "500"),
    "action_reply": ("message", "empty", "204"),
    "list_order": ("newest_first", "oldest_first", "last_updated_first"),
    "cursor": ("row", "offset"),
    "times": ("ms", "s"),
    "empty_list": ("list", "null", "missing"),
}


@dataclass(frozen=True)
class Dialect:
    """The choices on which generations and sources differ. The defaults are the newest generation.

    Attributes:
        resync_body: ``"resync_mode"``, ``"drop_and_load"``, or ``"any"``: the form of body that a
            resync accepts; the other form is refused with 400, so that a mismatch shows.
        resync_type: The Job type of a resync that keeps the tables.
        drop_and_load_type: The Job type of a resync that drops them.
        in_progress: ``"409"`` for the JSON reply to a sync while a Job runs, ``"500"`` for the
            plain text of the oldest generation.
        action_reply: ``"message"`` for a JSON message, ``"empty"`` for ``{}``, ``"204"`` for no
            body.
        list_order: ``"newest_first"``, ``"oldest_first"`` or ``"last_updated_first"`` for the jobs
            list.
        cursor: ``"row"`` for a cursor that names the last row seen; ``"offset"`` for one that
            counts rows, so that rows shift between pages when others come.
        times: ``"ms"`` or ``"s"``, the unit of a Job's ``created_ts`` and ``updated_ts``.
        empty_list: ``"list"`` for ``"data": []`` in a page without rows, ``"null"`` for
            ``"data": null``, ``"missing"`` for no such field.
        enabled_status: The status of a Pipeline that was disabled and enabled again, or resynced.
        restarting_status: Its status while a resync restarts it.
        restart_failed_status: Its status when the restart has failed.
        billing: Whether Jobs have billing fields, which earlier generations had.
    """

    resync_body: str = "resync_mode"
    resync_type: str = JobType.RESYNC
    drop_and_load_type: str = JobType.RESYNC_WITH_DROP_AND_LOAD
    in_progress: str = "409"
    action_reply: str = "message"
    list_order: str = "newest_first"
    cursor: str = "row"
    times: str = "ms"
    empty_list: str = "list"
    enabled_status: str = PipelineStatus.INITIALIZED
    restarting_status: str = PipelineStatus.RESTARTING
    restart_failed_status: str = PipelineStatus.RESTART_FAILED
    billing: bool = False

    def __post_init__(self) -> None:
        for name, values in _CHOICES.items():
            if (value := getattr(self, name)) not in values:
                raise ValueError(f"{name} must be one of {list(values)}, not {value!r}")


DIALECTS: dict[str, Dialect] = {
    "newest": Dialect(),
    "evolve": Dialect(resync_type=JobType.RESYNC_WITH_EVOLVE, billing=True),
    "drop_and_load": Dialect(
        resync_body="drop_and_load", resync_type=JobType.RESYNC_WITH_EVOLVE, action_reply="empty"
    ),
    "oldest": Dialect(
        resync_body="any",
        resync_type=JobType.TRUNCATE_AND_LOAD,
        drop_and_load_type=JobType.TRUNCATE_AND_LOAD,
        in_progress="500",
        action_reply="204",
        enabled_status=PipelineStatus.ENABLED,
        restarting_status=PipelineStatus.RESYNCING,
        restart_failed_status=PipelineStatus.FAILED,
    ),
}
"""Named generations for ``HevoEmulator(dialect=...)`` and ``--dialect``, newest first."""
