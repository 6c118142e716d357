"""What a notebook asks an object for: HTML, and the repr for those that show no HTML."""

from __future__ import annotations

from collections.abc import Iterable


class HasMimeBundle:
    """Is shown as HTML where that can be shown; nothing is made before it is asked for."""

    __slots__ = ()

    def _html(self) -> str:
        """Return the HTML, made of what is known: no repr sends a request."""
        raise NotImplementedError

    def _plain(self) -> str:
        return repr(self)

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
    ) -> dict[str, str]:
        """Return what to show, by MIME type.

        Args:
            include: Only these types; all when there are none.
            exclude: Not these types.
        """
        makers = {"text/plain": self._plain, "text/html": self._html}
        left_out = set(exclude or ())
        wanted = (set(include or ()) or set(makers)) - left_out
        return {kind: make() for kind, make in makers.items() if kind in wanted}
