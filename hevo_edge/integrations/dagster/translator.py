"""How a table of Hevo's becomes an asset; made to be subclassed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg

from hevo_edge.integrations.dagster.tables import HevoTable


class HevoTranslator:
    """How a table of Hevo's becomes an asset: override what should be otherwise."""

    def get_asset_key(self, table: HevoTable) -> dg.AssetKey:
        """Return its key: where it is in the Destination, database, schema and table."""
        return dg.AssetKey(list(table.destination or (table.name,)))

    def get_group_name(self, table: HevoTable) -> str | None:
        """Return its group: the Pipeline's name."""
        name = table.pipeline.name or f"pipeline_{table.pipeline.id}"
        return re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower() or None

    def get_kinds(self, table: HevoTable) -> set[str]:
        """Return its kinds: hevo, and the type of the Destination."""
        destination = re.sub(r"\W+", "", table.pipeline.destination_type or "").lower()
        return {"hevo", destination} - {""}

    def get_deps(self, table: HevoTable) -> Iterable[dg.CoercibleToAssetDep]:
        """Return what it depends on: nothing, as who knows the keys of your sources."""
        return ()

    def get_tags(self, table: HevoTable) -> Mapping[str, str]:
        """Return its tags: none."""
        return {}

    def get_owners(self, table: HevoTable) -> Iterable[str]:
        """Return its owners: none."""
        return ()

    def get_description(self, table: HevoTable) -> str | None:
        """Return its description: which Pipeline loads it, and from where."""
        pipeline = f"Pipeline {table.pipeline.id}"
        if table.pipeline.name:
            pipeline = f"{pipeline} ({table.pipeline.name})"
        source = f", from {'.'.join(table.source)}" if table.source else ""
        return f"Loaded by Hevo Edge, {pipeline}{source}."

    def get_metadata(self, table: HevoTable) -> Mapping[str, Any]:
        """Return its metadata: its name in the Destination, and in the source."""
        paths = {"dagster/table_name": table.destination, "hevo/source": table.source}
        return {name: ".".join(path) for name, path in paths.items() if path}

    def get_asset_spec(self, table: HevoTable) -> dg.AssetSpec:
        """Return its spec, made of what the other methods return."""
        return dg.AssetSpec(
            self.get_asset_key(table),
            description=self.get_description(table),
            group_name=self.get_group_name(table),
            kinds=set(self.get_kinds(table)),
            deps=list(self.get_deps(table)),
            tags=dict(self.get_tags(table)),
            owners=list(self.get_owners(table)),
            metadata=dict(self.get_metadata(table)),
        )
