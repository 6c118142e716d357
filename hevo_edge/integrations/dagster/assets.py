"""Assets: a table each, of one Pipeline by a decorator, or of all of them."""

# Dagster reads the annotations of what materializes: no `from __future__ import annotations`.

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol

import dagster as dg

from hevo_edge.errors import ConfigurationError
from hevo_edge.integrations.dagster.asset_specs import NO_FAILED_EVENTS, HevoAssets
from hevo_edge.integrations.dagster.options import RunKeywords, RunOptions
from hevo_edge.integrations.dagster.tables import HevoPipeline, HevoTable, given_tables
from hevo_edge.integrations.dagster.translator import HevoTranslator
from hevo_edge.orchestration import validation

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from hevo_edge.integrations.dagster.catalog import Where
    from hevo_edge.integrations.dagster.resource import HevoResource

Subset = Literal["sync", "resync"] | None
Decorator = Callable[[Callable[..., Any]], dg.AssetsDefinition]


def hevo_assets(
    *,
    pipeline_id: int | str,
    resource: "HevoResource | None" = None,
    tables: Iterable[HevoTable | str] | None = None,
    translator: HevoTranslator | None = None,
    subset: Subset = "sync",
    checks: bool = True,
    cache: str | os.PathLike[str] | None = None,
    name: str | None = None,
    retry_policy: dg.RetryPolicy | None = None,
    pool: str | None = None,
    op_tags: Mapping[str, Any] | None = None,
    **options: "Unpack[RunKeywords]",
) -> Decorator:
    """Make assets of the tables that a Pipeline loads, which one run of it materializes::

        @hevo_assets(pipeline_id=123, resource=hevo)
        def orders(context: dg.AssetExecutionContext, hevo: HevoResource) -> Iterator[object]:
            yield from hevo.materialize(context)

    Args:
        pipeline_id: The Pipeline.
        resource: The account, to read the tables from as the code location is loaded.
        tables: The tables instead, by hand: names or paths such as ``"schema.table"``, or
            ``HevoTable`` objects. Then nothing is read.
        translator: How a table becomes an asset.
        subset: What is run when only some of the assets are selected: ``"sync"``, the whole
            Pipeline, as Hevo has no sync of a part; ``"resync"``, the historical load of those
            tables alone; None: they cannot be selected alone.
        checks: Give each table the check ``no_failed_events``.
        cache: A file that keeps the tables for when Hevo is away; None for one in DAGSTER_HOME.
        name: The op's name; ``hevo_pipeline_123`` if it is not given, whatever the function's is.
        retry_policy: Dagster's own; a retry goes on with the run of the attempt before.
        pool: Dagster's own.
        op_tags: Dagster's own.
        **options: Options of the run; ``HevoResource.materialize`` may overrule them.

    Raises:
        DagsterInvalidDefinitionError: naming the argument that is wrong; or the resource, when
            Hevo refuses its key, or has no such Pipeline.
    """
    with named("@hevo_assets"):
        number = validation.pipeline_id(pipeline_id)
        check(subset, options)
        check_kinds(resource, translator)
        if tables is None and resource is None:
            raise ConfigurationError("give resource, to read the tables from, or tables")
        found = [] if tables is None else given_tables(number, tables)
        if tables is None and resource is not None:
            from hevo_edge.integrations.dagster.catalog import load_tables  # noqa: PLC0415 -- heavy

            loaded = load_tables(resource, pipeline_id=number, cache=cache)
            found = [table for of_pipeline in loaded.values() for table in of_pipeline]
        return assets_of(
            number,
            found,
            translator,
            subset,
            options,
            checks=checks,
            name=name,
            retry_policy=retry_policy,
            pool=pool,
            op_tags=op_tags,
        )


def build_hevo_assets_definitions(
    resource: "HevoResource",
    *,
    where: "Where | None" = None,
    resource_key: str = "hevo",
    translator: HevoTranslator | None = None,
    subset: Subset = "sync",
    checks: bool = True,
    cache: str | os.PathLike[str] | None = None,
    retry_policy: dg.RetryPolicy | None = None,
    pool: str | None = None,
    **options: "Unpack[RunKeywords]",
) -> list[dg.AssetsDefinition]:
    """Make the assets of all Pipelines of an account, read as the code location is loaded.

    That takes a call for each hundred Pipelines, and one for each that is wanted and a hundred of
    its tables.

    Args:
        resource: The account.
        where: Says of a Pipeline whether it is wanted: ``lambda pipeline: pipeline.id in {1, 2}``.
        resource_key: What the account is called among the resources of the definitions.
        translator: As in ``hevo_assets``, and so are the others.
        subset: See there.
        checks: See there.
        cache: See there.
        retry_policy: See there.
        pool: See there.
        **options: See there.

    Raises:
        DagsterInvalidDefinitionError: as ``hevo_assets``.
    """
    from hevo_edge.integrations.dagster.catalog import load_tables  # noqa: PLC0415 -- heavy

    def materialize(context: dg.AssetExecutionContext) -> Iterator[Any]:
        hevo: HevoResource = getattr(context.resources, resource_key)
        yield from hevo.materialize(context)

    with named("build_hevo_assets_definitions"):
        check(subset, options)
        check_kinds(resource, translator)
        found = load_tables(resource, where=where, cache=cache)
        return assets_of_all(
            found,
            translator,
            subset,
            options,
            materialize,
            checks=checks,
            retry_policy=retry_policy,
            pool=pool,
            required_resource_keys={resource_key},
        )


