"""Graphs of a minimal pipeline and its variations, and problems.

The pipeline is `shop` and its table `orders`, so that names differ by their origin.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pulumi
import pytest

from streaming_etl import (
    BackfillArgs,
    DeliveryArgs,
    ForwarderArgs,
    LakeArgs,
    LakeTableArgs,
    LakeTableQueryArgs,
    MergeArgs,
    MonitoringArgs,
    PartitionArgs,
    SettingsError,
    StreamingEtlPipeline,
    StreamingEtlPipelineArgs,
    TransformArgs,
)
from streaming_etl.components.pipeline import plain_data
from streaming_etl.components.settings.validation import Problem
from streaming_etl.stack.config import read_config
from streaming_etl.stack.program import program_graph
from streaming_etl.stack.recorder import ACCOUNT_ID, REGION, Graph, build
from tools.project import ROOT

TRANSFORM = "def transform(change):\n    return change.new\n"
TYPED = (
    'COLUMNS = {"id": "string", "total": "decimal(10,2)", "created": "timestamp"}\n\n\n' + TRANSFORM
)

Tables = dict[str, dict[str, Any]]


def existing_table(view: str | None = "NEW_AND_OLD_IMAGES", name: str = "orders") -> Tables:
    """AWS's description of an existing table; without `view` it has no stream."""
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/{name}"
    described: dict[str, Any] = {"name": name, "arn": arn, "streamEnabled": view is not None}
    described["pointInTimeRecovery"] = {"enabled": True, "recoveryPeriodInDays": 35}
    # With a key that AWS owns.
    described["serverSideEncryption"] = {"enabled": False, "kmsKeyArn": ""}
    if view is not None:
        stream = f"{arn}/stream/2020-02-02T02:02:02.000"
        described |= {"streamArn": stream, "streamViewType": view}
    return {name: described}


@dataclass
class Pipelines:
    """Builder of pipelines, each once per session; `folder` has their modules."""

    folder: Path
    built: dict[str, Graph] = field(default_factory=dict)

    def module(self, text: str = TYPED, name: str = "shop.py") -> str:
        """The path of a transform module with this text."""
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        path = self.folder / digest / "modules" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    def args(
        self, module: str = TYPED, module_name: str = "shop.py", **settings: Any
    ) -> StreamingEtlPipelineArgs:
        """The required settings, and `settings`."""
        required = {
            "table_name": "orders",
            "transform_module": self.module(module, module_name),
            "partitions": PartitionArgs(),
        }
        return StreamingEtlPipelineArgs(**{**required, **settings})

    def lake_tables(self, **tables: Mapping[str, Any]) -> dict[str, Any]:
        """Settings with these lake tables; `_` is `-` in their names."""
        made = {
            name.replace("_", "-"): LakeTableArgs(
                **{"transform_module": self.module(), "partitions": PartitionArgs(), **settings}
            )
            for name, settings in tables.items()
        }
        return {"transform_module": None, "partitions": None, "lake_tables": made}

    def build(
        self,
        name: str = "shop",
        *,
        tables: Tables | None = None,
        preview: bool = False,
        **settings: Any,
    ) -> Graph:
        """The graph of one pipeline, with its outputs exported as `pipeline`."""
        # The values of environment and secrets are not in the text of TransformArgs.
        key = repr(plain_data((name, tables, preview, settings)))
        if key not in self.built:

            def program() -> None:
                pipeline = StreamingEtlPipeline(name, self.args(**settings))
                pulumi.export("pipeline", pipeline.outputs)

            self.built[key] = build(program, preview=preview, tables=tables)
        return self.built[key]

    def problems(
        self, name: str = "shop", *, tables: Tables | None = None, **settings: Any
    ) -> list[Problem]:
        """Problems of an invalid pipeline, which creates no resource."""
        graph = Graph()
        with pytest.raises(SettingsError) as error:
            build(
                lambda: StreamingEtlPipeline(name, self.args(**settings)),
                tables=tables,
                into=graph,
            )
        # The stage of an existing table is registered before the table is read; it is no resource.
        assert [node.name for node in graph.nodes if node.custom or tables is None] == []
        return error.value.problems


def several_lake_tables(pipelines: Pipelines, **settings: Any) -> dict[str, Any]:
    """Settings with three lake tables of different formats, and all stages.

    The name of one begins that of another one and of a resource.
    """
    tables = pipelines.lake_tables(
        orders={"where": {"sk": {"prefix": "ORDER#"}}},
        orders_catalog={
            "where": {"type": ["customer", 5], "vip": [True]},
            "format": "parquet",
            "catalog": "crawler",
            "partitions": PartitionArgs(dynamic_partition_keys={"kind": ["a"]}),
            "query": LakeTableQueryArgs(saved_queries=True),
            "transform": TransformArgs(memory_mib=1024),
        },
        items={
            "where": {"type": ["item"]},
            "format": "csv",
            "delivery": DeliveryArgs(buffer_seconds=300),
        },
    )
    return {
        **tables,
        "table_name": "shop",
        "backfill": BackfillArgs(enabled=True, on_create=True),
        "monitoring": MonitoringArgs(alarms="all"),
        **settings,
    }


KEY = f"arn:aws:kms:{REGION}:{ACCOUNT_ID}:key/k"


def every_resource(pipelines: Pipelines, **settings: Any) -> dict[str, Any]:
    """Settings of a pipeline with resources of every type."""
    tables = pipelines.lake_tables(
        merged={"merge": MergeArgs(enabled=True), "query": LakeTableQueryArgs(saved_queries=True)},
        crawled={
            "where": {"kind": ["a"]},
            "format": "parquet",
            "catalog": "crawler",
            "partitions": PartitionArgs(dynamic_partition_keys={"kind": ["a"]}),
        },
    )
    pattern = '{"dynamodb": {"Keys": {"id": {"S": [{"prefix": "a"}]}}}}'
    return {
        **tables,
        "kms_key_arn": KEY,
        "forwarder": ForwarderArgs(filter_patterns=[pattern]),
        "lake": LakeArgs(access_log_bucket="logs"),
        "backfill": BackfillArgs(enabled=True, on_create=True),
        "monitoring": MonitoringArgs(alarms="all", alarm_emails=["a@example.com"]),
        **settings,
    }


def dev_config() -> dict[str, str]:
    """The config of Pulumi.dev.yaml as Pulumi passes it to the program."""
    return dict(read_config(ROOT, "dev").values)


@cache
def dev_stack() -> Graph:
    """The graph of the example stack."""
    return program_graph(dev_config())
