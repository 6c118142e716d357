"""Which tables Pipelines have, read as a code location is loaded, and kept for its processes.

A step's process loads the code location again: what was read then comes with it, from Dagster. A
file keeps it for when Hevo is away.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.definitions.definitions_load_context import (
    DefinitionsLoadContext,
    DefinitionsLoadType,
)

from hevo_edge.errors import HevoError, RequestError
from hevo_edge.integrations.dagster.tables import HevoPipeline, HevoTable
from hevo_edge.orchestration import get_logger, run

if TYPE_CHECKING:
    from typing_extensions import Self

    from hevo_edge import Pipeline
    from hevo_edge.integrations.dagster.resource import HevoResource
    from hevo_edge.models import PipelineData

log: logging.Logger = get_logger("hevo_edge.integrations.dagster")

LOAD_TIMEOUT = 150.0
"""Seconds for reading everything: Dagster waits 180 for a code location."""
READS = 8
"""How many Pipelines are read at once."""
Where = Callable[[HevoPipeline], bool]


@dataclass
class Catalog:
    """Pipelines and their tables.

    Attributes:
        tables: The tables of each Pipeline; None where they were not read.
        is_whole: Whether it has all Pipelines of the account.
    """

    tables: dict[HevoPipeline, list[HevoTable] | None] = field(default_factory=dict)
    is_whole: bool = False

    def wanted(self, pipeline_id: int | None, where: Where | None) -> list[HevoPipeline] | None:
        """Return the Pipelines that are asked for; None when that cannot be told."""
        if pipeline_id is not None:
            return [each for each in self.tables if each.id == pipeline_id] or None
        return (
            [each for each in self.tables if where is None or where(each)]
            if self.is_whole
            else None
        )

    def dumps(self) -> str:
        """Return it as JSON."""
        rows = [
            {**asdict(pipeline), "tables": tables and [table.to_dict() for table in tables]}
            for pipeline, tables in self.tables.items()
        ]
        return json.dumps({"is_whole": self.is_whole, "pipelines": rows})

    @classmethod
    def loads(cls, text: str) -> Self:
        """Read what ``dumps`` has made.

        Raises:
            ValueError: for anything else.
        """
        try:
            stored = json.loads(text)
            catalog = cls(is_whole=bool(stored["is_whole"]))
            for row in stored["pipelines"]:
                tables = row.pop("tables")
                pipeline = HevoPipeline(**row)
                catalog.tables[pipeline] = tables and [
                    HevoTable.from_dict(pipeline, each) for each in tables
                ]
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"these are no Pipelines and tables: {error!r}") from error
        return catalog


def load_tables(
    resource: HevoResource,
    *,
    pipeline_id: int | None = None,
    where: Where | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> dict[HevoPipeline, list[HevoTable]]:
    """Return the tables of one Pipeline, or of all that ``where`` wants, while definitions load.

    They are read where a code location is loaded: two calls for one Pipeline; for all of them a
    call for each hundred, and one for each. Processes of its runs get what was read then.

    Args:
        resource: The account; its environment variables must be set.
        pipeline_id: One Pipeline; None for all.
        where: Says of a Pipeline whether it is wanted.
        cache: A file for what was read, for when Hevo is away; None for one in ``DAGSTER_HOME``.

    Raises:
        DagsterInvalidDefinitionError: naming the resource, when Hevo refuses the key or has no such
            Pipeline, and no file has its tables. When Hevo is away, there are none instead.
    """
    configured = resource.process_config_and_initialize()
    fingerprint = configured.get_account().fingerprint
    context, key = DefinitionsLoadContext.get(), f"hevo_edge/{fingerprint}"
    if context.load_type is DefinitionsLoadType.RECONSTRUCTION:
        stored = context.reconstruction_metadata.get(key)
        if stored is not None:
            catalog = Catalog.loads(stored)
            context.add_to_pending_reconstruction_metadata(key, stored)
            return _tables(catalog, pipeline_id, where)
    pending = context.get_pending_reconstruction_metadata().get(key)
    catalog = Catalog() if pending is None else Catalog.loads(pending)
    file = _CatalogFile(cache, fingerprint)
    try:
        run(asyncio.wait_for(_read(configured, catalog, pipeline_id, where), LOAD_TIMEOUT))
    except (HevoError, asyncio.TimeoutError) as error:
        catalog = _from_file(catalog, file, error, configured, pipeline_id)
    else:
        file.save(catalog)
    context.add_to_pending_reconstruction_metadata(key, catalog.dumps())
    return _tables(catalog, pipeline_id, where)


def _tables(
    catalog: Catalog, pipeline_id: int | None, where: Where | None
) -> dict[HevoPipeline, list[HevoTable]]:
    wanted = catalog.wanted(pipeline_id, where) or []
    return {pipeline: catalog.tables[pipeline] or [] for pipeline in wanted}


async def read_catalog(resource: HevoResource, where: Where | None) -> Catalog:
    """Read all Pipelines of an account, and the tables of those that are wanted.

    Raises:
        RequestError: when that is not possible.
    """
    catalog = Catalog()
    await _read(resource.process_config_and_initialize(), catalog, None, where)
    return catalog


# -- from Hevo ------------------------------------------------------------------------------------


async def _read(
    resource: HevoResource, catalog: Catalog, pipeline_id: int | None, where: Where | None
) -> None:
    """Read what is wanted and not yet in the catalog, into it."""
    async with resource.get_client() as hevo:
        prefixes: dict[int, str] = {}
        if catalog.wanted(pipeline_id, where) is None:
            if pipeline_id is None:
                async for each in hevo.list_pipelines():
                    _add(catalog, each, prefixes)
                catalog.is_whole = True
            else:
                _add(catalog, await hevo.get_pipeline(pipeline_id), prefixes)
        free = asyncio.Semaphore(READS)

        async def read(pipeline: HevoPipeline) -> None:
            async with free:
                rows = [row async for row in hevo.pipeline(pipeline.id).list_objects()]
            prefix = prefixes.get(pipeline.id, "")
            catalog.tables[pipeline] = [
                HevoTable.of(pipeline, row, prefix) for row in rows if row.is_active
            ]

        wanted = catalog.wanted(pipeline_id, where) or []
        await asyncio.gather(*(read(each) for each in wanted if catalog.tables[each] is None))


def _add(catalog: Catalog, pipeline: Pipeline[PipelineData], prefixes: dict[int, str]) -> None:
    known = HevoPipeline.of(pipeline.data)
    prefixes[known.id] = pipeline.data.destination_prefix or ""
    if not any(each.id == known.id for each in catalog.tables):
        catalog.tables[known] = None


# -- from a file ----------------------------------------------------------------------------------


class _CatalogFile:
    """The file that keeps what was read last; nothing happens where there is no place for it."""

    def __init__(self, path: str | os.PathLike[str] | None, fingerprint: str) -> None:
        home = os.environ.get("DAGSTER_HOME")
        self.path: Path | None = None if path is None else Path(path)
        if path is None and home:
            self.path = Path(home, "hevo_edge", f"{fingerprint}.json")

    def load(self) -> Catalog | None:
        """Return what was saved; None when there is nothing, or it cannot be read."""
        if self.path is None:
            return None
        try:
            return Catalog.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def save(self, catalog: Catalog) -> None:
        """Save a catalog, with what others have saved of other Pipelines."""
        if self.path is None:
            return
        before = self.load()
        ids = {each.id for each, tables in catalog.tables.items() if tables is not None}
        kept = {} if before is None else before.tables
        others = {each: tables for each, tables in kept.items() if each.id not in ids}
        known = {each: tables for each, tables in catalog.tables.items() if each.id in ids}
        whole = catalog.is_whole or (before is not None and before.is_whole)
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(Catalog({**others, **known}, whole).dumps(), encoding="utf-8")
            draft.replace(self.path)
        except OSError as error:
            log.warning("the tables of Hevo's Pipelines cannot be kept in %s: %s", self.path, error)


def _from_file(
    catalog: Catalog,
    file: _CatalogFile,
    error: Exception,
    resource: HevoResource,
    pipeline_id: int | None,
) -> Catalog:
    """Return what a file has, instead of what could not be read."""
    what = "the Pipelines" if pipeline_id is None else f"Pipeline {pipeline_id}"
    reason = str(error) or f"Hevo did not answer within {LOAD_TIMEOUT:g} s"
    message = f"{resource.name}: {what} could not be read: {reason}"
    saved = file.load()
    if saved is not None and saved.wanted(pipeline_id, None) is not None:
        log.warning("%s; the tables are those of %s", message, file.path)
        read = {each: tables for each, tables in catalog.tables.items() if tables is not None}
        ids = {each.id for each in read}
        kept = {each: tables for each, tables in saved.tables.items() if each.id not in ids}
        return Catalog({**kept, **read}, saved.is_whole)
    if isinstance(error, HevoError) and not (isinstance(error, RequestError) and error.transient):
        raise dg.DagsterInvalidDefinitionError(message) from None
    log.error("%s; until the code location is loaded again, there are no assets of it", message)
    return catalog
