"""The part of a Pipeline that is about its objects, but for their resync, which is a trigger."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import AsyncGenerator, Iterable

from hevo_edge import api
from hevo_edge._common.has_data import PipelineDataT_co
from hevo_edge._common.pagination import rows
from hevo_edge._pipeline_handle import PipelineHandle
from hevo_edge._text.logger import get_logger
from hevo_edge._text.printable import short
from hevo_edge.enums import Dialect, may_be_partial
from hevo_edge.errors import ConfigurationError
from hevo_edge.models import JobData, JobObjectData, ObjectData, Page
from hevo_edge.objects import ObjectRef, PipelineObjects, refs

log: logging.Logger = get_logger("hevo_edge.objects")

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_EXCLUDED = {"INACTIVE", "SKIPPED"}
"""By whom configures the Pipeline: in the API's word, and in that of Hevo's page."""
_GONE = {"DELETED", "INACCESSIBLE"}
"""There is nothing to load from."""
_NOT_LOADED = {*_EXCLUDED, *_GONE, "DISABLED"}
"""What no run loads. BLOCKED and INCONSISTENT are not among them: a resync may be the cure."""


class HasObjects(PipelineHandle[PipelineDataT_co]):
    """A Pipeline's objects: list them, include them, exclude them."""

    async def list_objects(self) -> AsyncGenerator[ObjectData, None]:
        """Yield the Pipeline's objects; ``get_object`` returns more fields of each."""

        async def fetch(cursor: str | None) -> Page[ObjectData]:
            return await self._core.send(api.list_objects(self.id, cursor=cursor))

        async for row in rows(fetch):
            yield row

    async def objects(self) -> PipelineObjects:
        """Read all objects of the Pipeline: a call for each hundred.

        Each has a ``name`` as Hevo's page shows it; what is returned finds them by it.
        """
        return PipelineObjects([row async for row in self.list_objects()])

    async def _has_all(self, job: JobData) -> bool:
        """Say whether a Job is of all active objects; one that cannot be of some is not read."""
        if not may_be_partial(job.type):
            return True
        key = (self.id, job.job_id)

        async def fetch(cursor: str | None) -> Page[JobObjectData]:
            return await self._core.send(api.list_job_objects(*key, cursor=cursor))

        has = [row async for row in rows(fetch)]
        ids = {row.object_id for row in has if row.object_id}
        names = Counter(row.object_name for row in has if not row.object_id)
        wanted = [each async for each in self.list_objects() if each.is_active]
        unnamed = Counter(each.name for each in wanted if each.object_id not in ids)
        return all(names[name] >= count for name, count in unnamed.items())

    async def get_object(self, object_id: str) -> ObjectData:
        """Return an object, by its id; or by its name, in which sources conflict.

        Raises:
            NotFound: when there is no such object.
        """
        return await self._core.send(api.get_object(self.id, object_id))

    async def refresh_schema(self) -> None:
        """Let Hevo read the source's schema again, to see new tables and columns.

        It is not known whether Hevo has read it when this returns.
        """
        await self._core.send(api.refresh_schema(self.id))

    async def include_objects(self, objects: Iterable[ObjectRef] | ObjectRef) -> PipelineObjects:
        """Include objects: the next run loads all their data. Returns them, read again.

        The body of the call is assumed: no source shows it. So the objects are read again, and
        those that are not included then are logged. What is included already is left alone.

        Args:
            objects: Names, ids, or what ``objects`` or ``Job.list_objects`` has told of them. Of a
                table that is new in the source, call ``refresh_schema`` first.

        Raises:
            ConfigurationError: before anything is changed, for a name that no object has, or
                several have; or for an object that is deleted or inaccessible in the source.
            RequestError: when reading or changing them failed.
        """
        named = (await self.objects()).find_all(objects)
        _check(named, _GONE, "cannot be included")
        wanted = [row for row in named if not row.is_active]
        return await self._set_status(named, wanted, "ACTIVE")

    async def exclude_objects(self, objects: Iterable[ObjectRef] | ObjectRef) -> PipelineObjects:
        """Exclude objects: no run loads them any more. Returns them, read again.

        Their tables in the Destination stay. What is assumed, the argument and the errors are as in
        ``include_objects``.
        """
        named = (await self.objects()).find_all(objects)
        wanted = [row for row in named if _status(row) not in _EXCLUDED]
        return await self._set_status(named, wanted, "INACTIVE")

    # -- inside -----------------------------------------------------------------------------------

    async def _set_status(
        self, named: list[ObjectData], wanted: list[ObjectData], status: str
    ) -> PipelineObjects:
        if not wanted:
            return PipelineObjects(named)
        changes = [{"object_id": row.object_id, "status": status} for row in wanted]
        await self._core.send(api.update_objects(self.id, {"objects": changes}))
        ids = {row.object_id for row in named}
        now = PipelineObjects(row for row in await self.objects() if row.object_id in ids)
        if other := [row for row in now if _status(row) != status]:
            names = ", ".join(f"{short(row.path)} ({short(row.status)})" for row in other[:5])
            log.warning(
                "Hevo accepted that objects of Pipeline %s become %s, but lists %d otherwise: %s",
                *(self.id, status, len(other), names),
            )
        return now

    async def _resync_ids(self, objects: Iterable[ObjectRef] | ObjectRef) -> tuple[str, ...]:
        """Return what to send for the objects to resync: ids, or names in the dialect of names."""
        given = refs(objects)
        ids = [each for each in given if isinstance(each, str) and _UUID.fullmatch(each)]
        if len(ids) == len(given):
            return tuple(dict.fromkeys(ids))
        found = (await self.objects()).find_all(given)
        _check(found, _NOT_LOADED, "cannot be resynced")
        if self._core.dialect is Dialect.RESYNC_MODE:
            return tuple(row.object_id for row in found)
        # The vendor's tests of that generation send names.
        names = (each if isinstance(each, str) else _name(each) for each in given)
        return tuple(dict.fromkeys(names))


def _name(given: ObjectData | JobObjectData) -> str:
    name = given.name if isinstance(given, ObjectData) else given.object_name
    return name or given.object_id or ""


def _status(row: ObjectData) -> str:
    return "" if row.status is None else row.status.upper()


def _check(objects: list[ObjectData], statuses: set[str], what: str) -> None:
    if wrong := [row for row in objects if _status(row) in statuses]:
        listed = ", ".join(f"{short(row.path)} is {short(row.status)}" for row in wrong[:5])
        more = f" and {len(wrong) - 5:,} more" if len(wrong) > 5 else ""  # noqa: PLR2004
        hint = " (include_objects includes it)" if _status(wrong[0]) in _EXCLUDED else ""
        raise ConfigurationError(f"{listed}{more}: {what}{hint}")
