"""An account of Hevo, as an orchestrator's connection describes it."""

from __future__ import annotations

import hashlib
import json
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hevo_edge._common import validation
from hevo_edge._http.ratelimit import RateLimit
from hevo_edge._http.shared_window import open_shared_window
from hevo_edge.client import HevoClient
from hevo_edge.errors import ConfigurationError

log: logging.Logger = logging.getLogger("hevo_edge.orchestration")

_SCHEMES = frozenset({"http", "https"})
_EXTRAS = frozenset({"headers", "proxy", "verify", "rate_limit", "timeout", "dialect", "insecure"})


@dataclass(frozen=True)
class Account:
    """Where Hevo is, as whom to talk to it, and with which share of its calls.

    Equal ones can share a client. The repr shows no secret.
    """

    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)
    region: str | None = None
    base_url: str | None = None
    extras: str = field(default="{}", repr=False)
    """Those of the connection's extras that are known, as sorted JSON."""

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
    ) -> Account:
        """Read the fields of a connection.

        Args:
            login: The API key.
            password: The API secret.
            host: A region such as ``us``, a host, or a URL.
            port: The port, where the host does not name it.
            scheme: ``http`` or ``https``; anything else is https.
            extra: ``headers``, ``proxy``, ``verify`` (true, false, or the path of a file of
                certificates), ``rate_limit`` (calls a minute, null for no limit), ``timeout``
                (seconds for a request), ``dialect``, ``insecure``; as a mapping or as JSON.

        Raises:
            ConfigurationError: naming what is missing or wrong.
        """
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
        if not (host or "").strip():
            raise ConfigurationError(
                "the host is missing: a region such as 'us', or 'https://us.hevodata.com'"
            )
        given = _extras(extra)
        if unknown := sorted(given.keys() - _EXTRAS):
            log.warning("extras of the connection that mean nothing here: %s", unknown)
        known = {name: given[name] for name in sorted(_EXTRAS & given.keys())}
        region, base_url = _address((host or "").strip(), port, scheme)
        return cls(key, secret, region, base_url, json.dumps(known))

    @property
    def fingerprint(self) -> str:
        """Tells accounts apart; holds no secret."""
        owner = f"{self.client(rate_limit=None).base_url} {self.api_key}"
        return hashlib.sha256(owner.encode()).hexdigest()[:16]

    def client(self, **overrides: Any) -> HevoClient:
        """Make a client.

        Args:
            **overrides: Keywords of ``HevoClient``; ``headers`` are added to the connection's.

        Raises:
            ConfigurationError: for what is wrong with the connection.
        """
        extras = json.loads(self.extras)
        options: dict[str, Any] = {
            "region": self.region,
            "base_url": self.base_url,
            "proxy": extras.get("proxy") or None,
            "ssl": _tls(extras.get("verify", True)),
            "insecure": validation.parse_bool(extras.get("insecure", False), "insecure"),
            **{
                name: extras[name]
                for name in ("timeout", "dialect")
                if extras.get(name) is not None
            },
            **{name: value for name, value in overrides.items() if name != "headers"},
        }
        if "rate_limit" not in overrides:
            options["rate_limit"] = _rate_limit(extras.get("rate_limit", 100))
        options["headers"] = {**_headers(extras.get("headers")), **(overrides.get("headers") or {})}
        return HevoClient(self.api_key, self.api_secret, **options)


def _extras(extra: Mapping[str, Any] | str | None) -> Mapping[str, Any]:
    try:
        given = json.loads(extra or "{}") if isinstance(extra, str) else (extra or {})
    except ValueError:
        raise ConfigurationError("the extra is no JSON") from None
    if not isinstance(given, Mapping):
        raise ConfigurationError("the extra is no JSON object")
    return given


def _address(host: str, port: int | None, scheme: str | None) -> tuple[str | None, str | None]:
    """Return the region or the base URL that a connection's fields name."""
    if "://" in host:
        has_port = host.rstrip("/").rpartition(":")[2].isdigit()
        return None, host if port is None or has_port else f"{host.rstrip('/')}:{port}"
    is_region = not set(host) & set(".:/[") and port is None and host.lower() != "localhost"
    if is_region:
        return host, None
    known = scheme if scheme in _SCHEMES else "https"
    return None, f"{known}://{host}" if port is None else f"{known}://{host}:{port}"


def _rate_limit(value: Any) -> RateLimit | None:
    """Read the share of the calls: a number a minute, or None (JSON null) for no limit.

    Each task is a process, and they all spend the calls of one user: those of a machine share.
    """
    if value is None:
        return None
    calls = validation.count(value, "rate_limit")
    shared = RateLimit(calls, 60.0, shared=True)
    try:
        open_shared_window(shared, "probe")
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
