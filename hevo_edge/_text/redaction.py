"""Finding secrets in a text, in every form in which a server may repeat them.

A client's secrets are hidden in whatever this process shows, for as long as the client lives: a
status that holds a token is shown by code that knows no client. They are found as they are,
percent-encoded, escaped as in JSON, HTML or a Python repr, in base64 at any alignment, in hex,
under several of these at once, and cut off before an ellipsis.
"""

from __future__ import annotations

import base64
import html
import re
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from urllib.parse import unquote

HIDDEN = "***"
"""What is shown instead of a secret."""
_MIN_LENGTH = 3
_MIN_PART_OF_WORD = 6
"""A shorter secret is found as a whole word only, or it would strike out parts of others."""
_DEPTH = 3
"""How many encodings around each other are seen through."""
_LONGEST_ESCAPE = 16
"""Characters that one character of a secret may take."""
_WORDS = frozenset({"key", "secret", "api_key", "api_secret", "api-key", "api-secret"})
"""Words of our own messages, which tests and the emulator are given for credentials: no secrets."""


class Secrets:
    """Texts that are hidden in all that this process shows, while this object lives."""

    __slots__ = ("__weakref__", "_forms", "_reach", "texts")

    def __init__(self, texts: frozenset[str]) -> None:
        self.texts: frozenset[str] = texts
        forms = {form for text in texts for form in _forms(text)}
        self._forms = sorted(forms, key=lambda form: (-len(form.text), form.text))
        self._reach = max((len(form.text) for form in forms), default=0) * _LONGEST_ESCAPE

    def __repr__(self) -> str:
        return "Secrets(***)"

    def reach(self) -> int:
        """Return how many characters of a text one secret may take."""
        return self._reach

    def spans(self, views: Sequence[_View]) -> Iterator[tuple[int, int]]:
        """Yield where, in the text that all the views are of, secrets begin and end."""
        for view in views:
            for form in self._forms:
                yield from view.spans(form)


_lock = threading.Lock()
_members: tuple[weakref.ref[Secrets], ...] = ()


def hide(texts: Iterable[str]) -> Secrets:
    """Hide secrets in all that this process shows, for as long as the returned object is held.

    Args:
        texts: The secrets; those of less than three characters cannot be hidden.
    """
    global _members  # noqa: PLW0603 -- one set for the process, read without a lock
    secrets = frozenset(text for text in texts if len(text) >= _MIN_LENGTH and text not in _WORDS)
    with _lock:
        living = _living()
        for known in living:
            if known.texts == secrets:
                return known
        made = Secrets(secrets)
        _members = tuple(map(weakref.ref, [*living, made]))
    return made


def _living() -> list[Secrets]:
    return [secrets for member in _members if (secrets := member()) is not None]


def reach() -> int:
    """Return how many characters of a text one secret of a living client may take."""
    return max((secrets.reach() for secrets in _living()), default=0)


def secret_spans(text: str) -> list[tuple[int, int]]:
    """Return where secrets of living clients begin and end in a text, in order, none touching."""
    clients = _living()
    if not clients:
        return []
    views = _views(text)
    merged: list[tuple[int, int]] = []
    for start, end in sorted({span for secrets in clients for span in secrets.spans(views)}):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


# -- the forms of a secret ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Form:
    text: str
    is_base64: bool = False


def _forms(secret: str) -> Iterator[_Form]:
    """Yield the forms that no decoding leads back to the secret, and itself."""
    data = secret.encode("utf-8", "surrogatepass")
    # Read in another encoding than it was sent in, by us or by somebody on the way.
    mistaken = data.decode("latin-1"), secret.encode("latin-1", "replace").decode(errors="replace")
    for text in (secret, *mistaken):
        if set(text) - {"?", "\ufffd"}:
            yield _Form(text)
            yield _Form(text.replace(" ", "+"))
    yield _Form(data.hex())
    yield _Form(data.hex().upper())
    for aligned in range(3):
        core = _base64_core(data, aligned)
        if len(core) >= _MIN_LENGTH:
            yield _Form(core, is_base64=True)
            yield _Form(core.translate(_URL_SAFE), is_base64=True)


_URL_SAFE = str.maketrans("+/", "-_")


