"""A reply belongs to its request: strays on kept connections, doubled replies, replies about others."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from hevo_edge import api, errors
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.session import close_idle

from .servers import JsonServer, Server, client, reply, usual_answer
from .support import GET, POST, now

JOB, CANCEL = api.get_job(123, "mine"), api.cancel_job(123, "mine")
STRAYS = [
    (429, {"Retry-After": "90"}),
    (400, {}),
    (401, {}),
    (403, {}),
    (404, {}),
    (408, {}),
    (409, {}),
    (500, {}),
    (200, {}),
    (204, {}),
]


# -- what starts or cancels runs -------------------------------------------------------------------


@pytest.mark.parametrize(("status", "headers"), STRAYS)
@pytest.mark.parametrize("request_", [POST, CANCEL], ids=["start", "cancel"])
@pytest.mark.parametrize("when", ["idle", "leaving"])
async def test_a_stray_reply_is_not_taken_for_that_to_a_post(
    request_: api.Request[Any], status: int, headers: dict[str, str], when: str
) -> None:
    async with JsonServer() as server, client(server.port) as hevo:
        await hevo.send(GET)
        start = now()
        stray = {name.replace("-", "_"): value for name, value in headers.items()}

        def leaves() -> None:
            if when == "leaving":
                server.send(status, {"message": "a stray"}, **stray)

        if when == "idle":
            server.send(status, {"message": "a stray"}, **stray)
            await asyncio.sleep(0.01)
        reply_ = await hevo._core.transport.exchange(
            request_, Priority.TRIGGER, before_sending=leaves
        )
        assert reply_.value == {"message": "thanks for 123"}
        assert now() - start < 1
        assert (server.posts, server.used) == (1, [0, 1])


@pytest.mark.parametrize("doubled", [0.0, 0.002])
async def test_the_second_reply_to_a_post_is_not_taken_for_that_to_the_next(
    doubled: float,
) -> None:
    async with JsonServer(doubled) as server, client(server.port) as hevo:
        for pipeline in (1, 2, 3):
            said = await hevo.send(api.sync_now(pipeline))
            assert said == {"message": f"thanks for {pipeline}"}
        assert server.posts == 3


async def test_posts_in_flight_at_once_each_have_a_connection_of_their_own() -> None:
    async with JsonServer(0.001) as server, client(server.port) as hevo:
        await asyncio.gather(*(hevo.send(GET) for _ in range(5)))
        said = await asyncio.gather(*(hevo.send(api.sync_now(n)) for n in range(1, 30)))
        assert said == [{"message": f"thanks for {n}"} for n in range(1, 30)]
        posts = [n for n, head in zip(server.used, server.heads, strict=True) if b"POST" in head]
        assert len(set(posts)) == len(posts)


# -- reads -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "headers"), STRAYS)
async def test_a_stray_on_an_idle_connection_closes_it(
    status: int, headers: dict[str, str]
) -> None:
    async with JsonServer() as server, client(server.port) as hevo:
        await hevo.send(JOB)
        stray = {name.replace("-", "_"): value for name, value in headers.items()}
        server.send(status, {"job_id": "mine", "status": "FAILED"}, **stray)
        await asyncio.sleep(0.01)
        start = now()
        assert (await hevo.send(JOB)).status == "COMPLETED"
        assert now() == start, "the stray was not even looked at"
        assert server.used == [0, 1]
        assert (await hevo.send(JOB)).status == "COMPLETED"
        assert server.used == [0, 1, 1], "a connection that is clean is used again"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 302])
async def test_an_error_on_a_kept_connection_is_asked_for_again_on_a_new_one(status: int) -> None:
    async with JsonServer() as server, client(server.port, max_retries=0) as hevo:
        await hevo.send(GET)
        strays = iter([status])

        def leaves() -> None:
            for stray in strays:
                server.send(stray, {"message": "a stray"})

        job = await hevo._core.transport.send(JOB, Priority.POLL, before_sending=leaves)
        assert job.status == "COMPLETED"
        assert server.used == [0, 0, 1]


async def test_an_error_that_is_meant_is_raised_after_one_more_request() -> None:
    async with JsonServer() as server, client(server.port, max_retries=0) as hevo:
        await hevo.send(GET)
        server._behaviour = refuses
        server.writers[0].close()
        await asyncio.sleep(0.01)
        with pytest.raises(errors.NotFound) as caught:
            await hevo.send(JOB)
        assert caught.value.attempts == 1, "it came on a new connection"
        with pytest.raises(errors.NotFound) as caught:
            await hevo.send(JOB)
        assert caught.value.attempts == 2, "it came on a connection that was kept"


async def refuses(
    server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    while True:
        await server.read_request(reader)
        writer.write(reply(b"{}", "404 Not Found"))


@pytest.mark.parametrize("doubled", [0.0, 0.001])
async def test_doubled_replies_to_all_kinds_of_reads(doubled: float) -> None:
    async with JsonServer(doubled) as server, client(server.port, rate_limit=None) as hevo:
        for number in range(1, 20):
            assert (await hevo.send(api.get_pipeline(number))).id == number
            assert (await hevo.send(api.get_job(1, f"job-{number}"))).job_id == f"job-{number}"
            page = await hevo.send(api.list_jobs(number))
            assert page.data[0].job_id == f"of-{number}"
        jobs = await asyncio.gather(
            *(hevo.send(api.get_job(1, f"job-{n % 10}")) for n in range(60))
        )
        assert [job.job_id for job in jobs] == [f"job-{n % 10}" for n in range(60)]


async def test_waits_for_many_jobs_with_doubled_replies() -> None:
    polls: dict[str, int] = {}

    def answer(head: bytes) -> dict[str, Any]:
        found = usual_answer(head)
        if "job_id" in found:
            name = found["job_id"]
            polls[name] = polls.get(name, 0) + 1
            ends = polls[name] > int(name.split("-")[1])
            found["status"] = "COMPLETED" if ends else "IN_PROGRESS"
        return found

    async with JsonServer(0.001, answer) as server, client(server.port) as hevo:
        jobs = [hevo.job(number, f"job-{number}") for number in range(1, 12)]
        await hevo.await_all(jobs, poll_interval=5)
        for job in jobs:
            assert job.data is not None
            assert (job.data.job_id, job.status) == (job.id, "COMPLETED")
            assert polls[job.id] == job.pipeline_id + 1


class ThisMachine(AbstractResolver):
    """Every name is this machine's."""

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        address = {"hostname": host, "host": "127.0.0.1", "port": port}
        return [ResolveResult(**address, family=socket.AF_INET, proto=0, flags=0)]  # type: ignore[typeddict-item]

    async def close(self) -> None:
        pass


