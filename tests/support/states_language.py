"""Structural checks of a state machine's definition, in place of Step Functions.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

ANYWHERE = {"Type", "Comment", "InputPath", "OutputPath"}
RESULT = {"Parameters", "ResultSelector", "ResultPath", "Retry", "Catch"}
FIELDS = {
    "Task": {*ANYWHERE, *RESULT, "Resource", "TimeoutSeconds", "HeartbeatSeconds", "Next", "End"},
    "Pass": {*ANYWHERE, "Parameters", "Result", "ResultPath", "Next", "End"},
    "Wait": {*ANYWHERE, "Seconds", "Timestamp", "SecondsPath", "TimestampPath", "Next", "End"},
    "Choice": {*ANYWHERE, "Choices", "Default"},
    "Succeed": ANYWHERE,
    "Fail": {"Type", "Comment", "Error", "Cause", "ErrorPath", "CausePath"},
    "Map": {
        *(ANYWHERE | RESULT) - {"Parameters"},
        "ItemReader",
        "ItemSelector",
        "ItemBatcher",
        "ItemProcessor",
        "ResultWriter",
        "Label",
        "MaxConcurrency",
        "ToleratedFailurePercentage",
        "ToleratedFailureCount",
        "Next",
        "End",
    },
}
REQUIRED = {
    "Task": {"Resource"},
    "Choice": {"Choices"},
    "Map": {"ItemProcessor"},
    "Fail": {"Error", "Cause"},
}
COMPARISONS = {"IsPresent", "StringEquals", "BooleanEquals", "NumericEquals", "NumericEqualsPath"}
RETRIER = {
    "ErrorEquals",
    "IntervalSeconds",
    "BackoffRate",
    "MaxDelaySeconds",
    "JitterStrategy",
    "MaxAttempts",
}
READERS = {"JSON", "JSONL", "CSV", "PARQUET", "MANIFEST"}


class InvalidPart(NamedTuple):
    """An invalid state; `<map>/<state>` for a state in a map."""

    path: str
    problem: str


def invalid_parts(machine: Mapping[str, Any]) -> list[InvalidPart]:
    """Return every invalid part of a definition."""
    return list(_in_machine(machine, ""))


def _in_machine(machine: Mapping[str, Any], path: str) -> Iterator[InvalidPart]:
    allowed = {"StartAt", "States", "ProcessorConfig" if path else "Comment"}
    yield from (InvalidPart(path, f"{name} is unknown") for name in machine.keys() - allowed)
    states = machine["States"]
    following = {name: set(_targets(state)) for name, state in states.items()}
    for name, targets in {"StartAt": {machine["StartAt"]}, **following}.items():
        yield from (
            InvalidPart(f"{path}{name}", f"there is no state {target}")
            for target in targets - set(states)
        )
    reached, left = set(), {machine["StartAt"]}
    while left:
        reached |= left
        left = {target for name in left for target in following.get(name, ())} - reached
    yield from (
        InvalidPart(f"{path}{name}", "is never reached") for name in states.keys() - reached
    )
    for name, state in states.items():
        yield from _in_state(state, f"{path}{name}")
    if not any(_ends(state) for name, state in states.items() if name in reached):
        yield InvalidPart(path, "never ends")


def _targets(state: Mapping[str, Any]) -> Iterator[str]:
    for holder in (state, *state.get("Choices", ()), *state.get("Catch", ())):
        yield from (holder[name] for name in ("Next", "Default") if name in holder)


def _ends(state: Mapping[str, Any]) -> bool:
    return state["Type"] in ("Succeed", "Fail") or state.get("End") is True


def _in_state(state: Mapping[str, Any], path: str) -> Iterator[InvalidPart]:
    kind = state.get("Type")
    if kind not in FIELDS:
        yield InvalidPart(path, f"{kind} is not a type of state")
        return
    yield from (
        InvalidPart(path, f"{name} is unknown to {kind}") for name in state.keys() - FIELDS[kind]
    )
    yield from (
        InvalidPart(path, f"{name} is missing") for name in REQUIRED.get(kind, set()) - state.keys()
    )
    if kind in ("Task", "Pass", "Wait", "Map") and ("Next" in state) == ("End" in state):
        yield InvalidPart(path, "needs one of Next and End")
    for rule in state.get("Choices", ()):
        conditions = rule.keys() - {"Variable", "Next"}
        if len(conditions) != 1 or conditions - COMPARISONS or not _is_path(rule.get("Variable")):
            yield InvalidPart(path, f"{sorted(conditions)} is not a condition")
    for retrier in state.get("Retry", ()):
        yield from (
            InvalidPart(path, f"{name} is unknown to Retry") for name in retrier.keys() - RETRIER
        )
    if any("States.ALL" in retrier["ErrorEquals"] for retrier in state.get("Retry", ())[:-1]):
        yield InvalidPart(path, "States.ALL is not the last retrier")
    yield from _in_templates(state, path)
    if kind == "Map":
        yield from _in_map(state, path)


def _in_map(state: Mapping[str, Any], path: str) -> Iterator[InvalidPart]:
    processor = state["ItemProcessor"]
    if processor.get("ProcessorConfig") != {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}:
        yield InvalidPart(path, "is not distributed")
    if state["ItemReader"]["ReaderConfig"]["InputType"] not in READERS:
        yield InvalidPart(path, "reads an unknown format")
    if not 0 <= state.get("ToleratedFailurePercentage", 0) <= 100:
        yield InvalidPart(path, "ToleratedFailurePercentage is not a percentage")
    yield from _in_machine(processor, f"{path}/")


def _in_templates(value: Any, path: str) -> Iterator[InvalidPart]:
    """Check that exactly fields with paths or functions end with `.$`."""
    if isinstance(value, list):
        for item in value:
            yield from _in_templates(item, path)
    if not isinstance(value, Mapping):
        return
    for name, item in value.items():
        if name.endswith(".$") and not (_is_path(item) or _is_call(item)):
            yield InvalidPart(path, f"{name} must be a path")
        elif name in ("Parameters", "ItemSelector", "ResultSelector"):
            for field, plain in item.items():
                if not field.endswith(".$") and (_is_path(plain) or _is_call(plain)):
                    yield InvalidPart(path, f"{field} must end with .$")
        if name != "States":
            yield from _in_templates(item, path)


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("$")


def _is_call(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("States.") and value.endswith(")")
