"""The options of a trigger, checked before anything is loaded that could send it.

A DAG file is parsed again and again, and its mistakes should show there: this module imports
neither aiohttp nor pydantic.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from hevo_edge._common import validation
from hevo_edge.enums import IfRunning, JobType, PipelineAction, can_come_of
from hevo_edge.errors import ConfigurationError

log: logging.Logger = logging.getLogger("hevo_edge.options")


class TriggerOptions(NamedTuple):
    """What a trigger is to do; see ``Pipeline.trigger`` for the meaning of each."""

    action: PipelineAction
    job_type: str | None
    drop_and_load: bool
    if_running: IfRunning


def trigger_options(
    action: PipelineAction | str = PipelineAction.SYNC_NOW,
    job_type: JobType | str | None = None,
    drop_and_load: bool = False,
    if_running: IfRunning | str = IfRunning.FAIL,
) -> TriggerOptions:
    """Check the options of a trigger.

    Raises:
        ConfigurationError: when one is wrong, or they do not go together.
    """
    checked = validation.choice(PipelineAction, action, "action")
    if drop_and_load and checked is not PipelineAction.RESYNC:
        raise ConfigurationError("drop_and_load goes with PipelineAction.RESYNC, not SYNC_NOW")
    wanted = None if job_type is None else validation.word(job_type, "job_type")
    if wanted is not None and not can_come_of(checked, wanted):
        raise ConfigurationError(f"job_type: a Job of type {wanted} cannot come of {checked}")
    if wanted is not None and wanted not in JobType.__members__:
        log.warning("job_type %r is none that is known; is it misspelt?", wanted)
    return TriggerOptions(
        checked, wanted, bool(drop_and_load), validation.choice(IfRunning, if_running, "if_running")
    )
