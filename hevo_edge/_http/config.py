"""Credentials, base URL and options of a client, checked once when it is made."""

from __future__ import annotations

import hashlib
import os
import platform
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, NoReturn, TypedDict
from urllib.parse import urlsplit

from hevo_edge._common import validation
from hevo_edge._common.clock import Clock
from hevo_edge._http.network import is_loopback, proxy_for, quote_url, trust
from hevo_edge._http.ratelimit import RateLimit
from hevo_edge._http.secrets import basic_token, secrets_of
from hevo_edge._text.printable import is_encodable
from hevo_edge._text.redaction import hide
from hevo_edge._version import __version__
from hevo_edge.enums import Dialect
from hevo_edge.errors import ConfigurationError
from hevo_edge.observing._observer import Observer, Observers

if TYPE_CHECKING:
    import aiohttp
    from typing_extensions import Unpack

ENV_KEY = "HEVO_API_KEY"
ENV_SECRET = "HEVO_API_SECRET"  # noqa: S105 -- the name of a variable
ENV_REGION = "HEVO_REGION"
ENV_BASE_URL = "HEVO_BASE_URL"
ENV_STORE, ENV_NAME = "HEVO_RATE_LIMIT_STORE", "HEVO_RATE_LIMIT_NAME"

TIMEOUT = 30.0
"""Seconds for one HTTP request, from asking for a connection to the last byte of the reply."""
MAX_RETRIES = 3
"""How often a request that may be repeated is repeated."""

_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_RESERVED_HEADERS = frozenset(
    {"authorization", "content-length", "content-type", "transfer-encoding", "host"}
)


class ClientKeywords(TypedDict, total=False):
    """The keywords of ``HevoClient``."""

    region: str | None
    """The first part of the host you log in at: ``"us"``, ``"eu"``, ``"in"``, ...; no default."""
    base_url: str | None
    """The whole base URL, instead of a region; one of the two is needed."""
    rate_limit: RateLimit | None
    """The part of the user's calls that this client may make; None: no limit. Default: 100 a minute
    (``RateLimit(100, 60.0)``)."""
    timeout: float | timedelta
    """Seconds for one HTTP request, from asking for a connection to the last byte. Default: 30."""
    max_retries: int
    """How often a request that may be repeated is repeated. Default: 3."""
    headers: Mapping[str, str] | None
    """More headers for every request. Default: none."""
    proxy: str | None
    """The URL of an HTTP proxy to go through. Default: that of the environment, if there is one."""
    trust_env: bool
    """Whether to take the proxy from ``HTTPS_PROXY`` and ``NO_PROXY``. Default: True."""
    ssl: SSLContext | str | os.PathLike[str] | bool
    """How to check Hevo's certificate: a context; or the path of a file of CAs to trust besides the
    system's; False: not at all. Default: True, by the system's CAs."""
    session: aiohttp.ClientSession | None
    """An aiohttp session to use, with its own proxy and TLS; it is not closed. Default: an own."""
    dialect: Dialect | str
    """The generation of request bodies to send. Default: ``Dialect.RESYNC_MODE``."""
    insecure: bool
    """Allow plain http to hosts other than this machine. Default: False."""
    observer: Observer | Iterable[Observer] | None
    """Is told what the client does; see ``hevo_edge.observing``. Default: nobody."""
    clock: Clock | None
    """Time and jitter, for tests. Default: the event loop's time, random jitter."""


class EnvKeywords(ClientKeywords, total=False):
    """The keywords of ``HevoClient.from_env``, all of which win over the environment."""

    api_key: str | None
    """The API key, in place of ``HEVO_API_KEY``."""
    api_secret: str | None
    """The API secret, in place of ``HEVO_API_SECRET``."""


CLIENT_DEFAULTS: ClientKeywords = {
    "region": None,
    "base_url": None,
    "rate_limit": RateLimit(100, 60.0),
    "timeout": TIMEOUT,
    "max_retries": MAX_RETRIES,
    "headers": None,
    "proxy": None,
    "trust_env": True,
    "ssl": True,
    "session": None,
    "dialect": Dialect.RESYNC_MODE,
    "insecure": False,
    "observer": None,
    "clock": None,
}


