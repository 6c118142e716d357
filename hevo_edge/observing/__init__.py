"""Seeing what a client does: pass an ``Observer`` to ``HevoClient(observer=...)``.

Ready observers: ``LoggingObserver``; ``OpenTelemetryObserver``, which needs ``hevo-edge[otel]``;
and ``PrometheusObserver``, which needs ``hevo-edge[prometheus]``. They load on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hevo_edge._common.lazy import lazy_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hevo_edge.observing._events import (
        BudgetEvent,
        PollEvent,
        RequestEvent,
        StatusEvent,
        ThrottledEvent,
        TriggerEvent,
        TriggerPhase,
        WaitEvent,
        WaitPhase,
    )
    from hevo_edge.observing._logging import LoggingObserver
    from hevo_edge.observing._observer import Observer
    from hevo_edge.observing._opentelemetry import OpenTelemetryObserver
    from hevo_edge.observing._prometheus import PrometheusObserver

__all__ = [
    "BudgetEvent",
    "LoggingObserver",
    "Observer",
    "OpenTelemetryObserver",
    "PollEvent",
    "PrometheusObserver",
    "RequestEvent",
    "StatusEvent",
    "ThrottledEvent",
    "TriggerEvent",
    "TriggerPhase",
    "WaitEvent",
    "WaitPhase",
]

__getattr__: Callable[[str], Any]
__dir__: Callable[[], list[str]]
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        **dict.fromkeys((name for name in __all__ if name.endswith(("Event", "Phase"))), "_events"),
        "Observer": "_observer",
        "LoggingObserver": "_logging",
        "OpenTelemetryObserver": "_opentelemetry",
        "PrometheusObserver": "_prometheus",
    },
)
