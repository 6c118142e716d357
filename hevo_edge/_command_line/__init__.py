"""``hevo-edge``: the everyday jobs of a Hevo Edge account, each in one line of a shell.

``python -m hevo_edge`` is the same. The page "Command line" of the docs has every command, the exit
codes and what an interrupt does. Importing this package and ``--help`` load neither aiohttp nor
pydantic: the client loads inside a command.
"""

from __future__ import annotations

from hevo_edge._command_line.entry import main

__all__ = ["main"]
