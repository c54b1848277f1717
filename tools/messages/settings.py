"""Problems of settings, modules and stack configs, one for each rule."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from streaming_etl import (
    BackfillArgs,
    ForwarderArgs,
    IamArgs,
    LakeArgs,
    MergeArgs,
    PartitionArgs,
    SettingsError,
    SourceArgs,
    StreamingEtlPipelineArgs,
    TransformArgs,
)
from streaming_etl.components.packaging.dependencies import Lock, Target, read_lock
from streaming_etl.components.settings.lake_table import LakeTableArgs
from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE
from streaming_etl.components.settings.names import own_name_problems, pipeline_name_problems
from streaming_etl.components.settings.stack_config import read_stack, settings_from_config
from streaming_etl.components.settings.validation import invalid, known_value, raise_if_any
from streaming_etl.components.stack_pipelines import conflicts, name_conflicts
from streaming_etl.components.stages.source import find_stream
from streaming_etl.components.table.column_types import Column, ColumnTypeError, parse_type
from streaming_etl.components.table.declared_columns import AttributeSource
from streaming_etl.components.table.lake_table import plan_lake_table
from streaming_etl.components.table.layout import name_problems
from streaming_etl.components.table.transform_code import import_problems, read_transform_code
from streaming_etl.components.table.transform_module import TransformModule, read_transform_module

ROLE = "arn:aws:iam::123456789012:role/etl"
STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/other/stream/2026"
PARAMETER = "arn:aws:ssm:us-east-1:123456789012:parameter/key"
ORDERS = {"table_name": "orders", "transform_module": "orders.py", "partitions": {}}
LAKE_TABLE = {"transform_module": "orders.py", "partitions": {}}
TRANSFORM = "def transform(change):\n    return change.new\n"
NESTED = Column("parts", {"array": "string"})

PATTERNS = [
    '{"source": ["aws:dynamodb"], "eventName": "INSERT"}',
    '{"dynamodb": {"Keys": {"id": ["a"], "sort": {"N": [5]}}}}',
    '{"eventName": ["' + "x" * 4096 + '"]}',
]

WHERE = {
    "": [1],
    "a": 5,
    "b": {"suffix": "x"},
    "c": {"prefix": ""},
    "d": [],
    "e": [None],
    "f": ["2026-11-23 00:00:00 +0000 UTC"],
}

# A table's own settings, and the defaults of the stack.
CONFIGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"fromat": "csv", "zzz": 1, "partitions": {"since_year": 2020, "layout": "dt"}}, {}),
    ({"format": "avro", "table_name": "my orders", "lake": {"versioning": "no"}}, {}),
    ({"forwarder": {"batch_size": 20_000, "event_names": [], "filter_patterns": ["[]"]}}, {}),
    ({"tags": {"aws:team": "a", "": "b", "Cost": "1", "cost": "2"}}, {}),
    ({"tags": {f"tag-{number}": "" for number in range(50)}}, {}),
    ({"partitions": {"time_zone": "JST", "dynamic_partition_keys": {"Store": []}}}, {}),
    ({"partitions": {"dynamic_partition_keys": {"store": ["a:b"]}}}, {}),
    ({"partitions": {"time_zone": "Etc/GMT+9", "layout": "date", "granularity": "month"}}, {}),
    ({"lake": {"data_retention_days": 30}}, {}),
    ({"query": {"current_state_source": "merged"}}, {}),
    (
        {
            "merge": {"enabled": True, "change_log_retention_days": 90},
            "query": {"current_state_source": "objects"},
            "partitions": {"dynamic_partition_keys": {"store": []}},
        },
        {},
    ),
    ({"runtime": "python3.15"}, {}),
    ({"forwarder": {"event_names": ["INSERT"], "filter_patterns": PATTERNS}}, {}),
    ({"forwarder": {"filter_patterns": ['{"dynamodb": {"NewImage": {"n": {"N": ["5"]}}}}']}}, {}),
    ({"lake": {"bucket_name": "s3://lake"}, "tags": {"team": "a;b"}}, {}),
    ({"catalog": "crawler", "crawler_schedule": "cron(61 * * * ? *)"}, {}),
    ({"catalog": "crawler", "crawler_schedule": "cron(10 * * * * *)"}, {}),
    ({"catalog": "crawler"}, {"crawler_schedule": "cron(0/2 * * * ? *)"}),
    ({"source": {"hash_key": "k" * 256}}, {}),
    ({"source": {"range_key": "id", "read_capacity": 5}}, {}),
    ({"format": "parquet", "delivery": {"compression": "GZIP"}}, {"delivery": {"buffer_mib": 5}}),
    ({"forwarder": {"max_record_kib": 1000}}, {"transform": {"buffer_mib": 0.5}}),
    ({}, {"table_name": "orders"}),
    ({"where": WHERE}, {}),
    ({"transform": {"environment": {"A": "", "TZ": 9, "AWS_REGION": "", "LONG": "x" * 4096}}}, {}),
    ({"transform": {"environment": {"LONG": "x" * 4096}, "secrets": ["API_KEY"]}}, {}),
    ({"transform": {"environment": {"LONG": "x" * 4096}}}, {}),
    ({"transform": {"environment": {"KEY": "a"}, "secrets": {"KEY": PARAMETER}}}, {}),
    ({"transform": {"secrets": {"KEY": PARAMETER, "SALT": PARAMETER, "PIN": "1234"}}}, {}),
    ({"lake_tables": {"Shop": LAKE_TABLE, "shop": LAKE_TABLE}}, {}),
    ({"forwarder": {"unmatched": "fail"}}, {}),
    ({"iam": {"role_path": "team", "role_arns": {"transform": "etl"}}}, {}),
    ({"iam": {"role_arns": {"firehose": ROLE}}}, {}),
    ({"source": {"use_existing": True, "stream_arn": STREAM}}, {}),
]
MODULES = [
    "def transform(change:\n",
    "async def transform(change):\n    return []\n",
    "def transform():\n    return []\n",
    "def transform(change):\n    row = dict(change.new)\n",
    "def transform(change):\n    yield change.new\n",
    f"COLUMNS = dict(id='string')\n{TRANSFORM}",
    f"COLUMNS = {{}}\n{TRANSFORM}",
    "COLUMNS = {'ID': 'string', '_op': 'string', 'id': 'string', 'id': 'text'}\n",
    "",
    "COLUMNS = {'id': {'type': 'string', 'from': 'a'}}\n",
    "COLUMNS = {'id': {'type': 'string', 'path': 'a..b', 'unit': 'days'}}\n",
    f"COLUMNS = {{'id': {{'type': 'string', 'path': 'a'}}}}\n{TRANSFORM}",
    f"FIELD_IDS = dict(id=100)\n{TRANSFORM}",
    "COLUMNS = {'id': 'string'}\nFIELD_IDS = {'ID': 100, 'a.b': 100001}\n",
    "COLUMNS = {'id': 'string'}\nFIELD_IDS = {'id': 99, 'id': 100, 'total': 100}\n",
]
TYPES = [
    "",
    "array",
    "int int",
    "Int",
    "uuid",
    "varchar",
    "map<int,int>",
    "decimal()",
    "decimal(39)",
    "struct<1:int>",
    "struct<a:int,a:int>",
]


def args(**settings: Any) -> StreamingEtlPipelineArgs:
    return StreamingEtlPipelineArgs(
        **{"table_name": "orders", "transform_module": "orders.py", **settings}
    )


def config_errors() -> Iterator[Callable[[], object]]:
    """Calls that raise the problems of a stack's config."""
    yield lambda: settings_from_config(None)
    yield lambda: settings_from_config({"orders": {}})
    for table, defaults in CONFIGS:
        tables = {"orders": {**ORDERS, **table}, "shop": {**ORDERS, **table}}
        yield lambda tables=tables, defaults=defaults: settings_from_config(tables, defaults)
    tables = {"orders": {**ORDERS, "database_name": "lake"}}
    configs, _ = read_stack({**tables, "shop": tables["orders"]}, None)
    yield lambda configs=configs: raise_if_any(conflicts(configs))
    renamed = {"orders": ORDERS, "shop": {**ORDERS, "renamed_from": "orders"}}
    yield lambda: raise_if_any(name_conflicts(read_stack(renamed, None)[0]))
    several = {"table_name": "orders", "lake_tables": {"shop": LAKE_TABLE}}
    prefixes = {"orders": several, "orders-shop": ORDERS}
    yield lambda: raise_if_any(name_conflicts(read_stack(prefixes, None)[0]))
    reader = {**ORDERS, "source": {"use_existing": True}}
    configs, _ = read_stack({"a": reader, "b": reader, "c": reader}, None)
    yield lambda configs=configs: raise_if_any(conflicts(configs))
    yield view_conflict
    # Of outputs, which only a running program has.
    yield lambda: raise_if_any([invalid("table_name", None, "table-of-program")])
    # Of arguments in another language.
    yield lambda: raise_if_any([known_value("format"), invalid("format", None, "two-names")])


