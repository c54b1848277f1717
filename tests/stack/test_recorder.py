"""The recorder: look-ups, names, previews, and what it rejects."""

import pulumi
import pulumi_aws as aws
import pytest

from streaming_etl.stack.recorder import UNKNOWN, Graph, build


def test_rejects_an_unknown_look_up() -> None:
    with pytest.raises(KeyError, match="getBucket"):
        build(lambda: aws.s3.get_bucket(bucket="theirs"))


def test_rejects_an_unknown_table() -> None:
    with pytest.raises(KeyError, match="orders"):
        build(lambda: aws.dynamodb.get_table(name="orders"))


def test_rejects_two_resources_with_one_name() -> None:
    def program() -> None:
        aws.sns.Topic("alarms")
        aws.sns.Topic("alarms")

    with pytest.raises(ValueError, match="alarms"):
        build(program)


def test_rejects_inputs_that_are_not_plain_data() -> None:
    def program() -> None:
        code = pulumi.RemoteArchive("https://example.com/handlers.zip")
        aws.lambda_.Function("forwarder", code=code, role="r")

    with pytest.raises(TypeError, match="RemoteArchive"):
        build(program)


def test_keeps_what_was_registered_before_a_failure() -> None:
    graph = Graph()

    def program() -> None:
        aws.sns.Topic("alarms")
        raise RuntimeError("too late")

    with pytest.raises(RuntimeError, match="too late"):
        build(program, into=graph)
    assert [node.name for node in graph.nodes] == ["alarms"]


def test_keeps_the_exports_of_programs_apart() -> None:
    assert build(lambda: pulumi.export("one", 1)).exports == {"one": 1}
    assert build(lambda: pulumi.export("two", 2)).exports == {"two": 2}


def test_outputs_of_aws_are_unknown_in_a_preview() -> None:
    def program() -> None:
        topic = aws.sns.Topic("alarms", display_name="Alarms")
        pulumi.export("values", [topic.display_name, topic.arn, topic.id])

    assert build(program).exports["values"][0] == "Alarms"
    assert build(program, preview=True).exports["values"] == ["Alarms", UNKNOWN, UNKNOWN]


def test_rejects_an_unknown_name() -> None:
    graph = build(lambda: aws.sns.Topic("alarms"))
    with pytest.raises(KeyError, match="alarms"):
        graph["alarm"]
    with pytest.raises(KeyError, match="Bucket"):
        graph.of("Bucket")


def test_a_resource_without_a_parent_belongs_to_its_stack() -> None:
    for stack in ("dev", "prod"):
        [node] = build(lambda: aws.sns.Topic("alarms"), stack=stack).nodes
        assert node.parent == f"streaming-etl-{stack}"