class Config:
    """What a client needs to talk to Hevo. Its repr and pickle never show the credentials.

    Args:
        api_key: The API key.
        api_secret: The API secret.
        **options: See ``ClientKeywords``.

    Raises:
        ConfigurationError: when anything is missing or wrong; see the single checks.
        TypeError: for a keyword that does not exist.
    """

    def __init__(
        self, api_key: str | None, api_secret: str | None, **options: Unpack[ClientKeywords]
    ) -> None:
        for name in options.keys() - CLIENT_DEFAULTS.keys():
            raise TypeError(f"HevoClient() got an unexpected keyword argument {name!r}")
        given: dict[str, Any] = {**CLIENT_DEFAULTS, **options}
        pair = _key_and_secret(api_key, api_secret)
        self._token = basic_token(*pair)
        self.base_url: str = _base_url(
            given["region"], given["base_url"], insecure=given["insecure"]
        )
        self.fingerprint: str = fingerprint(self.base_url, pair[0])
        self.rate_limit: RateLimit | None = _rate_limit(given["rate_limit"])
        self.timeout: float = validation.seconds(given["timeout"], "timeout")
        self.max_retries: int = validation.count(given["max_retries"], "max_retries", at_least=0)
        self.headers: dict[str, str] = self._all_headers(_headers(given["headers"]))
        self.proxy: str | None = proxy_for(
            self.base_url,
            given["proxy"],
            trust_env=validation.parse_bool(given["trust_env"], "trust_env")
            and not given["session"],
        )
        self.ssl: SSLContext | bool = trust(given["ssl"])
        self.session: aiohttp.ClientSession | None = given["session"]
        self._secrets = hide(secrets_of(*pair, self.headers, self.proxy, self.session))
        self.dialect: Dialect = validation.choice(Dialect, given["dialect"], "dialect")
        self.observers: Observers = Observers(given["observer"])
        self.clock: Clock = given["clock"] or Clock()

    def _all_headers(self, headers: dict[str, str]) -> dict[str, str]:
        ours = f"hevo-edge/{__version__} (Python {platform.python_version()})"
        return {
            "Accept": "application/json",
            **headers,
            "Authorization": f"Basic {self._token}",
            "User-Agent": f"{headers.get('User-Agent', '')} {ours}".strip(),
        }

    @staticmethod
    def env(overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Return a client's arguments: ``overrides``, and what they lack from the environment."""
        values: dict[str, Any] = {
            "api_key": os.environ.get(ENV_KEY),
            "api_secret": os.environ.get(ENV_SECRET),
            **overrides,
        }
        if values.get("region") is None and values.get("base_url") is None:
            values["region"] = os.environ.get(ENV_REGION) or None
            values["base_url"] = os.environ.get(ENV_BASE_URL) or None
        store, name = os.environ.get(ENV_STORE), os.environ.get(ENV_NAME)
        if "rate_limit" not in values and (store or name):
            values["rate_limit"] = RateLimit(shared=store or False, shared_name=name or None)
        missing = [
            name
            for name, given in (
                (ENV_KEY, values["api_key"]),
                (ENV_SECRET, values["api_secret"]),
                (f"{ENV_REGION} or {ENV_BASE_URL}", values.get("region") or values.get("base_url")),
            )
            if not given
        ]
        if len(missing) > 1:
            raise ConfigurationError(f"the environment lacks {', '.join(missing)}")
        return values

    def __repr__(self) -> str:
        return f"Config(base_url={self.base_url!r}, credentials=***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Hevo client is not picklable: it holds credentials. Pass Job.ref or "
            "TriggerTicket.dumps() to the other process and make a client there."
        )


def _key_and_secret(api_key: str | None, api_secret: str | None) -> tuple[str, str]:
    key = _credential(api_key, "api_key", ENV_KEY)
    secret = _credential(api_secret, "api_secret", ENV_SECRET)
    if ":" in key:
        raise ConfigurationError(
            "api_key must not hold a colon; were key and secret pasted together?"
        )
    return key, secret


