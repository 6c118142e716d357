"""A task whose function returns a state, and whose caller gets what that holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from prefect import Task
from prefect.cache_policies import NO_CACHE

from hevo_edge.integrations.prefect.states import retry_can_help

P = ParamSpec("P")
R = TypeVar("R")


class HevoTask(Task[P, R]):
    """A task whose function returns a state, so that Prefect shows its name and message.

    Prefect hands such a state to who calls the task. Here the caller gets the data, or the error
    is raised: nobody goes on with a cancelled Job unawares.
    """

    if not TYPE_CHECKING:

        def __call__(self, *args: Any, return_state: bool = False, **kwargs: Any) -> Any:
            """Run the task; return the Job as plain data, or the state if that is asked for."""
            state = super().__call__(*args, return_state=True, **kwargs)
            if return_state:
                return state
            return _aresult_of(state) if self.isasync else _result_of(state)

        def with_options(self, **options: Any) -> HevoTask[P, R]:
            """Return a task with other options, see ``Task.with_options``."""
            task = super().with_options(**options)
            task.__class__ = type(self)  # Prefect makes a plain Task
            return task


async def _aresult_of(ending: Any) -> Any:
    return _result_of(await ending)


def _result_of(state: Any) -> Any:
    """Return what a state holds, or raise it here: Prefect's own way is ten frames long."""
    result = state.result(raise_on_failure=False, _sync=True)
    if isinstance(result, BaseException):
        raise result
    return result


def hevo_task(function: Callable[P, R]) -> HevoTask[P, R]:
    """Make a task of a function. Nothing is cached: to ask for a sync is to want one."""
    return HevoTask(function, cache_policy=NO_CACHE, retry_condition_fn=retry_can_help)
