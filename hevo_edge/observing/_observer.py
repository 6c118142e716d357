"""The Protocol of an observer, and the observers that one client has."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

from hevo_edge._text.logger import get_logger
from hevo_edge.errors import ConfigurationError
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

log: logging.Logger = get_logger("hevo_edge.observing")


@runtime_checkable
class Observer(Protocol):
    """What a client tells of what it does; derive from it, and override what you need.

    The methods are plain functions, called in the event loop while everything else waits: they must
    be quick and must not block. What one raises is logged once, and disturbs nothing.

    ``on_trigger`` and ``on_wait`` are called in the context (``contextvars``) of whoever triggers
    or waits, and so are the requests of a trigger. Polls serve many: they have an empty one.
    """

    def on_request(self, event: RequestEvent, /) -> None:
        """One attempt at a request is over."""
        return

    def on_budget(self, event: BudgetEvent, /) -> None:
        """A request has to wait for the call budget, or does so no longer."""
        return

    def on_throttled(self, event: ThrottledEvent, /) -> None:
        """Hevo has refused a call (429)."""
        return

    def on_poll(self, event: PollEvent, /) -> None:
        """One poll of awaited Jobs is over."""
        return

    def on_trigger(self, event: TriggerEvent, /) -> None:
        """A call that triggers has entered a phase."""
        return

    def on_status(self, event: StatusEvent, /) -> None:
        """An awaited Job has a new status."""
        return

    def on_wait(self, event: WaitEvent, /) -> None:
        """The wait for one Job has begun, or is over."""
        return


_SIMILAR = 0.85
"""How alike a name must be to be a slip: ``on_requests`` is one, and ``on_request_done`` is not."""
METHODS = tuple(name for name in vars(Observer) if name.startswith("on_"))


class Observers:
    """Those who observe one client; it is false when there is none, so that events cost nothing.

    Args:
        given: What was passed as ``observer=``.

    Raises:
        ConfigurationError: when that is no observer, nor several.
    """

    def __init__(self, given: Observer | Iterable[Observer] | None = None) -> None:
        self._all: tuple[Observer, ...] = _checked(given)
        self._told: set[tuple[int, str]] = set()

    def __bool__(self) -> bool:
        return bool(self._all)

    def notify(self, event: Event) -> None:
        """Tell all observers of an event."""
        for observer in self._all:
            try:
                getattr(observer, event.method_name)(event)
            except Exception as error:  # noqa: BLE001 -- what observes must not disturb
                self._log(observer, event.method_name, error)

    @contextmanager
    def added(self, observer: Observer) -> Generator[None, None, None]:
        """Have one observer more in the block."""
        self._all = (*self._all, observer)
        try:
            yield
        finally:
            self._all = tuple(each for each in self._all if each is not observer)

    def _log(self, observer: Observer, method: str, error: Exception) -> None:
        """Log what an observer has raised, once for each of its methods."""
        if (id(observer), method) in self._told:
            return
        self._told.add((id(observer), method))
        name = f"{type(observer).__name__}.{method}"
        log.warning("%s has raised; further errors of it are not logged", name, exc_info=error)


def _checked(given: Any) -> tuple[Observer, ...]:
    if given is None:
        return ()
    several = [given] if isinstance(given, Observer) else given
    if isinstance(several, type) or not isinstance(several, Iterable):
        raise ConfigurationError(_mistake(given))
    observers = tuple(several)
    for observer in observers:
        if isinstance(observer, type) or not isinstance(observer, Observer):
            raise ConfigurationError(_mistake(observer))
        _refuse_slips(type(observer))
        for name in METHODS:
            method: Callable[..., Any] = getattr(observer, name)
            if inspect.iscoroutinefunction(method) or not callable(method):
                raise ConfigurationError(
                    f"observer: {type(observer).__name__}.{name} must be a plain function; to do "
                    "something slow, let it put the event into a queue"
                )
    return observers


def _refuse_slips(kind: type[Observer]) -> None:
    unknown = [name for name in dir(kind) if name.startswith("on_") and name not in METHODS]
    if not unknown:
        return
    import difflib  # noqa: PLC0415 -- it takes longer to load than the rest of this module

    for name in unknown:
        if near := difflib.get_close_matches(name, METHODS, 1, _SIMILAR):
            raise ConfigurationError(
                f"observer: {kind.__name__}.{name} would never be called; is {near[0]} meant?"
            )


def _mistake(given: Any) -> str:
    what = f"the class {given.__name__}" if isinstance(given, type) else repr(given)
    return f"observer must be a hevo_edge.observing.Observer, or several of them, not {what}"
