"""A worker that runs workflow and steps: python worker.py [HOST:PORT]."""

from __future__ import annotations

import asyncio
import sys

from steps import cancel, prepare, start, wait
from temporalio.client import Client
from temporalio.worker import Worker
from workflow import SyncPipeline


async def main(address: str) -> None:
    client = await Client.connect(address)
    await Worker(
        client,
        task_queue="hevo",
        workflows=[SyncPipeline],
        activities=[prepare, start, wait, cancel],
    ).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "localhost:7233"))