async def test_a_given_session_is_held_to_the_same() -> None:
    connector = aiohttp.TCPConnector(resolver=ThisMachine())
    async with JsonServer() as server, aiohttp.ClientSession(connector=connector) as session:
        elsewhere = f"http://elsewhere.invalid:{server.port}/api/v1/pipelines/1"
        async with client(server.port, session=session) as hevo:
            await (await session.get(elsewhere)).read()
            await hevo.send(GET)
            server.writers[1].write(reply(b"{}", "400 Stray"))
            await asyncio.sleep(0.01)
            assert await hevo.send(POST) == {"message": "thanks for 123"}
            assert (await hevo.send(JOB)).job_id == "mine"
            assert server.used == [0, 1, 2, 2]
            assert close_idle(session, URL(elsewhere), keep=True), "other hosts' are left alone"


async def test_idle_connections_are_seen_in_this_aiohttp() -> None:
    async with JsonServer() as server, aiohttp.ClientSession() as session:
        url = URL(f"http://127.0.0.1:{server.port}/api/v1/pipelines/1")
        assert not close_idle(session, url, keep=True)
        async with session.get(url) as got:
            await got.read()
        assert close_idle(session, url, keep=True)
        assert not close_idle(session, url, keep=False)
        assert not close_idle(session, url, keep=True)
    assert not close_idle(session, url, keep=False)


# -- replies about others --------------------------------------------------------------------------

