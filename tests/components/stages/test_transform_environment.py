"""Environment variables and secrets of transforms.

Does not prove that AWS decrypts a secret with these permissions.
"""

import json
from typing import Any

import pulumi
import pytest

from streaming_etl import FunctionsArgs, IamArgs, StreamingEtlPipeline, TransformArgs
from streaming_etl.components.settings import validation
from streaming_etl.stack.recorder import ACCOUNT_ID, REGION, Graph, build
from tests.support.pipelines import KEY, Pipelines
from tests.support.problems import places, problems_of

ARN = f"{REGION}:{ACCOUNT_ID}"
PARAMETER = f"arn:aws:ssm:{ARN}:parameter/shop/key"
SECRET = f"arn:aws:secretsmanager:{ARN}:secret:shop/salt-1a2B3c"
SECRETS = {"API_KEY": PARAMETER, "SALT": SECRET}
WITHOUT_FUNCTION = 'COLUMNS = {"id": "string"}\n'
READS = ["ssm:GetParameter", "secretsmanager:GetSecretValue"]


@pytest.fixture(scope="module")
def graph(pipelines: Pipelines) -> Graph:
    """Two lake tables, one of which has variables."""
    transform = TransformArgs(environment={"TAX_RATE": "0.1"}, secrets=SECRETS)
    return pipelines.build(**pipelines.lake_tables(orders={"transform": transform}, items={}))


def variables(graph: Graph, function: str = "shop-transform-function") -> dict[str, Any]:
    environment = graph[function].inputs.get("environment") or {"variables": {}}
    return dict(environment["variables"])


def policy(graph: Graph, name: str = "shop-transform") -> list[dict[str, Any]]:
    statements = graph[f"{name}-secrets-policy"].policy()["Statement"]
    assert {each.pop("Effect") for each in statements} == {"Allow"}
    return list(statements)


def test_the_function_has_the_variables_and_the_arns_of_its_secrets(graph: Graph) -> None:
    found = variables(graph, "shop-orders-transform-function")
    assert json.loads(found.pop("STREAMING_ETL_SECRETS")) == SECRETS
    assert found == {"TAX_RATE": "0.1"}
    # The forwarder has its own variable.
    assert variables(graph, "shop-items-transform-function") == {}
    assert variables(graph, "shop-forwarder-function").keys() == {"DELIVERY_STREAMS"}


def test_one_role_may_read_these_secrets_and_no_other(graph: Graph) -> None:
    assert policy(graph, "shop-orders-transform") == [
        {"Action": ["ssm:GetParameter"], "Resource": [PARAMETER]},
        {"Action": ["secretsmanager:GetSecretValue"], "Resource": [SECRET]},
    ]
    policies = [node for node in graph.custom if node.name.endswith("-secrets-policy")]
    assert [node.inputs["role"] for node in policies] == ["shop-orders-transform-role-0000000"]


def test_the_role_has_the_permissions_before_the_function_exists(graph: Graph) -> None:
    function = graph["shop-orders-transform-function"]
    names = {urn.rpartition("::")[2] for urn in function.depends_on}
    assert "shop-orders-transform-secrets-policy" in names


def test_the_permissions_are_those_of_an_existing_role(pipelines: Pipelines) -> None:
    role = "arn:aws:iam::123456789012:role/etl"
    graph = pipelines.build(
        transform=TransformArgs(secrets=SECRETS), iam=IamArgs(role_arns={"transform": role})
    )
    document = json.loads(graph.exports["pipeline"]["role_policies"]["transform"]["policy"])
    allowed = {
        action: each["Resource"] for each in document["Statement"] for action in each["Action"]
    }
    assert [allowed[action] for action in READS] == [[PARAMETER], [SECRET]]


def test_a_customer_key_decrypts_secrets_through_their_services_only(pipelines: Pipelines) -> None:
    former = f"arn:aws:kms:{ARN}:key/old"
    graph = pipelines.build(
        transform=TransformArgs(secrets=SECRETS), kms_key_arn=KEY, former_kms_key_arns=[former]
    )
    services = [f"ssm.{REGION}.amazonaws.com", f"secretsmanager.{REGION}.amazonaws.com"]
    condition = {"StringEquals": {"kms:ViaService": services}}
    assert policy(graph)[2:] == [
        {"Action": ["kms:Decrypt"], "Resource": [key], "Condition": condition}
        for key in (KEY, former)
    ]


