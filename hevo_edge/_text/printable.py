"""What is shown of a text from elsewhere: one line, bounded, without secrets.

Every message of an error, record of a log, line of progress and repr goes through ``printable``.
"""

from __future__ import annotations

from hevo_edge._text.redaction import HIDDEN, reach, secret_spans

MESSAGE = 4000
"""Characters that are shown of a message, of a body, or of a whole snapshot."""
NAME = 200
"""Characters that are shown of an id, a name, a status."""
_LINES = frozenset("\n\t")


def printable(value: object, limit: int = MESSAGE) -> str:
    """Return what to show of a value: characters that Python calls printable, on one line.

    The others (control characters, line separators, marks that change the direction of text, lone
    surrogates) are escaped as in a repr, so that nothing can forge a line or fail to be written.

    Args:
        value: A text, or anything else, of which ``str`` is taken.
        limit: How many characters to show; then an ellipsis says how many more there are.
    """
    return _shown(value, limit, frozenset())


def printable_lines(text: str, limit: int = MESSAGE) -> str:
    """Return what to show of a body, like ``printable``, but with its line breaks and tabs."""
    return _shown(text, limit, _LINES)


def short(value: object) -> str:
    """Return what to show of an id, a name or a status within a sentence."""
    return printable(value, NAME)


def quoted(value: object) -> str:
    """Return the repr of an id, a name or a status, as ``short`` shows it."""
    return printable(repr(value), NAME)


def is_encodable(text: str) -> bool:
    """Say whether a text can be sent and stored: lone surrogates have no UTF-8."""
    return text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text)


def _shown(value: object, limit: int, allowed: frozenset[str]) -> str:
    text = value if type(value) is str else _text_of(value)
    parts: list[str] = []
    done = 0
    # A secret is found whole even where it lies across the limit, so that no half of it stays.
    for start, end in secret_spans(text[: limit + reach()]):
        if start >= limit:
            break
        parts += [text[done:start], HIDDEN]
        done = end
    parts.append(text[done:limit])
    shown = "".join(parts)
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() or c in allowed else _escaped(c) for c in shown)
    more = max(0, len(text) - max(done, limit)) + max(0, len(shown) - limit)
    return f"{shown[:limit]}… ({more:,} more characters)" if more else shown


def _text_of(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 -- what is shown of a stranger's object must not fail
        return f"<{type(value).__name__}>"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
