"""Settings of all functions, on the function of each stage.

Does not prove that AWS accepts the permissions of the network interfaces.
"""

from typing import Any

import pulumi
import pytest

from streaming_etl import (
    BackfillArgs,
    ForwarderArgs,
    FunctionsArgs,
    StreamingEtlPipeline,
    TransformArgs,
)
from streaming_etl.stack.recorder import Graph, build
from tests.components.test_graph_rules import NETWORK_ACTIONS
from tests.support.pipelines import Pipelines, several_lake_tables
from tests.support.problems import places, problems_of

FUNCTIONS = ["backfill", "forwarder", "items-transform", "orders-catalog-transform"]
FUNCTIONS += ["orders-transform"]
LAYER = "arn:aws:lambda:ap-northeast-1:123456789012:layer:shared:3"
VPC = {"subnet_ids": ["subnet-1a", "subnet-2b"], "security_group_ids": ["sg-1a"]}


def built(pipelines: Pipelines, **settings: Any) -> Graph:
    """A pipeline with a backfill and three lake tables."""
    functions = FunctionsArgs(**settings)
    return pipelines.build(**several_lake_tables(pipelines, functions=functions))


def inputs(graph: Graph, key: str, suffix: str = "function") -> dict[str, Any]:
    """One input of every function, or of every log group."""
    return {name: graph[f"shop-{name}-{suffix}"].inputs.get(key) for name in FUNCTIONS}


def everywhere(value: Any) -> dict[str, Any]:
    return dict.fromkeys(FUNCTIONS, value)


@pytest.fixture(scope="module")
def in_vpc(pipelines: Pipelines) -> Graph:
    return built(pipelines, **VPC)


def test_every_function_of_the_graph_is_tested(in_vpc: Graph) -> None:
    names = {node.name for node in in_vpc.of("Function")}
    assert names == {f"shop-{name}-function" for name in FUNCTIONS}


def test_functions_run_in_the_subnets_with_the_security_groups(in_vpc: Graph) -> None:
    groups = {"subnetIds": VPC["subnet_ids"], "securityGroupIds": VPC["security_group_ids"]}
    assert inputs(in_vpc, "vpcConfig") == everywhere(groups)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_only_lambda_manages_network_interfaces_not_the_function(in_vpc: Graph, name: str) -> None:
    allow, deny = in_vpc[f"shop-{name}-vpc-policy"].policy()["Statement"]
    assert (allow["Effect"], allow["Resource"], set(allow["Action"])) == (
        "Allow",
        ["*"],
        NETWORK_ACTIONS,
    )
    assert (deny["Effect"], deny["Resource"], set(deny["Action"])) == (
        "Deny",
        ["*"],
        NETWORK_ACTIONS,
    )
    assert deny["Condition"] == {
        "ArnLike": {
            "lambda:SourceFunctionArn": "arn:aws:lambda:ap-northeast-1:123456789012:function:*"
        }
    }


@pytest.mark.parametrize("name", FUNCTIONS)
def test_lambda_has_the_permissions_when_it_creates_the_function(in_vpc: Graph, name: str) -> None:
    function, policy = in_vpc[f"shop-{name}-function"], in_vpc[f"shop-{name}-vpc-policy"]
    assert policy.inputs["role"] == f"shop-{name}-role-0000000"
    assert policy.name in {urn.rpartition("::")[2] for urn in function.depends_on}


def test_subnets_and_groups_may_be_outputs(pipelines: Pipelines) -> None:
    def program() -> None:
        functions = FunctionsArgs(
            subnet_ids=pulumi.Output.from_input(["subnet-1a"]),
            security_group_ids=[pulumi.Output.from_input("sg-1a"), "sg-2b"],
        )
        args = pipelines.args(functions=functions)
        pulumi.export("pipeline", StreamingEtlPipeline("shop", args).outputs)

    graph = build(program)
    assert graph["shop-forwarder-function"].inputs["vpcConfig"] == {
        "subnetIds": ["subnet-1a"],
        "securityGroupIds": ["sg-1a", "sg-2b"],
    }
    settings = graph.exports["pipeline"]["settings"]["functions"]
    assert settings["subnet_ids"] == ["subnet-1a"]
    assert settings["security_group_ids"] == ["sg-1a", "sg-2b"]


