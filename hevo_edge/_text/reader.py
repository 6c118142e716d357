"""A body of JSON, read as a model: odd values are left out, and too many of them refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from hevo_edge._text.lenient_json import strict_json

MAX_PROBLEMS = 5000
"""How many problems of a reply are looked at. With more, it is not a reply with some odd values."""
_MAX_LENIENT = 50_000
"""How many commas a body may have that is read leniently, which takes six times as long."""
ModelT = TypeVar("ModelT", bound=BaseModel)


def strict(body: bytes, error: ValidationError) -> bytes:
    """Return a body that pydantic cannot read as JSON that it can, if Python can read it.

    Raises:
        ValidationError: the given one, when Python cannot read it either, or not soon.
    """
    if body.count(b",") > _MAX_LENIENT:
        raise error
    try:
        readable = strict_json(body)
    except ValueError:
        readable = body
    if readable == body:
        raise error
    return readable


class UnreadableReply(ValueError):
    """A body is not worth reading; the message says what it has."""


def reader(model: type[ModelT]) -> Callable[[bytes], ModelT]:
    """Return a function that reads a body as a model.

    A field with an invalid value (a null status, a count in words) is dropped, as if it were
    missing: one odd value must not make a whole list unreadable. If the field is required, the
    body is refused.

    Raises (the function):
        ValidationError: when the body is not JSON, or of another shape.
        UnreadableReply: when it has too many invalid values.
    """

    def read(body: bytes) -> ModelT:
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            if error.error_count() > MAX_PROBLEMS:
                # To list them would block the event loop.
                raise UnreadableReply(f"has {error.error_count()} invalid values") from None
            problems = error.errors(include_url=False, include_context=False)
            if problems[0]["type"] == "too_long":
                raise  # no field is at fault
            if problems[0]["type"] == "json_invalid":
                return read(strict(body, error))
            raw = from_json(body)
            # Find all fields before any is dropped: a union reports one field several times.
            for holder, name in [_innermost_field(raw, problem["loc"]) for problem in problems]:
                holder.pop(name, None)
            try:
                return model.model_validate(raw)
            except ValidationError:
                # The first error says more.
                raise error from None

    return read


def _innermost_field(raw: Any, location: tuple[int | str, ...]) -> tuple[dict[str, Any], str]:
    """Return the innermost object and field on the path to a problem; never a row of a list."""
    holder: dict[str, Any] = {}
    name, inner = "", raw
    for step in location:
        if isinstance(inner, dict) and step in inner:
            holder, name, inner = inner, str(step), inner[step]
        elif isinstance(inner, list) and isinstance(step, int) and step < len(inner):
            inner = inner[step]
        else:
            break  # the rest names a member of a union
    return holder, name
