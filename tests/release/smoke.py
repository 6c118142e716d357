"""Does the installed package do its work? `nox -s release` runs it where nothing else is installed.

python -I smoke.py VERSION
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import hevo_edge
from hevo_edge import HevoClient
from hevo_edge.emulator import HevoEmulator


def check_package(version: str) -> None:
    """It is the installed one, of that version, typed, and with all its public names."""
    package = Path(hevo_edge.__file__).parent
    assert package.is_relative_to(sys.prefix), f"{package} is not the installed package"
    assert hevo_edge.__version__ == metadata.version("hevo-edge") == version
    assert (package / "py.typed").exists()
    for name in hevo_edge.__all__:
        assert getattr(hevo_edge, name) is not None


def command(*arguments: str, **environment: str) -> str:
    """Return what `hevo-edge` prints; it must succeed."""
    done = subprocess.run(
        [Path(sys.executable).with_name("hevo-edge"), *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        timeout=60,
        check=True,
    )
    return done.stdout.decode()


def check_command(version: str) -> None:
    """It is there, and says what it is."""
    assert command("--version") == f"hevo-edge {version}\n"
    for helped in ([], ["sync"], ["emulator"]):
        assert command(*helped, "--help").startswith("usage: ")


async def sync_once() -> str:
    """Sync Pipeline 123 of the account that the environment names; return the Job's status."""
    async with HevoClient.from_env() as hevo:
        job = await hevo.pipeline(123).sync_now()
        await job.await_completion(poll_interval=0.1, timeout=60)
        assert job.data.events_loaded
        return f"{job.status}"


def check_syncs() -> None:
    """One sync in code and one on the command line, each a Job of the emulator's."""
    with HevoEmulator(speed=100) as emulator:
        emulator.add_pipeline(123, duration=5)
        os.environ.update(emulator.environment)
        os.environ.pop("HEVO_REGION", None)
        assert asyncio.run(sync_once()) == "COMPLETED"
        outcome = json.loads(command("--json", "sync", "123", "--poll-interval", "0.1"))
        assert (outcome["outcome"], outcome["exit_code"]) == ("success", 0)
        posts = [call.endpoint for call in emulator.requests if call.method == "POST"]
        assert posts == ["sync_now", "sync_now"]


if __name__ == "__main__":
    check_package(sys.argv[1])
    check_command(sys.argv[1])
    check_syncs()
