"""What a failed exchange says about its request: never sent, maybe processed, or a wrong call.

An action has no idempotency key, so this is what decides whether it may be repeated. The table
lists every error class of aiohttp's client, read in its source from 3.12 to 3.14. In doubt a
request may have been processed, and so it is for a class that nobody knows.
"""

from __future__ import annotations

import asyncio
import ssl
from enum import Enum
from typing import Any

import aiohttp
from aiohttp import client_exceptions, http_exceptions


class Verdict(Enum):
    """What is known of a request that failed without a usable reply."""

    NEVER_SENT = "never sent"
    """Not a byte of it has left; it can be repeated."""
    MAYBE_PROCESSED = "maybe processed"
    """It, or a part of it, may have arrived."""
    WRONG_CALL = "wrong call"
    """aiohttp refused to make it. Nothing was sent, and repeating it does not help."""


_NEVER, _MAYBE, _WRONG = Verdict.NEVER_SENT, Verdict.MAYBE_PROCESSED, Verdict.WRONG_CALL

VERDICTS: dict[type[BaseException], Verdict] = {
    # While a connection is made. aiohttp has not even begun to write the request.
    aiohttp.ClientConnectorError: _NEVER,  # refused, unreachable, reset in the handshake
    aiohttp.ClientConnectorDNSError: _NEVER,  # the name was not found
    aiohttp.ClientProxyConnectionError: _NEVER,  # the proxy is refused or unreachable
    client_exceptions.UnixClientConnectorError: _NEVER,  # the same for a unix socket
    aiohttp.ClientSSLError: _NEVER,  # the base of the next two
    aiohttp.ClientConnectorSSLError: _NEVER,  # the handshake failed; later it is a ClientOSError
    aiohttp.ClientConnectorCertificateError: _NEVER,  # the certificate is not trusted
    aiohttp.ServerFingerprintMismatch: _NEVER,  # checked right after the handshake
    aiohttp.ConnectionTimeoutError: _NEVER,  # ClientTimeout.connect: pool, DNS, TCP, TLS, tunnel
    aiohttp.ClientHttpProxyError: _NEVER,  # CONNECT was refused: only the proxy was spoken to
    # Before a connection is asked for.
    aiohttp.InvalidURL: _WRONG,  # of the target or of a proxy
    aiohttp.InvalidUrlClientError: _WRONG,  # no host, or not an address
    aiohttp.NonHttpUrlClientError: _WRONG,  # a scheme that the connector does not speak
    # After a redirect, so a server has answered. We follow none.
    aiohttp.RedirectClientError: _MAYBE,  # the base of the next two
    aiohttp.InvalidUrlRedirectClientError: _MAYBE,  # to something that is no URL
    aiohttp.NonHttpUrlRedirectClientError: _MAYBE,  # to another scheme
    aiohttp.TooManyRedirects: _MAYBE,  # one too many
    # On a connection. Some of it may be from before the first byte; the class does not say.
    aiohttp.ClientError: _MAYBE,  # bare: a middleware that gives up
    aiohttp.ClientConnectionError: _MAYBE,  # bare: writing failed, or the session was closed
    aiohttp.ClientConnectionResetError: _MAYBE,  # writing to a connection that is closing
    aiohttp.ClientOSError: _MAYBE,  # reset while writing or while waiting for the reply
    aiohttp.ServerConnectionError: _MAYBE,  # the base of the next three
    aiohttp.ServerDisconnectedError: _MAYBE,  # closed before the reply; a proxy before CONNECT's
    aiohttp.ServerTimeoutError: _MAYBE,  # the base of the next and of ConnectionTimeoutError
    aiohttp.SocketTimeoutError: _MAYBE,  # ClientTimeout.sock_read: no reply, or it stopped
    aiohttp.ClientResponseError: _MAYBE,  # what came is not HTTP
    aiohttp.ClientPayloadError: _MAYBE,  # the reply's body broke off, or cannot be decoded
    aiohttp.ContentTypeError: _MAYBE,  # response.json() of another type; not called here
    aiohttp.WSServerHandshakeError: _MAYBE,  # web sockets only
    http_exceptions.HttpProcessingError: _MAYBE,  # what came is not HTTP, if it was not wrapped
    # What is not of aiohttp. It wraps what the system raises in connecting, so this is later.
    asyncio.TimeoutError: _MAYBE,  # ClientTimeout.total, when a connection was there
    TimeoutError: _MAYBE,  # the same from Python 3.11 on; before, an OSError
    OSError: _MAYBE,
    ConnectionError: _MAYBE,  # with those for refused, reset, aborted and broken pipe
    ssl.SSLError: _MAYBE,  # a record that cannot be read; in the handshake it is wrapped
    ssl.CertificateError: _MAYBE,
    RuntimeError: _MAYBE,  # "Session is closed", but that is looked at first
    ValueError: _MAYBE,  # a cookie jar, a trace or a middleware can raise it after the reply
}
"""The verdict on each class, and with it on the subclasses that have none of their own."""

LATER: dict[str, Verdict] = {
    "UploadAbortedError": _MAYBE,  # since 3.14.4: for those who follow an upload
}
"""Names that the oldest aiohttp we work with does not have."""

VERDICTS.update(
    (getattr(aiohttp, name), verdict) for name, verdict in LATER.items() if hasattr(aiohttp, name)
)

_OTHER_CREDENTIALS = "Cannot combine AUTHORIZATION header"


def verdict(error: BaseException) -> Verdict:
    """Tell what a failure of ``ClientSession.request``, or of reading the reply, means.

    Args:
        error: What was raised.
    """
    if type(error) is ValueError and str(error).startswith(_OTHER_CREDENTIALS):
        # A session with credentials of its own, or from .netrc. There is no class for it.
        return Verdict.WRONG_CALL
    known = (VERDICTS[kind] for kind in type(error).__mro__ if kind in VERDICTS)
    return next(known, Verdict.MAYBE_PROCESSED)


def say(error: BaseException) -> str:
    """Return what a failed exchange means in words."""
    if isinstance(error, aiohttp.ClientConnectorError):
        # aiohttp's own words speak of ssl even where there is none.
        where = f"{error.host}:{error.port}"
        why: Any
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            why = error.certificate_error  # before 3.13 it has no os_error
        else:
            why = error.os_error
        why = getattr(why, "strerror", None) or str(why)
        return f"cannot connect to {where} ({why}); check region or base_url, and the network"
    if isinstance(error, asyncio.TimeoutError) and not str(error):
        return "timed out"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
