"""Sync a Pipeline from code that is not asynchronous: a script, and a thread beside a loop.

    python examples/from_sync_code.py

``run`` takes a coroutine and returns its result, like any function that blocks until it is done. A
thread beside an event loop hands its work to that loop instead, and so shares the loop's client.
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import Future

import account

from hevo_edge import HevoClient
from hevo_edge.emulator import HevoEmulator
from hevo_edge.orchestration import run


async def sync(hevo: HevoClient, pipeline_id: str) -> int:
    """Sync a Pipeline and wait; return how many events were loaded."""
    job = await hevo.pipeline(pipeline_id).trigger()
    await job.await_completion(poll_interval=account.poll_interval(), timeout=2 * 3600)
    return job.data.events_loaded or 0


async def sync_with_own_client(pipeline_id: str) -> int:
    """Make a client, use it, close it: all in the loop in which the coroutine runs."""
    async with HevoClient.from_env() as hevo:
        return await sync(hevo, pipeline_id)


def sync_and_wait(pipeline_id: str) -> int:
    """Sync a Pipeline and wait: an ordinary function, for scripts, commands and task queues."""
    return run(sync_with_own_client(pipeline_id))


def in_a_thread_beside_a_loop(pipeline_id: str) -> None:
    """Use the client of a loop from another thread: what touches the client runs in its loop."""

    async def app() -> None:
        async with HevoClient.from_env() as hevo:
            loop = asyncio.get_running_loop()

            def handle_request() -> None:
                syncing: Future[int] = asyncio.run_coroutine_threadsafe(
                    sync(hevo, pipeline_id), loop
                )
                events = syncing.result()  # blocks this thread, not the loop
                print(f"thread {threading.current_thread().name}: {events:,} events loaded")

            thread = threading.Thread(target=handle_request, name="worker")
            thread.start()
            await asyncio.to_thread(thread.join)

    asyncio.run(app())


def main() -> None:
    pipeline_id = os.environ.get("HEVO_PIPELINE_ID", "123")
    print(f"script: {sync_and_wait(pipeline_id):,} events loaded")
    in_a_thread_beside_a_loop(pipeline_id)


if __name__ == "__main__":
    if account.is_set():
        main()
    else:
        with HevoEmulator(speed=account.SPEED) as emulator:
            emulator.add_pipeline(123, duration=20.0)
            os.environ.update(emulator.environment)
            print(f"No HEVO_API_KEY is set, so this uses an emulator at {emulator.base_url}.")
            main()
