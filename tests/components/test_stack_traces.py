"""Pulumi records few frames of the program, and errors keep theirs."""

import sys

import pytest

from streaming_etl import PartitionArgs, SettingsError, StreamingEtlPipeline
from streaming_etl import StreamingEtlPipelineArgs as Args
from streaming_etl.components.stack_traces import FRAMES, short_stack_traces
from streaming_etl.stack import recorder


def test_resources_have_few_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = []

    class Monitor(recorder.RecordingMonitor):
        def RegisterResource(self, request: object) -> object:  # noqa: N802
            frames.append(len(request.stackTrace.frames))  # type: ignore[attr-defined]
            return super().RegisterResource(request)

    monkeypatch.setattr(recorder, "RecordingMonitor", Monitor)
    args = Args(
        table_name="shop", transform_module="transforms/orders.py", partitions=PartitionArgs()
    )
    recorder.build(lambda: StreamingEtlPipeline("shop", args))
    # The stack and the pipeline itself are registered by the program.
    assert sorted(frames)[-3] < FRAMES
    assert not hasattr(sys, "tracebacklimit")


def test_the_limit_ends_with_the_constructor() -> None:
    args = Args(table_name="shop", transform_module="missing.py", partitions=PartitionArgs())
    with pytest.raises(SettingsError):
        recorder.build(lambda: StreamingEtlPipeline("shop", args))
    assert not hasattr(sys, "tracebacklimit")


def test_a_limit_of_the_program_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "tracebacklimit", 3, raising=False)
    with short_stack_traces():
        pass
    assert sys.tracebacklimit == 3
