"""How an attempt ended, as states of Prefect."""

from __future__ import annotations

from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed

from hevo_edge.errors import JobCancelled

_ADVICE = {
    "JobInProgress": 'choose if_running="wait", "join" or "replace"',
    "TriggerOutcomeUnknown": "a retry of the task, or a re-run of the flow run, searches again",
    "JobNotFoundAfterTrigger": "a retry of the task, or a re-run of the flow run, searches again",
}
"""What to do in Prefect, by the error's class."""


def state_of(outcome: Any) -> State[Any]:
    """Return the state that an ``Outcome`` means; its data is the Job, or a ``RunFailed``."""
    from hevo_edge.orchestration import RunFailed  # noqa: PLC0415 -- loads aiohttp

    if outcome.kind == "success":
        status = str((outcome.job or {}).get("status") or "COMPLETED")
        name = "".join(word.capitalize() for word in status.split("_"))
        return Completed(name=name, message=outcome.message, data=outcome.job)
    advice = _ADVICE.get(outcome.error or "")
    message = f"{outcome.message}. {advice[0].upper()}{advice[1:]}" if advice else outcome.message
    # Never raised here, so Prefect's log shows the user's lines and none of ours.
    error = RunFailed(message, outcome=outcome)
    if outcome.error == JobCancelled.__name__:
        return Cancelled(message=message, data=error)
    if outcome.kind == "timeout":
        return Failed(name="TimedOut", message=message, data=error)
    return Failed(message=message, data=error)


def retry_can_help(task: Any, task_run: Any, state: State[Any]) -> bool:  # noqa: ARG001 -- Prefect's
    """Say whether a retry of a task can help: for ``retry_condition_fn``.

    It cannot with a wrong key, id or option. The tasks of this package have it already.
    """
    outcome = getattr(state.data, "outcome", None)
    return outcome is None or not outcome.is_final
