"""An account of Hevo, as an orchestrator's connection describes it."""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hevo_edge._common import validation
from hevo_edge._http.config import Config, fingerprint
from hevo_edge._http.ratelimit import RateLimit
from hevo_edge._http.redis_url import is_url
from hevo_edge._http.shared_window import open_window
from hevo_edge._text.logger import get_logger
from hevo_edge.client import HevoClient
from hevo_edge.errors import ConfigurationError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "Account",
]

log: logging.Logger = get_logger("hevo_edge.orchestration")

_SCHEMES = frozenset({"http", "https"})
_TYPED = frozenset(
    {"headers", "verify", "rate_limit", "timeout", "max_retries", "insecure", "trust_env"}
)
"""The extras that are no texts; a connection that is given as a URI has nothing but texts."""
_EXTRAS = _TYPED | {"proxy", "dialect", "rate_limit_store", "rate_limit_name"}


@dataclass(frozen=True)
class Account:
    """Where Hevo is, with which keys to call it, and with which share of its calls.

    Made by ``parse``. Equal ones can share a client. The repr shows no secret.

    Attributes:
        api_key: The API key.
        api_secret: The API secret.
        base_url: Where Hevo is.
        extras: The extras that are known, as sorted JSON.
        name: What errors and warnings call it.
    """

    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)
    base_url: str
    extras: str = field(default="{}", repr=False)
    name: str = field(default="", compare=False)

    @classmethod
    def parse(
        cls,
        *,
        login: str | None,
        password: str | None,
        host: str | None,
        port: int | None = None,
        scheme: str | None = None,
        extra: Mapping[str, Any] | str | None = None,
        name: str = "",
    ) -> Self:
        """Read and check the fields of a connection.

        Args:
            login: The API key.
            password: The API secret.
            host: A region such as ``us``, a host, or a URL.
            port: The port, where the host does not name it.
            scheme: ``http`` or ``https``; anything else is https.
            extra: ``headers``, ``proxy``, ``verify`` (true, false, or the path of a file of
                certificates), ``rate_limit`` (calls a minute, null for no limit),
                ``rate_limit_store`` (the URL of a Redis through which machines share them) and
                ``rate_limit_name`` (see ``RateLimit.shared_name``), ``timeout`` (seconds for a
                request), ``max_retries``, ``dialect``, ``insecure``, ``trust_env`` (whether to take
                the proxy from the environment); as a mapping or as JSON. Each may be a text of JSON
                too, as in a URI: ``"50"``, ``"false"``.
            name: What errors and warnings are to call it, such as ``"connection 'hevo'"``.

        Raises:
            ConfigurationError: naming what is missing or wrong.
        """
        with _named(name):
            key, secret = _keys(login, password)
            host = (host or "").strip()
            if not host:
                raise ConfigurationError(
                    "the host is missing: a region such as 'us', or 'https://us.hevodata.com'"
                )
            given = _extras(extra)
        if unknown := sorted(given.keys() - _EXTRAS):
            prefix = f"{name}: " if name else ""
            log.warning("%sextras that mean nothing here: %s", prefix, unknown)
        known = {each: given[each] for each in sorted(_EXTRAS & given.keys())}
        unchecked = cls(key, secret, "", json.dumps(known), name)
        return replace(
            unchecked, base_url=unchecked.client(**_address(host, port, scheme)).base_url
        )

    @classmethod
    def from_env(cls, *, extra: Mapping[str, Any] | str | None = None) -> Self:
        """Read ``HEVO_API_KEY``, ``HEVO_API_SECRET``, and ``HEVO_REGION`` or ``HEVO_BASE_URL``.

        Args:
            extra: See ``parse``.

        Raises:
            ConfigurationError: naming what is missing or wrong.
        """
        found = Config.env({})
        return cls.parse(
            login=found["api_key"],
            password=found["api_secret"],
            host=found["base_url"] or found["region"],
            extra=extra,
            name="the environment",
        )

    @property
    def fingerprint(self) -> str:
        """Tells accounts apart: by address and key, not by the secret; holds neither."""
        return fingerprint(self.base_url, self.api_key)

    def client(self, **overrides: Any) -> HevoClient:
        """Make a client.

        Args:
            **overrides: Keywords of ``HevoClient``; ``headers`` are added to the connection's.

        Raises:
            ConfigurationError: for an override that is wrong.
        """
        extras = json.loads(self.extras)
        with _named(self.name):
            options = {"base_url": self.base_url, **_options(extras), **overrides}
            if "rate_limit" not in overrides:
                options["rate_limit"] = _rate_limit(extras)
            more_headers = overrides.get("headers") or {}
            options["headers"] = {**_headers(extras.get("headers")), **more_headers}
            return HevoClient(self.api_key, self.api_secret, **options)