ABOUT_OTHERS: list[tuple[api.Request[Any], object]] = [
    (JOB, {"job_id": "other", "status": "COMPLETED"}),
    (JOB, {"job_id": 7, "status": "COMPLETED"}),
    (JOB, {"job_id": "mine", "status": "COMPLETED", "pipeline_id": 124}),
    (GET, {"id": 999}),
    (GET, {"id": 123, "pipeline_id": "999"}),
    (api.list_jobs(123), {"data": [{"job_id": "a"}, {"job_id": "b", "pipeline_id": 124}]}),
    (api.list_jobs(123), {"data": [], "pipeline_id": 124}),
    (api.list_objects(123), {"data": [{"object_id": "a", "pipeline_id": 124}]}),
    (api.list_job_objects(123, "mine"), {"data": [{"job_id": "other"}]}),
    (
        api.get_object(123, "550e8400-e29b-41d4-a716-446655440001"),
        {"object_id": "550e8400-e29b-41d4-a716-446655440002"},
    ),
    (api.get_destination(5), {"id": 6}),
    (POST, {"message": "Sync triggered", "pipeline_id": 124}),
    (CANCEL, {"job_id": "other"}),
    (api.update_pipeline(123, {"name": "x"}), {"id": 124}),
]


@pytest.mark.parametrize(("request_", "body"), ABOUT_OTHERS)
async def test_a_reply_about_another_id_is_none(request_: api.Request[Any], body: Any) -> None:
    async with JsonServer(answer=lambda _: body) as server, client(server.port) as hevo:
        with pytest.raises(errors.UnexpectedResponse, match="answers another request") as caught:
            await hevo.send(request_)
        assert caught.value.transient
        assert caught.value.attempts == (4 if request_.is_read else 1)
        # Each such reply has closed its connection.
        assert server.used == list(range(caught.value.attempts))


@pytest.mark.parametrize(
    ("request_", "body"),
    [
        (api.get_job(123, "AB-cd"), {"job_id": "ab-CD", "pipeline_id": 123}),
        (api.get_job(123, "17"), {"job_id": 17, "pipeline_id": "123"}),
        (api.get_job(123, "a"), {"job_id": "a", "pipeline_id": "p-550e8400", "id": 5}),
        (api.get_job(123, "a"), {"job_id": "a", "pipeline_id": None, "destination_id": 7}),
        (api.get_object(123, "orders"), {"object_id": "550e8400-e29b-41d4-a716-446655440002"}),
        (api.get_destination(5), {"name": "without an id"}),
        (api.list_pipelines(), {"data": [{"id": 7}]}),
        (POST, {"id": "of the action", "pipeline_id": True}),
        (POST, [1, 2]),
        (GET, {"id": 123, "destination": {"id": 7}}),
    ],
)
async def test_a_reply_that_does_not_contradict_is_taken(
    request_: api.Request[Any], body: Any
) -> None:
    async with JsonServer(answer=lambda _: body) as server, client(server.port) as hevo:
        await hevo.send(request_)
        assert server.used == [0]


async def test_a_wait_goes_on_when_it_is_told_of_another_job() -> None:
    replies = 0

    def answer(_: bytes) -> dict[str, Any]:
        nonlocal replies
        replies += 1
        name = "other" if replies % 7 else "mine"
        status = "FAILED" if name == "other" else "COMPLETED"
        return {"job_id": name, "status": status if replies > 20 else "IN_PROGRESS"}

    async with JsonServer(answer=answer) as server, client(server.port) as hevo:
        job = await hevo.job(123, "mine").await_completion(timeout=3600)
        assert (job.data.job_id, job.status) == ("mine", "COMPLETED")
        assert replies == 21


async def test_a_read_of_another_pipeline_does_not_change_the_handle() -> None:
    async with (
        JsonServer(answer=lambda _: {"id": 999, "name": "of another"}) as server,
        client(server.port, max_retries=0) as hevo,
    ):
        pipeline = hevo.pipeline(1)
        with pytest.raises(errors.UnexpectedResponse, match=r"about id '999', not '1'"):
            await pipeline.refresh()
        assert (pipeline.data, pipeline.name) == (None, None)


def test_which_reads_may_come_over_a_kept_connection() -> None:
    assert JOB.names_itself
    assert GET.names_itself
    for request in (api.list_jobs(1), api.get_object(1, "x"), api.get_destination(1), POST):
        assert not request.names_itself