@pytest.mark.parametrize(
    "settings",
    [
        {"transform": TransformArgs(environment={"TAX_RATE": "0.1"})},
        {"transform": TransformArgs(secrets=SECRETS)},
        {"functions": FunctionsArgs(log_level="debug")},
    ],
)
def test_a_customer_key_encrypts_the_environment(
    pipelines: Pipelines, settings: dict[str, Any]
) -> None:
    graph = pipelines.build(**settings, kms_key_arn=KEY)
    assert graph["shop-transform-function"].inputs["kmsKeyArn"] == KEY
    contexts = [
        each.get("Condition", {}).get("StringLike", {})
        for each in graph["shop-transform-policy"].policy()["Statement"]
    ]
    function = f"arn:aws:lambda:{ARN}:function:*"
    assert {"kms:EncryptionContext:aws:lambda:FunctionArn": function} in contexts


def test_values_and_arns_may_be_outputs(pipelines: Pipelines) -> None:
    def program() -> None:
        transform = TransformArgs(
            environment={"BUCKET": pulumi.Output.from_input("lake")},
            secrets={"API_KEY": pulumi.Output.from_input(PARAMETER), "SALT": SECRET},
        )
        args = pipelines.args(transform=transform)
        pulumi.export("pipeline", StreamingEtlPipeline("shop", args).outputs)

    graph = build(program)
    assert json.loads(variables(graph)["STREAMING_ETL_SECRETS"]) == SECRETS
    assert variables(graph)["BUCKET"] == "lake"
    assert policy(graph) == [
        {"Action": ["secretsmanager:GetSecretValue"], "Resource": [SECRET]},
        {"Action": READS, "Resource": [PARAMETER]},
    ]
    settings = graph.exports["pipeline"]["settings"]["transform"]
    assert (settings["environment"], settings["secrets"]) == ({"BUCKET": "lake"}, SECRETS)


def test_rejects_secrets_of_a_module_without_a_function(pipelines: Pipelines) -> None:
    problems = pipelines.problems(
        module=WITHOUT_FUNCTION, transform=TransformArgs(secrets=SECRETS, environment={"A1": "b"})
    )
    assert places(problems) == [("transform", "secrets", "secrets-without-transform")]


# Of the variable STREAMING_ETL_LOG_LEVEL, and of braces, quotes and colons.
OWN_BYTES = len('{"A1":"","STREAMING_ETL_LOG_LEVEL":"WARNING"}')


def test_rejects_more_bytes_than_lambda_accepts() -> None:
    def rules(environment: dict[str, Any], secrets: dict[str, Any]) -> list[Any]:
        values = {"environment": environment, "secrets": secrets}
        _, problems = validation.build(TransformArgs, values)
        return [(problem.rule, problem.details["length"]) for problem in problems]

    room = 4096 - OWN_BYTES
    assert rules({"A1": "x" * room}, {}) == []
    assert rules({"A1": "x" * (room - 1) + "ü"}, {}) == [("too-large", 4097)]
    assert rules({"A1": pulumi.Output.from_input("x" * 5000)}, {}) == []
    [(rule, length)] = rules({"A1": "x" * room}, SECRETS)
    as_json = json.dumps({"STREAMING_ETL_SECRETS": json.dumps(SECRETS)}, separators=(",", ":"))
    assert (rule, length) == ("too-large", 4096 + len(as_json) - 1)


HIDDEN = "hunter2"


@pytest.mark.parametrize(
    "values",
    [
        {"environment": HIDDEN},
        {"environment": {"A": HIDDEN, "AWS_REGION": HIDDEN, "B1": [HIDDEN]}},
        {"environment": {"A1": HIDDEN * 600}},
        {"environment": {"A1": HIDDEN}, "secrets": {"A1": PARAMETER}},
        {"secrets": {"A1": HIDDEN}},
        {"secrets": HIDDEN},
    ],
)
def test_no_message_has_a_value(values: dict[str, Any]) -> None:
    problems = problems_of(TransformArgs, **values)
    assert problems
    assert HIDDEN not in repr(problems)
    assert HIDDEN not in "".join(map(str, problems))
    assert HIDDEN not in repr(TransformArgs(environment={"A1": HIDDEN}))