def test_rejects_an_output_without_its_counterpart() -> None:
    problems = problems_of(FunctionsArgs, subnet_ids=pulumi.Output.from_input(["subnet-1a"]))
    assert places(problems) == [("", "subnet_ids", "both-or-none")]


def test_traced_functions_send_traces(pipelines: Pipelines) -> None:
    graph = built(pipelines, tracing=True)
    assert inputs(graph, "tracingConfig") == everywhere({"mode": "Active"})
    for name in FUNCTIONS:
        [allow] = graph[f"shop-{name}-tracing-policy"].policy()["Statement"]
        assert allow["Action"] == ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]


LEVELS = {
    None: ("INFO", "INFO"),
    "debug": ("DEBUG", "DEBUG"),
    "info": ("INFO", "INFO"),
    # Lambda would filter lines with metrics at a higher level.
    "warning": ("INFO", "WARN"),
    "error": ("INFO", "WARN"),
}


@pytest.mark.parametrize("level", LEVELS)
def test_json_logs_have_the_level_but_no_filter_of_metrics(
    pipelines: Pipelines, level: str | None
) -> None:
    graph = built(pipelines, log_format="json", log_level=level)
    application, system = LEVELS[level]
    for name, config in inputs(graph, "loggingConfig").items():
        assert config == {
            "logFormat": "JSON",
            "logGroup": f"shop-{name}-logs-0000000",
            "applicationLogLevel": application,
            "systemLogLevel": system,
        }
    for environment in inputs(graph, "environment").values():
        variables = (environment or {"variables": {}})["variables"]
        assert variables.get("STREAMING_ETL_LOG_LEVEL") == (level.upper() if level else None)


def test_text_logs_have_the_level_by_the_handlers(pipelines: Pipelines) -> None:
    graph = built(pipelines, log_level="error")
    for name, config in inputs(graph, "loggingConfig").items():
        log_group = f"shop-{name}-logs-0000000"
        assert config == {"logFormat": "Text", "logGroup": log_group}
    for environment in inputs(graph, "environment").values():
        assert environment["variables"]["STREAMING_ETL_LOG_LEVEL"] == "ERROR"


def test_only_log_groups_without_metrics_are_of_infrequent_access(pipelines: Pipelines) -> None:
    graph = built(pipelines, log_group_class="infrequent_access")
    found = {
        node.name.removeprefix("shop-").removesuffix("-logs")
        for node in graph.of("LogGroup")
        if node.inputs.get("logGroupClass") == "INFREQUENT_ACCESS"
    }
    assert found == {"backfill", "items-delivery", "orders-catalog-delivery", "orders-delivery"}


def test_each_function_has_its_own_limits(pipelines: Pipelines) -> None:
    graph = pipelines.build(
        forwarder=ForwarderArgs(reserved_concurrency=0),
        transform=TransformArgs(reserved_concurrency=7, ephemeral_storage_mib=1024, layers=[LAYER]),
        backfill=BackfillArgs(enabled=True, reserved_concurrency=4),
    )
    keys = ("reservedConcurrentExecutions", "ephemeralStorage", "layers")
    found = {
        name: [graph[f"shop-{name}-function"].inputs.get(key) for key in keys]
        for name in ("forwarder", "transform", "backfill")
    }
    assert found == {
        "forwarder": [0, None, None],
        "transform": [7, {"size": 1024}, [LAYER]],
        "backfill": [4, None, None],
    }


def test_imports_of_a_layer_are_not_rejected(pipelines: Pipelines) -> None:
    module = "import company\n\n\ndef transform(change):\n    return company.rows(change)\n"
    settings = {"module": f'COLUMNS = {{"id": "string"}}\n{module}'}
    rules = [problem.rule for problem in pipelines.problems(**settings)]
    assert rules == ["module-imports"]
    graph = pipelines.build(**settings, transform=TransformArgs(layers=[LAYER]))
    assert graph["shop-transform-function"].inputs["layers"] == [LAYER]
