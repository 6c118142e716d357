"""The address of a Redis, checked without loading its client, and shown without its secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from hevo_edge._text.redaction import Secrets, hide
from hevo_edge.errors import ConfigurationError

_SERVERS, _SENTINELS = ("redis", "rediss"), ("redis+sentinel", "rediss+sentinel")
_NO_PATH = re.compile(
    r"(true|false|yes|no|on|off|[01])|(rediss?|valkeys?|unix|localhost)([:/+].*)?|[^/]+:\d+(/.*)?",
    re.IGNORECASE,
)
_KNOWN = "redis://, rediss://, unix://, redis+sentinel:// and rediss+sentinel://"


def is_url(text: object) -> bool:
    """Tell whether a text is a URL rather than the path of a file."""
    return isinstance(text, str) and re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is not None


def check_path(text: object) -> None:
    """Check that a text can be meant as the path of a file.

    Raises:
        ConfigurationError: when it reads like an address without ``redis://``, or like a boolean
            out of an environment variable: each machine would share a file of its own.
    """
    if isinstance(text, str) and _NO_PATH.fullmatch(text):
        shown = "what was given" if "@" in text else repr(text)
        raise ConfigurationError(
            f"RateLimit.shared: {shown} is neither a path nor a URL that begins with {_KNOWN}; "
            "for a file of that name, begin with ./"
        )


def shown_url(url: str) -> str:
    """Return a URL without what may be secret in it: user, password and options."""
    scheme, _, rest = url.partition("://")
    address = re.split(r"[?#]", rest)[0]
    return f"{scheme}://{address.rpartition('@')[2]}"


def url_in(shared: object) -> RedisUrl | None:
    """Return the URL that a ``RateLimit.shared`` is; None if it is none.

    Raises:
        ConfigurationError: when it is one of something else.
    """
    return RedisUrl(str(shared)) if is_url(shared) else None


@dataclass(frozen=True)
class RedisUrl:
    """The URL of a Redis or Valkey.

    Args:
        url: What the user has passed; it may hold a password.

    Raises:
        ConfigurationError: when it is none; its password is not quoted.
    """

    url: str

    def __post_init__(self) -> None:
        try:
            self._check()
        except ValueError as error:
            if isinstance(error, ConfigurationError):
                raise
            reason = "its host or port is wrong"
        else:
            return
        # Outside of the handler: what urlsplit says may quote a password.
        raise ConfigurationError(f"RateLimit.shared is no URL of a Redis: {reason}")

    def _check(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {*_SERVERS, *_SENTINELS, "unix"}:
            raise ConfigurationError(
                f"RateLimit.shared must be True, False, the path of a file, or a URL that begins "
                f"with {_KNOWN}, not with {parts.scheme}://"
            )
        if parts.fragment:
            raise ConfigurationError(
                "RateLimit.shared: a '#' in a password has to be written as %23"
            )
        if parts.scheme == "unix":
            if not parts.path:
                raise ConfigurationError("RateLimit.shared: a unix:// URL needs the socket's path")
        elif self.is_sentinel:
            self._check_sentinels()
        else:
            _ = parts.port  # raises
            if not parts.hostname or not re.fullmatch(r"/?\d*", parts.path):
                raise ConfigurationError(
                    f"RateLimit.shared must be like redis://host:6379/0, not {self.shown}"
                )

    def _check_sentinels(self) -> None:
        if not self.service or not all(host and port for host, port in self.sentinels):
            raise ConfigurationError(
                "RateLimit.shared must be like redis+sentinel://host:26379,host:26379/mymaster, "
                f"not {self.shown}"
            )

    def __repr__(self) -> str:
        return f"RedisUrl({self.shown!r})"

    @property
    def shown(self) -> str:
        """The URL without what may be secret in it."""
        return shown_url(self.url)

    def hide(self) -> Secrets:
        """Hide its password in all that this process shows, while what is returned is held."""
        return hide(self._secrets())

    @property
    def has_secrets(self) -> bool:
        """Whether it holds a password."""
        return any(self._secrets())

    def _secrets(self) -> Iterator[str]:
        userinfo, _, _ = re.split(r"[?#]", self.url)[0].partition("://")[2].rpartition("@")
        password = userinfo.partition(":")[2]
        yield from (password, unquote(password), userinfo if password else "")
        for name, values in parse_qs(urlsplit(self.url).query).items():
            if "password" in name:
                yield from values

    # -- sentinels --------------------------------------------------------------------------------

    @property
    def is_sentinel(self) -> bool:
        """Whether it names sentinels, who are asked for the server."""
        return urlsplit(self.url).scheme in _SENTINELS

    @property
    def sentinels(self) -> list[tuple[str, int]]:
        """The hosts and ports of the sentinels."""
        hosts = urlsplit(self.url).netloc.rpartition("@")[2].split(",")
        found = [urlsplit(f"//{host}") for host in hosts]
        return [(each.hostname or "", each.port or 26379) for each in found]

    @property
    def service(self) -> str:
        """What the sentinels call the server."""
        return unquote(urlsplit(self.url).path.strip("/").partition("/")[0])

    @property
    def server_url(self) -> str:
        """The URL that redis-py reads everything from but where the server is."""
        parts = urlsplit(self.url)
        login, at, _ = parts.netloc.rpartition("@")
        database = parts.path.strip("/").partition("/")[2]
        scheme = parts.scheme.partition("+")[0]
        return f"{scheme}://{login}{at}sentinel/{database}?{parts.query}"
