"""An Airflow connection, read as what a HevoClient needs."""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException, BaseHook

from hevo_edge import HevoClient, RateLimit
from hevo_edge._common import validation
from hevo_edge._http.config import TIMEOUT
from hevo_edge._http.shared_window import open_shared_window
from hevo_edge.errors import ConfigurationError

log: logging.Logger = logging.getLogger("hevo_edge.integrations.airflow")

_SCHEMES = frozenset({"http", "https"})
_EXTRAS = frozenset({"headers", "proxy", "verify", "rate_limit", "timeout", "dialect", "insecure"})


@dataclass(frozen=True)
class Account:
    """Where Hevo is, as whom to talk to it, and with which share of its calls.

    Equal ones can share a client. The repr shows no secret.
    """

    connection_id: str
    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)
    region: str | None = None
    base_url: str | None = None
    extras: str = field(default="{}", repr=False)
    """Those of the connection's extras that are known, as sorted JSON."""

    def client(
        self, *, timeout: float | None = None, headers: dict[str, str] | None = None
    ) -> HevoClient:
        """Make a client.

        Args:
            timeout: Seconds for a request; by default the connection's, else the SDK's.
            headers: More headers, beside the connection's.

        Raises:
            AirflowFailException: naming the connection, for what is wrong with it.
        """
        extras = json.loads(self.extras)
        limits = (timeout, extras.get("timeout"), TIMEOUT)
        try:
            return HevoClient(
                self.api_key,
                self.api_secret,
                region=self.region,
                base_url=self.base_url,
                rate_limit=_rate_limit(extras.get("rate_limit", 100)),
                timeout=next(limit for limit in limits if limit is not None),
                headers={**(_headers(extras.get("headers")) or {}), **(headers or {})},
                proxy=extras.get("proxy") or None,
                ssl=_tls(extras.get("verify", True)),
                dialect=extras.get("dialect", "resync_mode"),
                insecure=validation.flag(extras.get("insecure", False), "insecure"),
            )
        except ConfigurationError as error:
            raise AirflowFailException(f"connection {self.connection_id!r}: {error}") from error


def account(connection_id: str, connection: Any) -> Account:
    """Read an Airflow connection.

    Raises:
        AirflowFailException: naming the connection and what it lacks.
    """

    def wrong(what: str) -> AirflowFailException:
        return AirflowFailException(f"connection {connection_id!r}: {what}")

    login, password = (connection.login or "").strip(), (connection.password or "").strip()
    lacking = [
        name
        for name, value in (("login (the API key)", login), ("password (the API secret)", password))
        if not value
    ]
    if lacking:
        raise wrong(
            f"{' and '.join(lacking)} missing; keys are made at "
            "https://{region}.hevodata.com/account/api-keys"
        )
    host = (connection.host or "").strip()
    if not host:
        raise wrong("the host is missing: a region such as 'us', or 'https://us.hevodata.com'")
    try:
        given = json.loads(connection.extra or "{}")
    except ValueError:
        raise wrong("the extra is no JSON") from None
    if not isinstance(given, Mapping):
        raise wrong("the extra is no JSON object")
    if unknown := sorted(given.keys() - _EXTRAS):
        log.warning("connection %r: extras that mean nothing here: %s", connection_id, unknown)
    known = {name: given[name] for name in sorted(_EXTRAS & given.keys())}
    region, base_url = _where(host, connection.port, connection.schema)
    return Account(connection_id, login, password, region, base_url, json.dumps(known))


def _where(host: str, port: int | None, schema: str | None) -> tuple[str | None, str | None]:
    """Return the region or the base URL that a connection's fields name."""
    if "://" in host:
        has_port = host.rstrip("/").rpartition(":")[2].isdigit()
        return None, host if port is None or has_port else f"{host.rstrip('/')}:{port}"
    is_region = not set(host) & set(".:/[") and port is None and host.lower() != "localhost"
    if is_region:
        return host, None
    scheme = schema if schema in _SCHEMES else "https"
    return None, f"{scheme}://{host}" if port is None else f"{scheme}://{host}:{port}"


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


def _headers(value: Any) -> dict[str, str] | None:
    if value is not None and not isinstance(value, dict):
        raise ConfigurationError(f"headers must be an object of names and values, not {value!r}")
    return value


def _tls(verify: Any) -> ssl.SSLContext | bool:
    """Read ``verify``: true, false, or the path of a file with certificates to trust."""
    if not isinstance(verify, str):
        return validation.flag(verify, "verify")
    try:
        return ssl.create_default_context(cafile=verify)
    except OSError as error:
        raise ConfigurationError(f"verify: cannot read {verify!r}: {error}") from error


def read(connection_id: str) -> Account:
    """Read a connection of Airflow. Blocks.

    Raises:
        AirflowNotFoundException: when there is none of that id.
        AirflowFailException: when it lacks something.
    """
    return account(connection_id, BaseHook.get_connection(connection_id))