def view_conflict() -> None:
    """A lake table with the name of another pipeline's view."""
    Path("view.py").write_text(f"COLUMNS = {{'id': 'string'}}\n{TRANSFORM}")
    shared = {**ORDERS, "transform_module": "view.py", "database_name": "lake"}
    tables = {"orders": shared, "shop": {**shared, "glue_table_name": "orders_current"}}
    raise_if_any(
        problem
        for problem in conflicts(read_stack(tables, None)[0])
        if problem.rule == "lake-table-is-derived"
    )


def pipeline_errors() -> Iterator[Callable[[], object]]:
    """Calls that raise the problems of one pipeline."""
    day = PartitionArgs()
    keys = PartitionArgs(
        dynamic_partition_keys={f"key_{number}": ["v" * 60] for number in range(7)}
    )
    yield lambda: ForwarderArgs(event_names=["INSERT", "INSERT"])
    yield lambda: raise_if_any(pipeline_name_problems("My_Orders"))
    yield lambda: raise_if_any(pipeline_name_problems("a" * 36))
    renamed = args(partitions=day, renamed_from="shop")
    yield lambda: raise_if_any(own_name_problems("shop", renamed.former_names))
    yield lambda: raise_if_any(name_problems("a" * 30, args(partitions=keys)))
    several = StreamingEtlPipelineArgs(
        table_name="orders",
        lake_tables={"shop": LakeTableArgs(transform_module="orders.py", partitions=day)},
    )
    yield lambda: raise_if_any(name_problems("a" * 32, several))
    shared = replace(
        several,
        database_name="d" * 240,
        lake_tables={f"t{number}": several.lake_tables["shop"] for number in range(20)},
    )
    yield lambda: raise_if_any(name_problems("shop", shared))
    prefixed = args(partitions=day, iam=IamArgs(role_name_prefix="acme-analytics-"))
    yield lambda: raise_if_any(name_problems("a" * 35, prefixed))
    for columns, settings in (
        (None, {"format": "csv"}),
        (None, {"merge": MergeArgs(enabled=True)}),
        ((Column("day", "string"), NESTED), {"format": "csv"}),
    ):
        module = TransformModule("orders.py", columns, pure=True)
        pipeline = args(partitions=day, **settings).tables[ONLY_LAKE_TABLE]
        yield lambda module=module, pipeline=pipeline: plan_lake_table("orders", pipeline, module)
    columns = (Column("store", "int"),)
    module = TransformModule("orders.py", columns, True, {"store": AttributeSource(("s",))})
    stores = PartitionArgs(dynamic_partition_keys={"store": []})
    only = args(
        partitions=stores,
        transform=TransformArgs(requirements="lock.txt", secrets={"KEY": PARAMETER}),
    )
    yield lambda: plan_lake_table("orders", only.tables[ONLY_LAKE_TABLE], module)
    lake = LakeArgs(kms_key_arn="arn:aws:kms:us-east-1:123456789012:key/a-1")
    other = args(partitions=day, lake=lake)
    yield lambda: raise_if_any(other.region_problems("eu-west-1"))
    for enabled, view in ((False, ""), (True, "KEYS_ONLY"), (True, "NEW_IMAGE")):
        yield lambda enabled=enabled, view=view: find_existing(enabled, view, "always")
    where = {"id": [5], "type": ["order"]}
    yield lambda: find_existing(True, "NEW_IMAGE", "never", where)
    yield lambda: find_existing(True, "NEW_IMAGE", "never", on_create=True)


