"""An observer that logs: one line an event."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import fields

from hevo_edge._common import validation
from hevo_edge._text.logger import get_logger
from hevo_edge.observing._events import (
    BudgetEvent,
    Event,
    PollEvent,
    RequestEvent,
    StatusEvent,
    ThrottledEvent,
    TriggerEvent,
    WaitEvent,
)
from hevo_edge.observing._observer import METHODS, Observer

__all__ = ["LoggingObserver"]

KINDS = tuple(name.removeprefix("on_") for name in METHODS)


class LoggingObserver(Observer):
    """Logs events, one line each, to a logger of the standard library; structlog renders them too.

    The event itself is ``record.hevo_event``.

    Args:
        kinds: Which to log, of ``"request"``, ``"budget"``, ``"throttled"``, ``"poll"``,
            ``"trigger"``, ``"status"`` and ``"wait"``; by default all but requests and polls, of
            which there may be a hundred a minute.
        logger: The logger's name.
        level: The level of the records.

    Raises:
        ConfigurationError: for a kind that does not exist.
    """

    def __init__(
        self,
        kinds: Iterable[str] = ("budget", "throttled", "trigger", "status", "wait"),
        *,
        logger: str = "hevo_edge.events",
        level: int = logging.INFO,
    ) -> None:
        given = [kinds] if isinstance(kinds, str) else kinds
        self._kinds = {validation.one_of(kind, "kinds", KINDS) for kind in given}
        self._logger = get_logger(logger)
        self._level = level

    def on_request(self, event: RequestEvent, /) -> None:
        """Log it."""
        self._log("request", event)

    def on_budget(self, event: BudgetEvent, /) -> None:
        """Log it."""
        self._log("budget", event)

    def on_throttled(self, event: ThrottledEvent, /) -> None:
        """Log it."""
        self._log("throttled", event)

    def on_poll(self, event: PollEvent, /) -> None:
        """Log it."""
        self._log("poll", event)

    def on_trigger(self, event: TriggerEvent, /) -> None:
        """Log it."""
        self._log("trigger", event)

    def on_status(self, event: StatusEvent, /) -> None:
        """Log it."""
        self._log("status", event)

    def on_wait(self, event: WaitEvent, /) -> None:
        """Log it."""
        self._log("wait", event)

    def _log(self, kind: str, event: Event) -> None:
        if kind not in self._kinds or not self._logger.isEnabledFor(self._level):
            return
        told = {field.name: getattr(event, field.name) for field in fields(event)}
        text = " ".join(f"{name}={_text(value)}" for name, value in told.items() if _says(value))
        self._logger.log(self._level, "%s %s", kind, text, extra={"hevo_event": event})


def _says(value: object) -> bool:
    return value is not None and value != ()


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    text = str(value)
    return repr(text) if " " in text else text
