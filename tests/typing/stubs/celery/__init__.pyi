"""What a page uses of Celery, as its published types say it."""

from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")

class Signature(Generic[_R]):
    def __or__(self, other: Signature[Any]) -> Signature[Any]: ...
    def delay(self) -> object: ...

class Task(Generic[_P, _R]):
    def s(self, *args: Any, **kwargs: Any) -> Signature[_R]: ...

class Celery:
    def __init__(self, main: str, *, broker: str = ...) -> None: ...
    def task(
        self,
        *,
        autoretry_for: tuple[type[Exception], ...] = ...,
        retry_backoff: bool = ...,
        max_retries: int = ...,
    ) -> Callable[[Callable[_P, _R]], Task[_P, _R]]: ...
