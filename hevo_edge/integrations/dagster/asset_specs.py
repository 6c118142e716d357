"""What an asset's spec keeps of its table and its run: plain JSON, for a step and for a sensor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from hevo_edge.integrations.dagster.options import RunOptions
from hevo_edge.integrations.dagster.tables import HevoPipeline, HevoTable

_PIPELINE, _TABLE, _RUN, _SUBSET = "hevo/pipeline_id", "hevo/table", "hevo/run", "hevo/subset"
NO_FAILED_EVENTS = "no_failed_events"
"""The name of the check that each table has."""


@dataclass(frozen=True)
class HevoAssets:
    """The assets of one Pipeline, as their specs tell.

    Attributes:
        pipeline_id: The Pipeline.
        tables: Their tables, by their keys.
        options: The options of their run.
        subset: ``"sync"`` or ``"resync"``: what is run for a part of them; None for nothing.
    """

    pipeline_id: int
    tables: Mapping[dg.AssetKey, HevoTable]
    options: RunOptions
    subset: str | None

    def spec(self, spec: dg.AssetSpec) -> dg.AssetSpec:
        """Return a spec that keeps what belongs to it."""
        kept: dict[str, Any] = {
            _PIPELINE: self.pipeline_id,
            _TABLE: self.tables[spec.key].to_dict(),
            _RUN: dict(self.options),
            _SUBSET: self.subset,
        }
        metadata = {name: value for name, value in kept.items() if value}
        # What has failed is not materialized, though it was selected.
        return spec.merge_attributes(metadata=metadata).replace_attributes(skippable=True)


def hevo_assets_of(specs: Iterable[dg.AssetSpec]) -> list[HevoAssets]:
    """Return the assets of each Pipeline among specs; those of others are left out."""
    found: dict[int, HevoAssets] = {}
    for spec in specs:
        kept = {name: _raw(value) for name, value in spec.metadata.items()}
        pipeline_id, table = kept.get(_PIPELINE), kept.get(_TABLE)
        if pipeline_id is None or table is None:
            continue
        empty = HevoAssets(pipeline_id, {}, RunOptions(kept.get(_RUN) or {}), kept.get(_SUBSET))
        assets = found.setdefault(pipeline_id, empty)
        read = HevoTable.from_dict(HevoPipeline(pipeline_id), table)
        found[pipeline_id] = HevoAssets(
            pipeline_id, {**assets.tables, spec.key: read}, assets.options, assets.subset
        )
    return list(found.values())


def _raw(value: Any) -> Any:
    return value.value if isinstance(value, dg.MetadataValue) else value
