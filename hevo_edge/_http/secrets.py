"""What a client must not show: its credentials, the values of its headers, the proxy's password."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote
from urllib.request import getproxies

_MIN_HEADER_LENGTH = 6
"""A shorter value of a header, such as ``prod``, is a word rather than a secret."""
_MIN_PART_LENGTH = 8
"""A part of a header's value: a cookie's, or what comes after ``Bearer``."""
_PUBLIC_HEADERS = frozenset({"user-agent", "accept", "accept-encoding", "accept-language"})


def basic_token(user: str, password: str) -> str:
    """Return what follows ``Basic`` in a header."""
    login = f"{user}:{password}".encode("utf-8", "surrogatepass")
    return base64.b64encode(login).decode("ascii")


def secrets_of(
    key: str, secret: str, headers: Mapping[str, str], proxy: str | None, session: Any
) -> Iterator[str]:
    """Yield all that must not be shown, unencoded; the values of headers as they are sent.

    Args:
        key: The API key.
        secret: The API secret.
        headers: The headers of every request.
        proxy: The URL of a proxy, perhaps with user and password.
        session: An aiohttp session that was passed in; None, or whatever was passed in its place.
    """
    yield from (key, secret, f"{key}:{secret}", basic_token(key, secret))
    yield from _of_headers(headers)
    proxies = [proxy] if proxy else []
    if session is not None:
        yield from _of_headers(getattr(session, "headers", None) or {})
        # There is no public way to what a session was given as its proxy.
        proxies.append(str(getattr(session, "_default_proxy", None) or ""))
        for auth in (getattr(session, "auth", None), getattr(session, "_default_proxy_auth", None)):
            if auth is not None:
                yield from _of_login(auth.login, auth.password)
        if getattr(session, "trust_env", False):
            proxies += getproxies().values()
    yield from _of_proxies(proxies)


def _of_headers(headers: Mapping[str, str]) -> Iterator[str]:
    for name, value in headers.items():
        if name.lower() in _PUBLIC_HEADERS or len(value) < _MIN_HEADER_LENGTH:
            continue
        yield value
        for part in re.split(r"[\s;,=]+", value):
            if len(part) >= _MIN_PART_LENGTH:
                yield part


def _of_proxies(proxies: Iterable[str]) -> Iterator[str]:
    for proxy in proxies:
        # Not parsed as a URL: what is none may hold a password all the same.
        userinfo, at, _ = proxy.rpartition("://")[2].rpartition("@")
        if at:
            user, _, password = userinfo.partition(":")
            yield from (userinfo, password, *_of_login(unquote(user), unquote(password)))


def _of_login(user: str, password: str) -> Iterator[str]:
    if len(user) >= _MIN_HEADER_LENGTH:
        yield user
    yield from (password, f"{user}:{password}", basic_token(user, password))
