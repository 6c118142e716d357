"""A Component: an account's Pipelines as assets, by YAML."""
# Components are made of annotations as they stand: no `from __future__ import annotations`.

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import dagster as dg
import pydantic
from dagster._utils.env import using_dagster_dev
from dagster.components.component_scaffolding import scaffold_component
from dagster.components.resolved.base import resolve_fields
from dagster.components.utils.defs_state import (
    DefsStateConfig,
    DefsStateConfigArgs,
    ResolvedDefsStateConfig,
)
from dagster.components.utils.translation import TranslationFn, TranslationFnResolver
from dagster_shared.serdes.objects.models.defs_state_info import DefsStateManagementType

from hevo_edge.errors import RequestError
from hevo_edge.integrations.dagster.assets import assets_of_all, check, named
from hevo_edge.integrations.dagster.options import RunOptions
from hevo_edge.integrations.dagster.resource import HevoResource
from hevo_edge.integrations.dagster.sensor import build_hevo_sensor
from hevo_edge.integrations.dagster.tables import HevoPipeline, HevoTable
from hevo_edge.integrations.dagster.translator import HevoTranslator
from hevo_edge.orchestration import get_logger

if TYPE_CHECKING:
    from hevo_edge.integrations.dagster.catalog import Catalog

log: logging.Logger = get_logger("hevo_edge.integrations.dagster")


class HevoAccountScaffolder(dg.Scaffolder[Any]):
    """Writes a ``defs.yaml`` that takes the keys from the environment."""

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        """Write it."""
        account = {
            "api_key": "{{ env.HEVO_API_KEY }}",
            "api_secret": "{{ env.HEVO_API_SECRET }}",
            "region": "us",
        }
        scaffold_component(request, {"account": account})


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _left_in(path: Path) -> str:
    return "its assets are those of the last time" if path.exists() else "it has no assets yet"


def _account(context: dg.ResolutionContext, model: Any) -> HevoResource:
    resource: Any = HevoResource
    return HevoResource(**resolve_fields(model, resource, context))


def _options(context: dg.ResolutionContext, given: Any) -> dict[str, Any]:
    # An error that a resolver raises names the file and the line.
    return RunOptions.check(context.resolve_value(given))


@dg.scaffold_with(HevoAccountScaffolder)
class HevoAccountComponent(dg.StateBackedComponent, dg.Model, dg.Resolvable):
    """The tables that an account's Pipelines load, as assets that run them.

    What is read of Hevo is kept as the component's state: names and ids, and no secret.
    """

    account: Annotated[HevoResource, dg.Resolver(_account)]
    pipeline_ids: list[int] | None = pydantic.Field(
        default=None, description="These Pipelines alone; all of the account if it is not given."
    )
    options: Annotated[dict[str, Any], dg.Resolver(_options, model_field_type=dict[str, Any])] = (
        pydantic.Field(
            default={}, description="Options of the runs, such as if_running and timeout."
        )
    )
    subset: Literal["sync", "resync"] | None = pydantic.Field(
        default="sync", description="What is run when only some tables of a Pipeline are selected."
    )
    checks: bool = pydantic.Field(
        default=True, description="Give each table the check no_failed_events."
    )
    sensor: bool = pydantic.Field(
        default=False, description="Report the Jobs that Hevo's own schedule has run."
    )
    resource_key: str = pydantic.Field(
        default="hevo", description="The name of the account's resource; one for each account."
    )
    translation: (
        Annotated[
            TranslationFn[HevoTable],
            TranslationFnResolver(template_vars_for_translation_fn=lambda table: {"table": table}),
        ]
        | None
    ) = pydantic.Field(default=None, description="What the assets have besides: key, group, tags.")
    defs_state: ResolvedDefsStateConfig = DefsStateConfigArgs.local_filesystem()

    @property
    def defs_state_config(self) -> DefsStateConfig:
        """Where the state is kept."""
        key = f"{type(self).__name__}[{self.account.base_url or self.account.region}]"
        return DefsStateConfig.from_args(self.defs_state, default_key=key)

    def get_asset_spec(self, table: HevoTable) -> dg.AssetSpec:
        """Return the spec of a table's asset; for subclasses to override."""
        spec = HevoTranslator().get_asset_spec(table)
        return spec if self.translation is None else self.translation(spec, table)

    def execute(self, context: dg.AssetExecutionContext, hevo: HevoResource) -> Iterator[Any]:
        """Run a Pipeline and yield what came of it; for subclasses to override."""
        yield from hevo.materialize(context)

    def is_wanted(self, pipeline: HevoPipeline) -> bool:
        """Say whether a Pipeline is to have assets; for subclasses to override."""
        return self.pipeline_ids is None or pipeline.id in self.pipeline_ids

    async def write_state_to_path(self, state_path: Path) -> None:
        """Read the account, and write what is needed of it; in ``dg dev`` Hevo may be away."""
        from hevo_edge.integrations.dagster.catalog import read_catalog  # noqa: PLC0415 -- heavy

        try:
            with named(type(self).__name__):
                catalog = await read_catalog(self.account, self.is_wanted)
        except RequestError as error:
            kept = self.defs_state_config.management_type
            may_fail = using_dagster_dev() and kept is DefsStateManagementType.LOCAL_FILESYSTEM
            if not (error.transient and may_fail):
                raise
            left = _left_in(state_path)
            log.warning("%s could not be read, so %s: %s", self.account.name, left, error)
        else:
            self._check_pipelines(catalog)
            _write(state_path, catalog.dumps())

    def _check_pipelines(self, catalog: "Catalog") -> None:
        missing = set(self.pipeline_ids or ()) - {each.id for each in catalog.tables}
        if missing:
            ids = ", ".join(str(each) for each in sorted(missing))
            raise dg.DagsterInvalidDefinitionError(
                f"{type(self).__name__}: {self.account.name} has no Pipeline {ids}"
            )
        for each in catalog.wanted(None, self.is_wanted) or ():
            if catalog.tables[each] is None:
                log.error(
                    "%s: the tables of Pipeline %s were not read yet, so it has no assets: "
                    "dg utils refresh-defs-state reads them",
                    self.account.name,
                    each.id,
                )

    def build_defs_from_state(
        self, context: dg.ComponentLoadContext, state_path: Path | None
    ) -> dg.Definitions:
        """Make the definitions of what was read; none before anything was."""
        from hevo_edge.integrations.dagster.catalog import Catalog  # noqa: PLC0415 -- heavy

        with named(type(self).__name__):
            check(self.subset, self.options)
        if state_path is None:
            return dg.Definitions()

        def materialize(context: dg.AssetExecutionContext) -> Iterator[Any]:
            yield from self.execute(context, getattr(context.resources, self.resource_key))

        catalog = Catalog.loads(state_path.read_text(encoding="utf-8"))
        self._check_pipelines(catalog)
        wanted = catalog.wanted(None, self.is_wanted) or ()
        with named(type(self).__name__):
            assets = assets_of_all(
                {pipeline: catalog.tables[pipeline] for pipeline in wanted},
                self,
                self.subset,
                self.options,
                materialize,
                checks=self.checks,
                required_resource_keys={self.resource_key},
            )
        name = f"{self.resource_key}_jobs"
        sensor = build_hevo_sensor(assets, resource_key=self.resource_key, name=name)
        return dg.Definitions(
            assets=assets,
            sensors=[sensor] if self.sensor else [],
            resources={self.resource_key: self.account},
        )
