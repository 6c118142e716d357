"""A table that is new in the source: include it, load it now, and resync just this table.

    python examples/schema_update.py [--pipeline 123] [--table invoices] [--yes]

Without credentials it runs against an emulator. On your own account it shows what it would include,
and asks for --yes, because it changes the Pipeline and starts runs.

Exit code: 0 when all of it succeeded, 1 for any error.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

import account

from hevo_edge import HevoClient, Job, errors
from hevo_edge.emulator import HevoEmulator
from hevo_edge.models import JobData


async def finished(what: str, job: Job[JobData]) -> None:
    """Wait for a Job, and print which objects it has loaded."""
    await job.await_completion(poll_interval=account.poll_interval(), timeout=6 * 3600)
    rows = [row async for row in job.list_objects()]
    loaded = ", ".join(f"{row.object_name} ({row.rows_processed or 0:,} rows)" for row in rows)
    print(f"{what}: {job.type} {job.status}: {loaded}")


async def update_schema(hevo: HevoClient, pipeline_id: str, table: str, *, change: bool) -> None:
    pipeline = hevo.pipeline(pipeline_id)
    print(f"Letting Hevo read the schema of the source of Pipeline {pipeline.id} again.")
    await pipeline.refresh_schema()
    objects = await pipeline.objects()
    for each in objects:
        print(f"  {each.path}: {each.status}")
    found = objects.find(table)
    if not change:
        print(f"--yes would include {found.path}, sync, and resync it.")
        return
    for each in await pipeline.include_objects(found):
        print(f"{each.name} is {each.status} now.")
    await finished("Sync", await pipeline.sync_now(if_running="wait"))
    await finished(f"Resync of {found.name}", await pipeline.resync_objects(found))


def with_a_new_table(table: str) -> HevoEmulator:
    """Prepare an emulator whose Pipeline lets no new table in by itself."""
    emulator = HevoEmulator(speed=account.SPEED)
    pipeline = emulator.add_pipeline(123, name="Shop", duration=30.0, history=3)
    pipeline.settings["schema_evolution"] = "BLOCK_ALL"
    pipeline.objects.create_table(table)
    return emulator


async def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pipeline", default="123", help="its id")
    parser.add_argument("--table", default="invoices", help="its name")
    parser.add_argument("--yes", action="store_true", help="change a Pipeline of your own account")
    options = parser.parse_args()
    change = options.yes or not account.is_set()
    try:
        async with account.emulated_or_real(with_a_new_table(options.table)) as hevo:
            await update_schema(hevo, options.pipeline, options.table, change=change)
    except errors.HevoError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
