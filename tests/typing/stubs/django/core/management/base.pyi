"""What a page uses of Django, as its published types say it."""

from argparse import ArgumentParser
from typing import Any

class CommandError(Exception): ...

class OutputWrapper:
    def write(self, msg: str) -> None: ...

class BaseCommand:
    help: str
    stdout: OutputWrapper
    def add_arguments(self, parser: ArgumentParser) -> None: ...
    def handle(self, *args: Any, **options: Any) -> str | None: ...
