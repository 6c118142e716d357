"""The table of deliveries against aiohttp's own tree of exceptions."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import pkgutil

import aiohttp

from hevo_edge._http.delivery import ADDED_LATER, DELIVERIES, Delivery, delivery_of

AIOHTTP = tuple(map(int, aiohttp.__version__.split(".")[:2]))


def tree(root: type[BaseException]) -> set[type[BaseException]]:
    """Return all classes of aiohttp below and including ``root``."""
    found = {root} if root.__module__.startswith("aiohttp") else set()
    return found.union(*(tree(kind) for kind in root.__subclasses__()))


def errors_of_aiohttp() -> set[type[BaseException]]:
    for module in pkgutil.walk_packages(aiohttp.__path__, "aiohttp."):
        if not module.name.startswith(("aiohttp.pytest_plugin", "aiohttp.worker")):
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)
    return tree(aiohttp.ClientError)


def test_every_error_of_aiohttp_is_listed() -> None:
    missing = sorted(kind.__qualname__ for kind in errors_of_aiohttp() - DELIVERIES.keys())
    assert not missing, (
        f"aiohttp {aiohttp.__version__} has errors that are not listed: {', '.join(missing)}. "
        "Look up in its source where each is raised, and list it in hevo_edge/_http/delivery.py (in "
        "ADDED_LATER, if the oldest aiohttp of pyproject.toml lacks it). In doubt: MAYBE_PROCESSED"
    )


def test_every_error_listed_still_exists() -> None:
    listed = {kind for kind in DELIVERIES if issubclass(kind, aiohttp.ClientError)}
    gone = {kind.__qualname__ for kind in listed - errors_of_aiohttp()}
    if AIOHTTP > (3, 14):
        gone |= {name for name in ADDED_LATER if not hasattr(aiohttp, name)}
    assert not gone, f"remove from hevo_edge/_http/delivery.py what aiohttp no longer has: {gone}"


def test_what_surely_was_not_sent() -> None:
    never = {kind for kind, delivery in DELIVERIES.items() if delivery is Delivery.NEVER_SENT}
    # All are of the time before the request; whoever adds one here must be sure.
    assert {kind.__name__ for kind in never} == {
        "ClientConnectorError",
        "ClientConnectorDNSError",
        "ClientProxyConnectionError",
        "UnixClientConnectorError",
        "ClientSSLError",
        "ClientConnectorSSLError",
        "ClientConnectorCertificateError",
        "ServerFingerprintMismatch",
        "ConnectionTimeoutError",
        "ClientHttpProxyError",
    }
    for kind, delivery in DELIVERIES.items():
        # A class may not promise more than its parents unless it is listed itself.
        assert delivery_of(kind.__new__(kind)) is delivery


def test_what_is_unknown_may_have_been_processed() -> None:
    class Unknown(Exception):
        pass

    class UnknownOfAiohttp(aiohttp.ClientConnectionError):
        pass

    class Refused(aiohttp.ClientConnectorError):
        pass

    unknown: list[BaseException] = [Unknown(), UnknownOfAiohttp(), KeyError(), BrokenPipeError()]
    unknown += [ValueError("of a middleware"), asyncio.IncompleteReadError(b"", 1)]
    assert {delivery_of(error) for error in unknown} == {Delivery.MAYBE_PROCESSED}
    assert delivery_of(Refused.__new__(Refused)) is Delivery.NEVER_SENT