def fingerprint(base_url: str, api_key: str) -> str:
    """Return what tells accounts apart: by address and key, not by the secret; it holds neither."""
    return hashlib.sha256(f"{base_url} {api_key}".encode()).hexdigest()[:16]


def _credential(value: Any, name: str, variable: str) -> str:
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"{name} must be a string, not {type(value).__name__}")
    value = (value or "").strip()
    if not value:
        raise ConfigurationError(
            f"{name} is missing: pass it to HevoClient, or set {ENV_KEY} and {ENV_SECRET} "
            f"(here: {variable}) and use HevoClient.from_env(). Keys are made at "
            "https://{region}.hevodata.com/account/api-keys."
        )
    if not is_encodable(value):
        raise ConfigurationError(f"{name} holds characters that cannot be sent")
    return str(value)


def _rate_limit(rate_limit: Any) -> RateLimit | None:
    if rate_limit is not None and not isinstance(rate_limit, RateLimit):
        raise ConfigurationError(
            f"rate_limit must be a RateLimit such as RateLimit(100, 60.0), or None"
            f"{quote_url(repr(rate_limit))}"
        )
    return rate_limit


def _headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    checked: dict[str, str] = {}
    for name, value in (headers or {}).items():
        if not isinstance(name, str) or not _HEADER_NAME.match(name):
            raise ConfigurationError(f"headers: {name!r} is not a header name")
        if name.lower() in _RESERVED_HEADERS:
            raise ConfigurationError(f"headers: {name} is set by hevo_edge itself")
        if not isinstance(value, str) or any(c in value for c in "\r\n\0"):
            raise ConfigurationError(f"headers: the value of {name} must be a string of one line")
        if not is_encodable(value):
            raise ConfigurationError(f"headers: the value of {name} cannot be sent")
        checked[name.title() if name.lower() in {"user-agent", "accept"} else name] = value
    return checked


def _base_url(region: str | None, base_url: str | None, *, insecure: bool) -> str:
    if region is not None and base_url is not None:
        raise ConfigurationError(
            "pass region or base_url, not both "
            f"(also through the environment: {ENV_REGION}, {ENV_BASE_URL})"
        )
    if base_url is not None:
        return _checked_url(base_url, insecure=insecure)
    if region is None:
        raise ConfigurationError(
            "region is missing: pass region='us' (or 'eu', 'in', 'asia', 'au', ...: the first "
            "part of the host you log in at), or base_url='https://...', or set "
            f"{ENV_REGION} or {ENV_BASE_URL} and use HevoClient.from_env()"
        )
    if not isinstance(region, str) or not _LABEL.match(region):
        raise ConfigurationError(
            f"region must be the first part of the host, such as 'us' or 'eu', not {region!r}; "
            "for a whole URL use base_url"
        )
    return f"https://{region.lower()}.hevodata.com"


def _checked_url(base_url: Any, *, insecure: bool) -> str:
    try:
        parts = urlsplit(base_url if isinstance(base_url, str) else "")
        port = parts.port
    except ValueError:
        # What urlsplit says of it quotes a password that stands where the port should.
        raise ConfigurationError("base_url is not a URL: its host or port is wrong") from None
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError("base_url must not hold credentials; pass api_key and api_secret")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(
            f"base_url must be like 'https://us.hevodata.com', with scheme and host"
            f"{quote_url(base_url)}"
        )
    if parts.query or parts.fragment or re.search(r"[\s\x00-\x1f\\\ud800-\udfff]", base_url):
        raise ConfigurationError(
            f"base_url must not hold a query, a fragment or white space{quote_url(base_url)}"
        )
    if parts.scheme == "http" and not insecure and not is_loopback(parts.hostname):
        raise ConfigurationError(
            f"base_url {base_url!r} would send your credentials in clear text; use https, or "
            "pass insecure=True if the network is trusted"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = re.sub(r"(/api/v1)?/*\Z", "", parts.path.rstrip("/"))
    return f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{path}"
