"""The blocks: an account of Hevo, and a Pipeline with how to run it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from prefect.blocks.abstract import JobBlock, JobRun
from pydantic import ConfigDict, Field, HttpUrl, field_validator, model_validator
from typing_extensions import Self

from hevo_edge.errors import ConfigurationError
from hevo_edge.integrations.prefect.credentials import LOGO, PAGE, HevoCredentials, refuse_unknown
from hevo_edge.orchestration import RunKeywords, RunSpec, run_shared, validation

if TYPE_CHECKING:
    from hevo_edge.integrations.prefect.attempt import Attempt
    from hevo_edge.orchestration import Outcome

__all__ = ["HevoCredentials", "HevoJobRun", "HevoPipeline"]

CANCEL_ON_KILL = ("user", "always", "never")


class HevoPipeline(JobBlock[dict[str, Any]]):
    """A Pipeline of Hevo Edge, and how to run it. ``trigger`` starts exactly one run.

    Raises:
        ConfigurationError: naming what is wrong.
    """

    _block_type_name: ClassVar[str | None] = "Hevo Edge Pipeline"
    _block_type_slug: ClassVar[str | None] = "hevo-edge-pipeline"
    _logo_url: ClassVar[HttpUrl | None] = HttpUrl(LOGO)
    _documentation_url: ClassVar[HttpUrl | None] = HttpUrl(PAGE)
    _code_example: ClassVar[str | None] = """
        from hevo_edge.integrations.prefect import HevoPipeline

        job_run = HevoPipeline.load("BLOCK_NAME").trigger()
        job_run.wait_for_completion()
        print(job_run.fetch_result()["events_loaded"])
    """
    model_config = ConfigDict(hide_input_in_errors=True, validate_assignment=True)

    credentials: HevoCredentials = Field(description="The account.")
    pipeline_id: int = Field(description="The Pipeline.")
    action: str = Field(default="SYNC_NOW", description="SYNC_NOW or RESYNC.")
    job_type: str | None = Field(default=None, description="Accept only a Job of this type.")
    drop_and_load: bool = Field(
        default=False, description="With RESYNC: drop and recreate the Destination tables."
    )
    if_running: str | None = Field(
        default=None,
        description="When a Job is running: fail, join, replace or wait; "
        "else fail, or join with fresh_within.",
    )
    fresh_within: float | None = Field(
        default=None,
        description="Seconds: take the last Job that ended well within them, start one only else.",
    )
    discovery_timeout: float = Field(
        default=150.0, description="Seconds in which the new Job must be listed."
    )
    poll_interval: float | str = Field(
        default=15.0, description="Seconds between polls, or auto, or eager."
    )
    accept_completed_with_failures: bool = Field(
        default=False, description="Take COMPLETED_WITH_FAILURES for success."
    )
    timeout: float | None = Field(
        default=None, description="Seconds for all of it; a final poll comes before the failure."
    )
    on_timeout: str = Field(
        default="raise", description="At the timeout: raise, or cancel the Job in Hevo as well."
    )
    cancel_on_kill: str = Field(
        default="user",
        description="Cancel the Job in Hevo when a user cancels the flow run; always; or never.",
    )
    durable: bool = Field(
        default=True, description="Keep the ticket, so that a re-run goes on with the Job."
    )
    report: bool = Field(default=True, description="Make artifacts and asset events of the Job.")

    @field_validator("fresh_within", "poll_interval", "timeout", mode="before")
    @classmethod
    def _seconds(cls, value: Any) -> Any:
        """Take a timedelta as well: saved blocks hold seconds."""
        return value.total_seconds() if isinstance(value, timedelta) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse_unknown(self.model_extra)
        validation.one_of(self.cancel_on_kill, "cancel_on_kill", CANCEL_ON_KILL)
        self.spec()
        return self

    def spec(self) -> RunSpec:
        """Return what is asked for; its deadline counts from now."""
        names = RunKeywords.__annotations__
        return RunSpec.of_task(self.pipeline_id, **{name: getattr(self, name) for name in names})

    async def attempt(self) -> Attempt:
        """Return an attempt to run it, for the flow run or task run that calls."""
        from hevo_edge.integrations.prefect.attempt import Attempt  # noqa: PLC0415 -- aiohttp

        return await Attempt.make(
            self.credentials,
            self.spec(),
            durable=self.durable,
            cancel_on_kill=self.cancel_on_kill,
            report=self.report,
        )

    async def atrigger(self) -> HevoJobRun:
        """Start a run, or go on with that of an earlier attempt of the flow run.

        Raises:
            RunFailed: when none could be started.
        """
        attempt = await self.attempt()
        started = await attempt.start()
        if started is not None:
            started.raise_for_status()
        return HevoJobRun(attempt)

    def trigger(self) -> HevoJobRun:  # type: ignore[override]  # as Prefect's own blocks do it
        """Do what ``atrigger`` does, from synchronous code."""
        return run_shared(self.atrigger())


class HevoJobRun(JobRun[dict[str, Any]]):
    """A Job that a ``HevoPipeline`` has started. Made by ``trigger``.

    Attributes:
        job: What is known of the Job, as plain data.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._outcome: Outcome | None = None
        self.job: dict[str, Any] = attempt.job

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.job.get('ref')!r})"

    async def await_for_completion(self) -> None:
        """Wait until the Job has ended or the timeout is over; ``fetch_result`` says how."""
        self._outcome = await self._attempt.wait()
        self.job = self._outcome.job or self.job

    def wait_for_completion(self) -> None:  # type: ignore[override]  # as ``trigger``
        """Do what ``await_for_completion`` does, from synchronous code."""
        run_shared(self.await_for_completion())

    async def afetch_result(self) -> dict[str, Any]:
        """Return the Job as plain data: ids, status, counts, times.

        Raises:
            RunFailed: when it did not end well, or was not awaited yet.
        """
        return self._result()

    def fetch_result(self) -> dict[str, Any]:  # type: ignore[override]  # as ``trigger``
        """Do what ``afetch_result`` does, from synchronous code."""
        return self._result()

    def _result(self) -> dict[str, Any]:
        if self._outcome is None:
            raise ConfigurationError("the Job was not awaited yet: call wait_for_completion()")
        self._outcome.raise_for_status()
        return self.job
