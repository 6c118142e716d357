"""The options of a run, checked where assets are defined, and kept as plain JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from hevo_edge import orchestration
from hevo_edge.enums import PipelineAction
from hevo_edge.errors import ConfigurationError
from hevo_edge.orchestration import RunSpec, validation

if TYPE_CHECKING:
    from typing_extensions import Self

CANCEL_ON_TERMINATION = ("user", "always", "never")


class RunKeywords(orchestration.RunKeywords, total=False):
    """The options of a run: of a decorator, and of ``HevoResource.materialize`` and ``run``.

    With ``accept_completed_with_failures``, the tables that did not fail are materialized.
    """

    cancel_on_termination: Literal["user", "always", "never"]
    """Cancel the Job in Hevo when the run is terminated: by a ``"user"`` (the default);
    ``"always"``, by an eviction or a shutdown too; ``"never"``. Only a Job that is surely the
    step's own."""


class RunOptions(dict[str, Any]):
    """Options that were given, checked; plain JSON, so that they can stand in an asset's metadata.

    Raises:
        ConfigurationError: naming the option that is wrong, or does not exist.
    """

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Self:
        """Check options that a user has given."""
        if unknown := given.keys() - RunKeywords.__annotations__.keys():
            raise ConfigurationError(f"there is no option {', '.join(sorted(unknown))}")
        options = cls({name: _plain(value, name) for name, value in given.items()})
        validation.one_of(
            options.cancel_on_termination, "cancel_on_termination", CANCEL_ON_TERMINATION
        )
        options.spec(1)  # whose checks are those of every run
        return options

    @property
    def cancel_on_termination(self) -> str:
        """When to cancel the Job in Hevo, as the run is terminated."""
        return str(self.get("cancel_on_termination", "user"))

    def spec(self, pipeline_id: int | str, object_ids: Sequence[str] | None = None) -> RunSpec:
        """Return what one attempt of a step asks for; its time counts from now.

        Args:
            pipeline_id: The Pipeline.
            object_ids: Resync these alone, whatever the action is; None for the whole Pipeline.
        """
        options: dict[str, Any] = dict(self)
        options.pop("cancel_on_termination", None)
        if object_ids is not None:
            options |= {"action": PipelineAction.RESYNC, "object_ids": object_ids}
            options |= {"fresh_within": None, "job_type": None}
        return RunSpec.of_task(pipeline_id, **options)


def _plain(value: Any, name: str) -> Any:
    """Return an option as a JSON value."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return str(value)
    raise ConfigurationError(f"{name} must be a word, a number or a timedelta, not {value!r}")
