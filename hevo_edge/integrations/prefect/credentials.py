"""The block of an account of Hevo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from prefect.blocks.abstract import CredentialsBlock
from prefect.types import SecretDict
from pydantic import ConfigDict, Field, HttpUrl, SecretStr, ValidationError, model_validator
from typing_extensions import Self

from hevo_edge.errors import ConfigurationError

if TYPE_CHECKING:
    from hevo_edge import HevoClient
    from hevo_edge.orchestration import Account

PAGE = "https://github.com/hevo-edge/hevo_edge/blob/main/docs/prefect.md"
LOGO = "https://raw.githubusercontent.com/hevo-edge/hevo_edge/main/hevo_edge/integrations/prefect/logo.svg"


def refuse_unknown(given: dict[str, Any] | None) -> None:
    """Refuse a misspelt option, which a block of Prefect would keep and never use.

    Raises:
        ConfigurationError: naming it.
    """
    if unknown := sorted(name for name in given or () if name != "block_type_slug"):
        raise ConfigurationError(f"options that mean nothing here: {', '.join(unknown)}")


class HevoCredentials(CredentialsBlock):
    """An account of Hevo Edge: where it is, with which keys to call it, and how.

    Name a region or a base URL, not both. The options are those of ``HevoClient``.

    Raises:
        ConfigurationError: naming what is missing or wrong, before anything is saved.
    """

    _block_type_name: ClassVar[str | None] = "Hevo Edge Credentials"
    _block_type_slug: ClassVar[str | None] = "hevo-edge-credentials"
    _logo_url: ClassVar[HttpUrl | None] = HttpUrl(LOGO)
    _documentation_url: ClassVar[HttpUrl | None] = HttpUrl(PAGE)
    _code_example: ClassVar[str | None] = """
        from hevo_edge.integrations.prefect import HevoCredentials, sync_and_wait

        credentials = HevoCredentials.load("BLOCK_NAME")
        job = sync_and_wait(credentials, pipeline_id=123)
    """
    model_config = ConfigDict(hide_input_in_errors=True, validate_assignment=True)

    api_key: SecretStr = Field(description="The API key; Hevo calls it API username.")
    api_secret: SecretStr = Field(description="The API secret; Hevo calls it API key.")
    region: str | None = Field(
        default=None, description="The first part of the host you log in at: us, eu, in, ..."
    )
    base_url: str | None = Field(
        default=None, description="The whole base URL, instead of a region."
    )
    rate_limit: int | None = Field(
        default=100, description="Calls a minute of all processes of a machine; null: no limit."
    )
    rate_limit_store: SecretStr | None = Field(
        default=None, description="The URL of a Redis through which all machines share these calls."
    )
    rate_limit_name: str | None = Field(
        default=None, description="The name of that window, for several keys of one Hevo user."
    )
    timeout: float = Field(default=30.0, description="Seconds for one HTTP request.")
    max_retries: int = Field(default=3, description="How often what may be repeated is repeated.")
    headers: SecretDict | None = Field(default=None, description="More headers for every request.")
    proxy: SecretStr | None = Field(default=None, description="The URL of an HTTP proxy.")
    trust_env: bool = Field(
        default=True, description="Take the proxy from HTTPS_PROXY and NO_PROXY."
    )
    verify: bool | str = Field(
        default=True, description="Check Hevo's certificate; or a file of certificates to trust."
    )
    dialect: str = Field(
        default="resync_mode", description="The generation of request bodies to send."
    )
    insecure: bool = Field(default=False, description="Allow plain http to other machines.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        refuse_unknown(self.model_extra)
        self.account()
        return self

    @property
    def saved_as(self) -> str | None:
        """The name by which it was saved or loaded; None before."""
        return self._block_document_name

    def account(self) -> Account:
        """Return the account, for ``hevo_edge.orchestration``."""
        from hevo_edge.orchestration import Account  # noqa: PLC0415 -- loads aiohttp

        if self.region and self.base_url:
            raise ConfigurationError("name either a region or a base_url, not both")
        options = ("rate_limit", "rate_limit_name", "timeout", "max_retries", "trust_env")
        more = ("verify", "dialect", "insecure")
        extra: dict[str, Any] = {name: getattr(self, name) for name in (*options, *more)}
        for name in ("rate_limit_store", "headers", "proxy"):
            secret = getattr(self, name)
            extra[name] = None if secret is None else secret.get_secret_value()
        return Account.parse(
            login=self.api_key.get_secret_value(),
            password=self.api_secret.get_secret_value(),
            host=self.base_url or self.region,
            extra=extra,
            name=f"block {self.saved_as!r}" if self.saved_as else "",
        )

    def get_client(self, **overrides: Any) -> HevoClient:
        """Make a client, to be used as an async context manager.

        Args:
            **overrides: Keywords of ``HevoClient``, such as an ``observer``.

        Raises:
            ConfigurationError: for an override that is wrong.
        """
        return self.account().client(**overrides)


async def loaded(credentials: HevoCredentials | str) -> HevoCredentials:
    """Return a block of credentials, which may be given by the name it is saved as.

    Raises:
        ConfigurationError: when there is none of that name; or what was saved, by the UI perhaps,
            is wrong.
    """
    if not isinstance(credentials, str):
        return credentials
    try:
        return await HevoCredentials.aload(credentials)
    except ValueError as error:
        raise ConfigurationError(
            f"{error}. Make it in the UI after `prefect block register -m "
            'hevo_edge.integrations.prefect`, or by HevoCredentials(...).save("NAME")'
        ) from None
    except RuntimeError as error:
        if not isinstance(error.__cause__, ValidationError):
            raise
        wrong = messages_of(error.__cause__)
    raise ConfigurationError(f"block {credentials!r}: {wrong}")


def messages_of(error: ValidationError) -> str:
    """Return what is wrong with a block, without Pydantic's frame around it."""
    return "; ".join(map(_message_of, error.errors()))


def _message_of(wrong: Any) -> str:
    field = ".".join(map(str, wrong["loc"]))
    own = wrong.get("ctx", {}).get("error")
    return str(own) if own else f"{field}: {wrong['msg']}"
