"""How Hevo is reached: through which proxy, and whose certificates are trusted."""

from __future__ import annotations

import ipaddress
import os
import re
import ssl as tls
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from hevo_edge._text.printable import is_encodable
from hevo_edge.errors import ConfigurationError


def proxy_for(base_url: str, proxy: Any, *, trust_env: bool) -> str | None:
    """Return the URL of the proxy to go through; None to go without.

    Args:
        base_url: The checked base URL.
        proxy: What the caller passed; None for what the environment says.
        trust_env: Whether to ask the environment: ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``
            and ``NO_PROXY``, upper or lower case, and the system's settings on macOS and Windows.
            An address of this machine needs no proxy, whatever they say.

    Raises:
        ConfigurationError: when that is no URL of an HTTP proxy.
    """
    if proxy is not None:
        return _checked(proxy, "proxy")
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if not trust_env or is_loopback(host) or proxy_bypass(parts.netloc):
        return None
    known = getproxies()
    name = next((name for name in (parts.scheme, "all") if known.get(name)), None)
    if name is None:
        return None
    found = known[name]
    where = f"the proxy of the environment ({name}_proxy; trust_env=False leaves it out)"
    return _checked(found if "://" in found else f"http://{found}", where)


def trust(ssl: Any) -> tls.SSLContext | bool:
    """Return how to check certificates, as aiohttp takes it.

    Args:
        ssl: A context; True or False; or the path of a file of CAs to trust besides the system's.

    Raises:
        ConfigurationError: when it is something else, or that file cannot be read.
    """
    if isinstance(ssl, (bool, tls.SSLContext)):
        return ssl
    if not isinstance(ssl, (str, os.PathLike)):
        raise ConfigurationError(
            f"ssl must be an ssl.SSLContext, the path of a file of CAs, True or False, not {ssl!r}"
        )
    context = tls.create_default_context()
    try:
        context.load_verify_locations(cafile=os.fspath(ssl))
    except (OSError, ValueError) as error:  # an SSLError, which bad PEM raises, is an OSError
        raise ConfigurationError(f"ssl: no CAs can be read of {str(ssl)!r}: {error}") from None
    return context


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def quote_url(url: Any) -> str:
    """Quote a wrong URL for a message, unless it may hold a password or a token."""
    return "" if re.search(r"[@?#]", str(url)) else f", not {url!r}"


def _checked(proxy: Any, what: str) -> str:
    try:
        parts = urlsplit(proxy if isinstance(proxy, str) else "")
        is_url = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or True)
        is_url = is_url and is_encodable(proxy)
    except ValueError:
        is_url = False
    if not is_url:
        raise ConfigurationError(
            f"{what} must be a URL like 'http://proxy.example.com:3128'{quote_url(proxy)}"
        )
    return str(proxy)