@contextmanager
def _named(name: str) -> Generator[None, None, None]:
    """Let what is wrong with an account name it."""
    try:
        yield
    except ConfigurationError as error:
        if not name:
            raise
        raise ConfigurationError(f"{name}: {error}") from error


def _keys(login: str | None, password: str | None) -> tuple[str, str]:
    key, secret = (login or "").strip(), (password or "").strip()
    missing = [
        name
        for name, value in (("login (the API key)", key), ("password (the API secret)", secret))
        if not value
    ]
    if missing:
        raise ConfigurationError(
            f"{' and '.join(missing)} missing; keys are made at "
            "https://{region}.hevodata.com/account/api-keys"
        )
    return key, secret


def _options(extras: Mapping[str, Any]) -> dict[str, Any]:
    """Return a client's options that stand in the extras."""
    options: dict[str, Any] = {
        "proxy": extras.get("proxy") or None,
        "ssl": _tls(extras.get("verify", True)),
        "insecure": validation.parse_bool(extras.get("insecure", False), "insecure"),
        "trust_env": validation.parse_bool(extras.get("trust_env", True), "trust_env"),
    }
    given = {name: extras.get(name) for name in ("timeout", "max_retries")}
    options |= {name: value for name, value in given.items() if value is not None}
    if "dialect" in extras:
        options["dialect"] = extras["dialect"]
    return options


def _extras(extra: Mapping[str, Any] | str | None) -> Mapping[str, Any]:
    try:
        given = json.loads(extra or "{}") if isinstance(extra, str) else (extra or {})
    except ValueError:
        raise ConfigurationError("the extra is no JSON") from None
    if not isinstance(given, Mapping):
        raise ConfigurationError("the extra is no JSON object")
    return {name: _of_text(value) if name in _TYPED else value for name, value in given.items()}


def _of_text(value: Any) -> Any:
    """Return what a text of JSON means; any other text, such as a path, as it is."""
    if not isinstance(value, str):
        return value
    for text in (value, value.strip().lower()):
        with suppress(ValueError):
            return json.loads(text)
    return None if value.strip().lower() == "none" else value


def _address(host: str, port: int | None, scheme: str | None) -> dict[str, str | None]:
    """Return the region or the base URL that a connection's fields name, as a client's options."""
    if "://" in host:
        has_port = host.rstrip("/").rpartition(":")[2].isdigit()
        url = host if port is None or has_port else f"{host.rstrip('/')}:{port}"
        return {"base_url": url}
    is_region = not set(host) & set(".:/[") and port is None and host.lower() != "localhost"
    if is_region:
        return {"region": host, "base_url": None}
    known = scheme if scheme in _SCHEMES else "https"
    return {"base_url": f"{known}://{host}" if port is None else f"{known}://{host}:{port}"}


def _rate_limit(extras: Mapping[str, Any]) -> RateLimit | None:
    """Read the share of the calls: a number a minute, or None (JSON null) for no limit."""
    value = extras.get("rate_limit", 100)
    if value is None:
        return None
    calls = validation.count(value, "rate_limit")
    return shared_limit(calls, extras.get("rate_limit_store"), extras.get("rate_limit_name"))


def shared_limit(calls: int, store: Any = None, name: str | None = None) -> RateLimit:
    """Return a limit of calls a minute for a process that is one of many, as each task is.

    Hevo counts the calls of a user. The processes of a machine share them, and those of many
    machines where a Redis is named; where no file can be shared, that is logged.

    Args:
        calls: How many.
        store: The URL of a Redis.
        name: The name of the window in there.

    Raises:
        ConfigurationError: for a store that is no URL, or a name without one.
    """
    if store is not None:
        if not is_url(store):
            raise ConfigurationError("rate_limit_store must be the URL of a Redis: redis://...")
        return RateLimit(calls, 60.0, shared=store, shared_name=name)
    if name is not None:
        raise ConfigurationError("rate_limit_name goes with rate_limit_store")
    shared = RateLimit(calls, 60.0, shared=True)
    try:
        open_window(shared, "probe")
    except ConfigurationError as error:
        log.warning("%s; this process counts its own calls alone", error)
        return RateLimit(calls, 60.0)
    return shared


def _headers(value: Any) -> dict[str, str]:
    if value is not None and not isinstance(value, dict):
        raise ConfigurationError(f"headers must be an object of names and values, not {value!r}")
    return value or {}


def _tls(verify: Any) -> ssl.SSLContext | bool:
    """Read ``verify``: true, false, or the path of a file with certificates to trust."""
    if not isinstance(verify, str):
        return validation.parse_bool(verify, "verify")
    try:
        return ssl.create_default_context(cafile=verify)
    except OSError as error:
        raise ConfigurationError(f"verify: cannot read {verify!r}: {error}") from error
