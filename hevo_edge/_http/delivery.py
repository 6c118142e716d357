"""How far a failed request got: never sent, maybe processed, or not a valid request at all.

An action has no idempotency key, so this is what decides whether it may be repeated. The table
lists every error class of aiohttp's client, read in its source from 3.12 to 3.14. In doubt a
request may have been processed; an unknown class counts as doubt.
"""

from __future__ import annotations

import asyncio
import ssl
from enum import Enum
from typing import Any

import aiohttp
from aiohttp import client_exceptions, http_exceptions

from hevo_edge._http.responses import PROXY_REFUSES
from hevo_edge._text.printable import printable
from hevo_edge.errors import (
    AuthenticationError,
    ConfigurationError,
    HevoError,
    RequestNotSent,
    RequestOutcomeUnknown,
    UnexpectedResponse,
)


class Delivery(Enum):
    """How far a request got that failed without a usable reply."""

    NEVER_SENT = "never sent"
    """Not a byte of it has left; it can be repeated."""
    MAYBE_PROCESSED = "maybe processed"
    """It, or a part of it, may have arrived."""
    INVALID_REQUEST = "invalid request"
    """aiohttp refused to make it. Nothing was sent, and repeating it does not help."""


_NEVER, _MAYBE = Delivery.NEVER_SENT, Delivery.MAYBE_PROCESSED
_INVALID = Delivery.INVALID_REQUEST

DELIVERIES: dict[type[BaseException], Delivery] = {
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
    aiohttp.ClientHttpProxyError: _NEVER,  # CONNECT was refused: only the proxy got a request
    # Before a connection is asked for.
    aiohttp.InvalidURL: _INVALID,  # of the target or of a proxy
    aiohttp.InvalidUrlClientError: _INVALID,  # no host, or not an address
    aiohttp.NonHttpUrlClientError: _INVALID,  # a scheme that the connector does not speak
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
    aiohttp.ServerDisconnectedError: _MAYBE,  # closed before the reply, or by a proxy in CONNECT
    aiohttp.ServerTimeoutError: _MAYBE,  # the base of the next and of ConnectionTimeoutError
    aiohttp.SocketTimeoutError: _MAYBE,  # ClientTimeout.sock_read: no reply, or it stopped
    aiohttp.ClientResponseError: _MAYBE,  # what came is not HTTP
    aiohttp.ClientPayloadError: _MAYBE,  # the reply's body broke off, or cannot be decoded
    aiohttp.ContentTypeError: _MAYBE,  # response.json() of another type; not called here
    aiohttp.WSServerHandshakeError: _MAYBE,  # web sockets only
    http_exceptions.HttpProcessingError: _MAYBE,  # what came is not HTTP, if it was not wrapped
    # Not from aiohttp. It wraps what the system raises in connecting, so this is later.
    asyncio.TimeoutError: _MAYBE,  # ClientTimeout.total, when a connection was there
    TimeoutError: _MAYBE,  # the same from Python 3.11 on; before, an OSError
    OSError: _MAYBE,
    ConnectionError: _MAYBE,  # with those for refused, reset, aborted and broken pipe
    ssl.SSLError: _MAYBE,  # a record that cannot be read; in the handshake it is wrapped
    ssl.CertificateError: _MAYBE,
    RuntimeError: _MAYBE,  # "Session is closed", but that is checked first
    ValueError: _MAYBE,  # a cookie jar, a trace or a middleware can raise it after the reply
}
"""By class; it covers the subclasses that have no entry of their own."""

ADDED_LATER: dict[str, Delivery] = {
    "UploadAbortedError": _MAYBE,  # since 3.14.4: for callers that track an upload
}
"""By name: classes that the oldest supported aiohttp lacks."""

DELIVERIES.update(
    (getattr(aiohttp, name), delivery)
    for name, delivery in ADDED_LATER.items()
    if hasattr(aiohttp, name)
)

_OTHER_CREDENTIALS = "Cannot combine AUTHORIZATION header"
_UNDECODABLE = "Can not decode content-encoding"
_NETWORK = (
    aiohttp.ClientError,
    http_exceptions.HttpProcessingError,
    asyncio.TimeoutError,
    OSError,
    EOFError,
)
"""What the network can be to blame for; anything else is a mistake in somebody's code."""
_LASTING = (aiohttp.ClientConnectorCertificateError, aiohttp.ServerFingerprintMismatch)
_DESCRIPTION = 1000
"""Characters that are shown of what aiohttp says."""
_PROXY_AUTHENTICATION_REQUIRED = 407
_SERVER_ERROR = 500


def delivery_of(error: BaseException) -> Delivery:
    """Return how far the request got when ``ClientSession.request``, or reading the reply, failed.

    Args:
        error: What was raised.
    """
    if type(error) is ValueError and str(error).startswith(_OTHER_CREDENTIALS):
        # A session with credentials of its own, or from .netrc. There is no class for it.
        return Delivery.INVALID_REQUEST
    known = (DELIVERIES[kind] for kind in type(error).__mro__ if kind in DELIVERIES)
    return next(known, Delivery.MAYBE_PROCESSED)


def error_for(raised: Exception, delivery: Delivery) -> HevoError:
    """Return the typed error for what ``ClientSession.request``, or reading the reply, has raised.

    Args:
        raised: What was raised.
        delivery: How far the request got.
    """
    # aiohttp quotes what it could not parse, and a server may echo our header there.
    message = printable(describe(raised), _DESCRIPTION)
    if delivery is Delivery.INVALID_REQUEST:
        return ConfigurationError(f"aiohttp cannot make the request: {message}")
    if isinstance(raised, aiohttp.ClientHttpProxyError):
        return _proxy_error(raised)
    if isinstance(raised, aiohttp.ClientResponseError) and _UNDECODABLE in raised.message:
        return UnexpectedResponse(f"the reply has an encoding that was not asked for: {message}")
    if delivery is Delivery.NEVER_SENT:
        not_sent = RequestNotSent(message)
        not_sent.transient = not isinstance(raised, _LASTING)
        return not_sent
    if isinstance(raised, _NETWORK):
        return RequestOutcomeUnknown(message)
    unknown = RequestOutcomeUnknown(f"{message}; no error of the network, but of some code")
    unknown.transient = False
    return unknown


def _proxy_error(refusal: aiohttp.ClientHttpProxyError) -> HevoError:
    """Return the error for a proxy that did not connect; it alone has got a request."""
    said = printable(f"{refusal.status} {refusal.message}".strip(), _DESCRIPTION)
    if refusal.status == _PROXY_AUTHENTICATION_REQUIRED:
        return AuthenticationError(f"{said}: {PROXY_REFUSES}", status=refusal.status)
    error = RequestNotSent(f"the proxy does not connect to Hevo: {said}")
    error.transient = refusal.status >= _SERVER_ERROR
    return error


def describe(error: BaseException) -> str:
    """Return what failed, in words for a message."""
    if isinstance(error, aiohttp.ClientConnectorError):
        # aiohttp's own words mention ssl even where there is none.
        where = f"{error.host}:{error.port}"
        cause: Any
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            cause = error.certificate_error  # before 3.13 it has no os_error
        else:
            cause = error.os_error
        reason = getattr(cause, "strerror", None) or str(cause)
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return (
                f"the certificate of {where} is not trusted ({reason}); behind a proxy that opens "
                "TLS, pass ssl=, the path of a file with its CA, or an ssl.SSLContext"
            )
        return f"cannot connect to {where} ({reason}); check region or base_url, and the network"
    if isinstance(error, asyncio.TimeoutError) and not str(error):
        return "timed out"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
