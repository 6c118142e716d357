"""A worker of an example, as its user runs it, but it polls every second.

python worker.py temporal ADDRESS
python worker.py dbos URL [WORKFLOW_ID]
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import os
import sys
from pathlib import Path
from typing import Any

from hevo_edge import orchestration

EXAMPLES = Path(__file__).parents[3] / "examples/durable"


def example(name: str, folder: Path) -> Any:
    sys.path.insert(0, f"{folder}")
    orchestration.RunSpec = functools.partial(  # type: ignore[assignment, misc]
        orchestration.RunSpec, poll_interval=1.0
    )
    return importlib.import_module(name)


async def dbos(url: str, workflow_id: str | None) -> None:
    from dbos import DBOS, SetWorkflowID  # noqa: PLC0415 -- the other engine does without

    os.environ["DATABASE_URL"], sys.argv[1:] = url, []
    it = example("dbos_sync", EXAMPLES)
    await it.main()
    if workflow_id is not None:
        with SetWorkflowID(workflow_id):
            await DBOS.start_workflow_async(it.sync_pipeline, 1)
    await asyncio.Event().wait()


def main(engine: str, address: str, workflow_id: str | None = None) -> None:
    if engine == "dbos":
        asyncio.run(dbos(address, workflow_id))
    else:
        asyncio.run(example("worker", EXAMPLES / "temporal").main(address))


if __name__ == "__main__":
    main(*sys.argv[1:])
