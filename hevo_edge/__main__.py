"""``python -m hevo_edge``: the same as ``hevo-edge``."""

from __future__ import annotations

from hevo_edge._command_line import main

if __name__ == "__main__":
    raise SystemExit(main())
