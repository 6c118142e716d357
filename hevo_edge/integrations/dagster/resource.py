"""The resource: an account of Hevo, and the verbs of a step."""
# Dagster reads a resource's annotations as they stand: no `from __future__ import annotations`.

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from hevo_edge.errors import ConfigurationError
from hevo_edge.integrations.dagster.options import RunKeywords

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from hevo_edge import HevoClient
    from hevo_edge.integrations.dagster.materializing import AssetEvent
    from hevo_edge.orchestration import Account, Outcome


class HevoResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """An account of Hevo Edge; secrets come by ``dg.EnvVar``. Its repr shows none.

    Needed are ``api_key``, ``api_secret``, and ``region`` or ``base_url``. The calls of all
    processes of a machine share ``rate_limit``, as each step is a process.
    """

    api_key: str = Field(repr=False, description="The API key; Hevo calls it API username.")
    api_secret: str = Field(repr=False, description="The API secret; Hevo calls it API key.")
    region: str | None = Field(
        default=None, description="The first part of the host you log in at: us, eu, in, ..."
    )
    base_url: str | None = Field(default=None, description="The whole URL, instead of a region.")
    rate_limit: int | None = Field(
        default=100, description="Calls a minute of all processes of a machine; null: no limit."
    )
    rate_limit_store: str | None = Field(
        default=None,
        repr=False,
        description="The URL of a Redis through which all machines share those calls.",
    )
    rate_limit_name: str | None = Field(default=None, description="The name of their window.")
    timeout: float = Field(default=30.0, description="Seconds for one HTTP request.")
    max_retries: int = Field(default=3, description="How often what may be repeated is repeated.")
    headers: dict[str, str] = Field(
        default_factory=dict, repr=False, description="More headers for every request."
    )
    proxy: str | None = Field(default=None, repr=False, description="The URL of an HTTP proxy.")
    trust_env: bool = Field(
        default=True, description="Whether to take the proxy from HTTPS_PROXY and NO_PROXY."
    )
    verify: bool = Field(default=True, description="Whether to check Hevo's certificate.")
    ca_file: str | None = Field(
        default=None, description="A file of certificates to trust, instead of the system's."
    )
    dialect: str = Field(
        default="resync_mode", description="The generation of request bodies to send."
    )
    insecure: bool = Field(default=False, description="Allow plain http to another machine.")

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{type(self).__name__}({self.base_url or self.region or 'no region'})"

    def get_account(self) -> "Account":
        """Return the account.

        Raises:
            ConfigurationError: naming the resource, and what is missing or wrong.
        """
        # What talks to Hevo loads when it is used: a code location is loaded again and again.
        from hevo_edge.orchestration import Account  # noqa: PLC0415

        if bool(self.region) == bool(self.base_url):
            both = ", not both" if self.region else ""
            raise ConfigurationError(f"{self.name}: give region or base_url{both}")
        extra: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("rate_limit", "timeout", "headers", "proxy", "trust_env", "dialect")
        }
        extra["verify"] = self.ca_file or self.verify
        extra["insecure"] = self.insecure
        if self.rate_limit_store is not None:
            extra["rate_limit_store"] = self.rate_limit_store
        if self.rate_limit_name is not None:
            extra["rate_limit_name"] = self.rate_limit_name
        return Account.parse(
            login=self.api_key,
            password=self.api_secret,
            host=self.base_url or self.region,
            extra=extra,
            name=self.name,
        )

    def get_client(self, **overrides: Any) -> "HevoClient":
        """Make a client; use it as an async context manager, in one ``asyncio.run``.

        Args:
            **overrides: Keywords of ``HevoClient``.

        Raises:
            ConfigurationError: for what is missing or wrong.
        """
        return self.get_account().client(**{"max_retries": self.max_retries, **overrides})

    def materialize(
        self, context: dg.AssetExecutionContext, **options: "Unpack[RunKeywords]"
    ) -> "Iterator[AssetEvent]":
        """Run the Pipeline of ``@hevo_assets`` once, and yield what came of it, a table at a time.

        Args:
            context: The context of the assets.
            **options: Options of the run; they win over those of the decorator.

        Raises:
            Failure: when the Job did not end well, or it is not known how it ended; without a
                retry, when something is wrong with the account or an option.
        """
        from hevo_edge.integrations.dagster.materializing import materialize  # noqa: PLC0415

        return materialize(context, self, options)

    def run(
        self,
        context: dg.OpExecutionContext | dg.AssetExecutionContext,
        pipeline_id: int | str,
        **options: "Unpack[RunKeywords]",
    ) -> "Outcome":
        """Run a Pipeline once in a step, and return how that ended, which was well.

        Within a step the same request is the same run: a retry goes on with it, and so does a
        second call.

        Args:
            context: The context of the op or asset.
            pipeline_id: The Pipeline.
            **options: Options of the run.

        Raises:
            Failure: when the Job did not end well, or it is not known how it ended; without a
                retry, when something is wrong with the account or an option.
        """
        from hevo_edge.integrations.dagster.step import Step, failure_of  # noqa: PLC0415

        step = Step(context, self, pipeline_id, options)
        outcome, _ = step.run(wants_rows=False)
        if outcome.kind != "success":
            raise failure_of(outcome, step.url)
        return outcome
