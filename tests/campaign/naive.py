"""The baseline: a competent but naive script, in bare aiohttp."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import aiohttp

from .callers import CallerEnvironment
from .environment import PIPELINE
from .outcome import FAILED, JOB, Outcome

ATTEMPTS, DELAY = 3, 2.0
POLLS, INTERVAL = 10, 15.0
PAGE = 100
_BASE = f"/api/v1/pipelines/{PIPELINE}"
_TRANSPORT_ERRORS = (aiohttp.ClientError, asyncio.TimeoutError, OSError)


class _Failed(Exception):
    """The script ends with an error."""


async def naive(env: CallerEnvironment) -> Outcome:
    """Do what the vendor's provider does, with the retries that are usual in scripts.

    It reads the Pipeline and stops unless that answers 200. It posts, with up to 3 attempts 2 s
    apart on 5xx, time-outs (30 s) and connection errors. At the job-in-progress reply it goes on to
    list the Jobs, and reports that the Job may not be its own. It lists the Jobs up to
    10 times, 15 s apart, all pages of 100, and takes the first one in the list that is IN_PROGRESS
    and of the type that the action starts. Anything unexpected while listing fails it. When its
    process is killed, it starts again from the beginning. It ignores ``if_running``.
    """
    return await env.run_process(lambda: _run(env))


async def _run(env: CallerEnvironment) -> Outcome:
    address = env.address
    token = base64.b64encode(f"{address.api_key}:{address.api_secret}".encode()).decode()
    headers = {"Authorization": f"Basic {token}"}
    timeout = aiohttp.ClientTimeout(total=30.0)
    async with aiohttp.ClientSession(
        address.base_url,
        connector=aiohttp.TCPConnector(force_close=env.scenario.fresh_connections),
        headers=headers,
        timeout=timeout,
    ) as session:
        try:
            await _get(session, _BASE)
            await env.stored()
            is_running = await _post(env, session)
            job_id = await _find_job(env, session)
        except _Failed as failure:
            return Outcome(FAILED, detail=str(failure))
    return Outcome(JOB, job_id=job_id, adopted=is_running)


async def _get(session: aiohttp.ClientSession, path: str) -> Any:
    try:
        async with session.get(path) as response:
            if response.status != 200:
                raise _Failed(f"GET answered {response.status}")
            return json.loads(await response.read())
    except _TRANSPORT_ERRORS as error:
        raise _Failed(f"GET failed: {error!r}") from error
    except ValueError as error:
        raise _Failed("GET answered no JSON") from error


async def _post(env: CallerEnvironment, session: aiohttp.ClientSession) -> bool:
    """Start a run; return whether the reply was that one is running already."""
    path, body = _request(env)
    detail = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            await asyncio.sleep(DELAY)
        try:
            async with session.post(_BASE + path, json=body) as response:
                text = (await response.read()).decode()
        except _TRANSPORT_ERRORS as error:
            detail = repr(error)
            continue
        if response.status < 300:
            return False
        if response.status == 409 or (response.status == 500 and "job is in progress" in text):
            return True
        detail = f"POST answered {response.status}"
        if response.status < 500:
            break
    raise _Failed(detail)


async def _find_job(env: CallerEnvironment, session: aiohttp.ClientSession) -> str:
    wanted = _wanted(env)
    for poll in range(POLLS):
        if poll:
            await asyncio.sleep(INTERVAL)
        for job in await _all_jobs(session):
            if job["status"] == "IN_PROGRESS" and job["type"] == wanted:
                return str(job["job_id"])
    raise _Failed("no new Job in the list")


async def _all_jobs(session: aiohttp.ClientSession) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = []
    path = f"{_BASE}/jobs?limit={PAGE}"
    cursor: str | None = ""
    while cursor is not None:
        page = await _get(session, f"{path}&cursor={cursor}" if cursor else path)
        jobs += page["data"]
        cursor = page["next_cursor"] if page["has_more"] else None
    return jobs


def _request(env: CallerEnvironment) -> tuple[str, dict[str, Any] | None]:
    scenario = env.scenario
    if scenario.action == "SYNC_NOW":
        return "/actions/sync-now", None
    if scenario.action == "RESYNC_OBJECTS":
        return "/objects/actions/resync", {"object_ids": env.object_ids}
    if scenario.dialect.resync_body == "drop_and_load":
        return "/actions/resync", {"drop_and_load": scenario.drop_and_load}
    mode = "DROP_AND_LOAD" if scenario.drop_and_load else "EVOLVE_AND_MERGE"
    return "/actions/resync", {"resync_mode": mode}


def _wanted(env: CallerEnvironment) -> str:
    scenario = env.scenario
    if scenario.job_type is not None:
        return scenario.job_type
    if scenario.action != "RESYNC":
        return "HISTORICAL" if scenario.action == "RESYNC_OBJECTS" else "INCREMENTAL"
    dialect = scenario.dialect
    return str(dialect.drop_and_load_type if scenario.drop_and_load else dialect.resync_type)