def _base64_core(data: bytes, aligned: int) -> str:
    """Return what every base64 of a text has in common that holds the data at this alignment."""
    encoded = base64.b64encode(b"\0" * aligned + data).decode("ascii")
    bits_before, bits = 8 * aligned, 8 * (aligned + len(data))
    return encoded[-(-bits_before // 6) : bits // 6]


# -- a text, seen through its encodings -----------------------------------------------------------

_ELLIPSES = ("...", "…")
_BASE64_END = re.compile(r"[A-Za-z0-9+/_-]?={0,2}")
_BACKSLASH = re.compile(
    r"""\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})
    |u([0-9a-fA-F]{4}) | U(000[0-9a-fA-F]{5}|0010[0-9a-fA-F]{4}) | x([0-9a-fA-F]{2})
    |(["'\\/nrtbf]))""",
    re.VERBOSE,
)
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_ENTITY = re.compile(r"&(?:#([0-9]{1,7})|#[xX]([0-9a-fA-F]{1,6})|[A-Za-z]{2,8});")
_SHORT_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


def _unescape(found: re.Match[str]) -> str:
    """Read an escape of JSON or of a Python repr."""
    high, low, *codes, character = found.groups()
    if high:
        return chr(0x10000 + (int(high, 16) - 0xD800) * 0x400 + int(low, 16) - 0xDC00)
    if character:
        return _SHORT_ESCAPES.get(character, character)
    return chr(int("".join(filter(None, codes)), 16))


def _entity(found: re.Match[str]) -> str:
    """Read an entity of HTML; the standard reader leaves some numbers out."""
    if not (found[1] or found[2]):
        return html.unescape(found[0])
    code = int(found[1]) if found[1] else int(found[2], 16)
    return chr(code) if code <= sys.maxunicode else found[0]


_DECODERS: tuple[tuple[str, re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    ("\\", _BACKSLASH, _unescape),
    ("%", _PERCENT, lambda found: unquote(found[0])),
    ("&", _ENTITY, _entity),
)


class _View:
    """A text after some decoding; of each character, where its source starts and ends."""

    __slots__ = ("ends", "starts", "text")

    def __init__(self, text: str, starts: Sequence[int], ends: Sequence[int]) -> None:
        self.text = text
        self.starts = starts
        self.ends = ends

    def decoded(self, escape: re.Pattern[str], read: Callable[[re.Match[str]], str]) -> _View:
        """Return the view after one more decoding."""
        parts: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        done = 0
        for found in escape.finditer(self.text):
            first, after = found.span()
            read_as = read(found)
            parts += [self.text[done:first], read_as]
            starts += [*self.starts[done:first], *[self.starts[first]] * len(read_as)]
            ends += [*self.ends[done:first], *[self.ends[after - 1]] * len(read_as)]
            done = after
        parts.append(self.text[done:])
        return _View("".join(parts), [*starts, *self.starts[done:]], [*ends, *self.ends[done:]])

    def spans(self, form: _Form) -> Iterator[tuple[int, int]]:
        """Yield where in the source a form begins and ends."""
        head = form.text[:_MIN_PART_OF_WORD]
        start = self.text.find(head)
        while start >= 0:
            end = self._end_of(form, start)
            if end is not None:
                yield self.starts[start], self.ends[end - 1]
            start = self.text.find(head, start + 1)

    def _end_of(self, form: _Form, start: int) -> int | None:
        """Return where a form ends that begins here; None when it does not stand here."""
        end = start + len(form.text)
        if self.text.startswith(form.text, start):
            if len(form.text) < _MIN_PART_OF_WORD and not self._is_word(start, end):
                return None
            rest = _BASE64_END.match(self.text, end) if form.is_base64 else None
            return end if rest is None else rest.end()
        pairs = zip(form.text, self.text[start:end], strict=False)
        end = start + sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        return end if self.text.startswith(_ELLIPSES, end) else None

    def _is_word(self, start: int, end: int) -> bool:
        around = self.text[max(0, start - 1) : start] + self.text[end : end + 1]
        return not any(c.isalnum() or c == "_" for c in around)


def _views(text: str) -> list[_View]:
    """Return a text as it is, and as it reads after each order of decodings that changes it."""
    views = [_View(text, range(len(text)), range(1, len(text) + 1))]
    known, newest = {text}, views
    for _ in range(_DEPTH):
        made = [
            view.decoded(escape, read)
            for view in newest
            for mark, escape, read in _DECODERS
            if mark in view.text
        ]
        newest = []
        for view in made:
            if view.text not in known:
                known.add(view.text)
                newest.append(view)
        views = [*views, *newest]
    return views