def find_existing(
    enabled: bool,
    view: str,
    old_image: str,
    where: dict[str, Any] | None = None,
    on_create: bool = False,
) -> None:
    """Read an existing table with this stream."""
    table = SimpleNamespace(
        stream_enabled=enabled,
        stream_arn="arn",
        stream_view_type=view,
        attributes=[SimpleNamespace(name="id", type="S")],
        hash_key="id",
        range_key="",
        point_in_time_recovery=SimpleNamespace(enabled=False),
    )
    settings = args(
        partitions=PartitionArgs(),
        backfill=BackfillArgs(enabled=on_create, on_create=on_create),
        forwarder=ForwarderArgs(old_image=old_image),
        source=SourceArgs(use_existing=True),
    )
    with mock.patch("pulumi_aws.dynamodb.get_table", return_value=table):
        find_stream(replace(settings, where=where or {}), None)  # type: ignore[arg-type]


def module_errors() -> Iterator[Callable[[], object]]:
    """Calls that raise the problems of transform modules."""
    yield lambda: read_transform_module("orders.py")
    for number, text in enumerate(MODULES):
        file = Path(f"module{number}.py")
        file.write_text(text)
        yield lambda file=file: read_transform_module(str(file))
    Path("imports.py").write_text(f"import yaml, money\n\n\n{TRANSFORM}")
    Path("money.py").write_text("")
    yield lambda: raise_if_any(import_problems(read_transform_code("imports.py"), ["money.py"]))
    Path("empty").mkdir()
    yield lambda: read_transform_module("empty")
    for folder in ("json", "linked"):
        Path(folder).mkdir()
        Path(folder, "__init__.py").write_text(TRANSFORM)
        yield lambda folder=folder: read_transform_module(folder)
    Path("linked", "link").symlink_to("nothing")