class HasAssetSpecs(Protocol):
    """What makes specs of tables: a translator, or a component."""

    def get_asset_spec(self, table: HevoTable) -> dg.AssetSpec:
        """Return the spec of a table's asset."""


def assets_of_all(
    found: Mapping[HevoPipeline, Sequence[HevoTable] | None],
    translator: "HasAssetSpecs | None",
    subset: Subset,
    options: Mapping[str, Any],
    materialize: Callable[..., Any],
    **dagster: Any,
) -> list[dg.AssetsDefinition]:
    """Make the assets of the Pipelines that have tables.

    Raises:
        ConfigurationError: naming two Pipelines whose tables have the same key.
    """
    made, owners = [], dict[dg.AssetKey, int]()
    for pipeline, tables in found.items():
        if tables:
            decorator = assets_of(pipeline.id, tables, translator, subset, options, **dagster)
            made.append(decorator(materialize))
            for key in made[-1].keys:
                owner = owners.setdefault(key, pipeline.id)
                if owner != pipeline.id:
                    raise ConfigurationError(
                        f"Pipelines {owner} and {pipeline.id} both load {key.to_user_string()}: "
                        "tell their assets apart by a translator's get_asset_key, or a "
                        "component's translation"
                    )
    return made


def assets_of(
    pipeline_id: int,
    tables: Iterable[HevoTable],
    translator: "HasAssetSpecs | None",
    subset: Subset,
    options: Mapping[str, Any],
    *,
    checks: bool,
    name: str | None = None,
    **dagster: Any,
) -> Decorator:
    """Return the decorator that makes assets of tables.

    Raises:
        ConfigurationError: when a table cannot be resynced alone, but is to be.
    """
    specs = {table: (translator or HevoTranslator()).get_asset_spec(table) for table in tables}
    kept = HevoAssets(
        pipeline_id,
        {spec.key: table for table, spec in specs.items()},
        RunOptions.check(options),
        subset,
    )
    if subset == "resync" and not all(table.object_id for table in specs):
        raise ConfigurationError(
            "subset='resync' needs the ids of the objects: read the tables from Hevo, or give "
            "HevoTable objects with an object_id"
        )
    return dg.multi_asset(
        name=name or f"hevo_pipeline_{pipeline_id}",
        specs=[kept.spec(spec) for spec in specs.values()],
        check_specs=[
            dg.AssetCheckSpec(
                NO_FAILED_EVENTS,
                asset=key,
                description="The last Job has loaded all of its events.",
            )
            for key in (kept.tables if checks else ())
        ],
        can_subset=subset is not None,
        **dagster,
    )


def check(subset: Any, options: Mapping[str, Any]) -> None:
    """Check what a user gives to a run of assets.

    Raises:
        ConfigurationError: naming what is wrong.
    """
    if subset is not None:
        validation.one_of(subset, "subset", ("sync", "resync"))
    RunOptions.check(options)


def check_kinds(resource: Any, translator: Any) -> None:
    """Check that both are objects of their kinds, if they are given.

    Raises:
        ConfigurationError: naming the argument.
    """
    if resource is not None and not hasattr(resource, "process_config_and_initialize"):
        raise ConfigurationError(f"resource must be a HevoResource, not {resource!r}")
    if isinstance(translator, type) or not hasattr(
        translator or HevoTranslator(), "get_asset_spec"
    ):
        raise ConfigurationError(
            f"translator must be a HevoTranslator, such as HevoTranslator(), not {translator!r}"
        )


@contextmanager
def named(what: str) -> Generator[None, None, None]:
    """Raise what is wrong with an argument as Dagster's error, naming who was given it."""
    try:
        yield
    except ConfigurationError as error:
        raise dg.DagsterInvalidDefinitionError(f"{what}: {error}") from None
