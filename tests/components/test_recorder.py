"""The recorder itself: what it does not know, and what AWS would refuse of any graph, raises."""

import gc

import pulumi
import pulumi_aws as aws
import pytest

from streaming_etl.stack.outputs import ROOT
from streaming_etl.stack.program import program_environment
from streaming_etl.stack.recorder import UNKNOWN, Graph, build


def test_a_look_up_that_nobody_prepared_raises() -> None:
    with pytest.raises(KeyError, match="getBucket"):
        build(lambda: aws.s3.get_bucket(bucket="theirs"))


def test_a_table_that_nobody_prepared_raises() -> None:
    with pytest.raises(KeyError, match="orders"):
        build(lambda: aws.dynamodb.get_table(name="orders"))


def test_a_name_that_stands_twice_raises() -> None:
    def program() -> None:
        aws.sns.Topic("alarms")
        aws.sns.Topic("alarms")

    with pytest.raises(ValueError, match="two resources have the URN"):
        build(program)


def test_a_folder_in_an_archive_raises() -> None:
    def program() -> None:
        code = pulumi.AssetArchive({"handlers": pulumi.FileArchive("handlers")})
        aws.lambda_.Function("forwarder", code=code, role="r")

    with pytest.raises(TypeError, match="name every file of an archive"):
        build(program)


def test_what_was_registered_before_a_failure_is_told() -> None:
    graph = Graph()

    def program() -> None:
        aws.sns.Topic("alarms")
        raise RuntimeError("too late")

    with pytest.raises(RuntimeError, match="too late"):
        build(program, into=graph)
    assert [node.name for node in graph.nodes] == ["alarms"]


def test_one_program_does_not_export_for_the_next() -> None:
    assert build(lambda: pulumi.export("one", 1)).exports == {"one": 1}
    assert build(lambda: pulumi.export("two", 2)).exports == {"two": 2}


def test_a_preview_knows_inputs_and_nothing_that_aws_answers() -> None:
    def program() -> None:
        topic = aws.sns.Topic("alarms", display_name="Alarms")
        pulumi.export("told", [topic.display_name, topic.arn, topic.id])

    assert build(program).exports["told"][0] == "Alarms"
    assert build(program, preview=True).exports["told"] == ["Alarms", UNKNOWN, UNKNOWN]


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    graph = build(lambda: aws.sns.Topic("alarms"))
    with pytest.raises(KeyError, match="0 resources are called 'alarm'; there are alarms"):
        graph["alarm"]
    with pytest.raises(KeyError, match="no resource of type 'Bucket'"):
        graph.of("Bucket")


def test_what_stands_on_its_own_stands_below_its_own_stack() -> None:
    for stack in ("dev", "prod"):
        [node] = build(lambda: aws.sns.Topic("alarms"), stack=stack).nodes
        assert node.parent == f"streaming-etl-{stack}"


@pytest.mark.parametrize("collecting", [True, False])
def test_a_program_without_garbage_collection_leaves_it_as_it_was(collecting: bool) -> None:
    was = gc.isenabled()
    (gc.enable if collecting else gc.disable)()
    try:
        with program_environment(ROOT):
            gc.disable()
        assert gc.isenabled() == collecting
    finally:
        (gc.enable if was else gc.disable)()