def package_errors() -> Iterator[Callable[[], object]]:
    """Calls that raise the problems of lock files."""
    yield lambda: read_lock(Path("missing.txt"), "missing.txt")
    for content in (b"\xff", b"# nothing\n", b"numpy>=2\n"):
        path = f"lock{content[0]}.txt"
        Path(path).write_bytes(content)
        yield lambda path=path: read_lock(Path(path), path)
    target = Target.lambda_("python3.13", "arm64").name
    size: dict[str, Any] = {"kind": "unzipped", "limit": 250_000_000, "size": 300_000_000}
    own = {**size, "packages": 9_000_000, "largest": ("shared/cities.csv with 300,000,000",)}
    code_size = invalid("transform_module", "orders.py", "code-too-large", **own)
    yield lambda: raise_if_any([code_size])
    for rule, details in {
        "packages-not-installable": {"target": target, "reason": "no wheel"},
        "packages-conflict": {"packages": ("a==1", "b==1"), "file": "shared.py"},
        "package-reserved-file": {"package": "a==1", "file": "streaming_etl/x.py"},
        "packages-too-large": {"target": target, "largest": ("a==1", "b==1"), **size},
    }.items():
        yield partial(raise_if_any, Lock("lock.txt", "").problem(rule, **details).problems)
    yield lambda: raise_if_any([invalid("cache", "/cache", "not-writable", reason="read-only")])


def messages() -> dict[str, str]:
    """The first problem of every rule, and reasons of invalid column types."""
    texts: dict[str, str] = {}
    with (
        tempfile.TemporaryDirectory() as directory,
        contextlib.chdir(directory),
        mock.patch("pulumi.get_stack", return_value="s" * 99),
    ):
        for call in (*config_errors(), *pipeline_errors(), *module_errors(), *package_errors()):
            try:
                call()
            except SettingsError as error:
                for problem in error.problems:
                    text = str(problem).replace(str(Path.cwd()), "DIRECTORY")
                    texts.setdefault(problem.rule, text)
                if len(error.problems) > 1:
                    texts.setdefault("all-problems", str(error))
    for text in TYPES:
        try:
            parse_type(text)
        except ColumnTypeError as error:
            texts[f"column-type: {error.rule}"] = str(error)
    return texts
