"""The forwarder, boto3 included, against one that sends each change as a record of its own."""

from collections.abc import Sequence
from typing import NamedTuple

from tools.bench import baseline as straightforward
from tools.bench import candidate as ours
from tools.bench import stub
from tools.bench.candidate import Handler
from tools.bench.events import Event, Shape, stream_event
from tools.bench.timing import Case, silence

EVENT_BYTES = 6_000_000
EVENT_CHANGES = 500

# Of the CPU time for a change of the one that sends one change a record.
AT_MOST = {"small": 0.30, "medium": 0.40, "nested": 0.35}

OURS, ONE_EACH = "ours", "one change a record"


class ForwarderCase(NamedTuple):
    """One event, what the contenders take over it, and what Firehose receives of each."""

    shape: str
    case: Case
    tallies: dict[str, stub.Tally]


def forwarder_cases(
    firehose: stub.Stub, shapes: Sequence[Shape], event_bytes: int = EVENT_BYTES
) -> list[ForwarderCase]:
    """Every shape; the stub's environment must be set.

    Raises ValueError when a contender leaves a change out.
    """
    handlers = contenders()
    found = []
    for shape in shapes:
        event = stream_event(shape, event_bytes, EVENT_CHANGES)
        tallies = {name: tallied(firehose, handler, event) for name, handler in handlers.items()}
        found.append(ForwarderCase(shape.name, Case(event, {}), tallies))
    return found


def contenders() -> dict[str, Handler]:
    """The handlers by name; call them with the stub's environment set."""
    return {OURS: ours.forwarder(), ONE_EACH: straightforward.forward}


def tallied(firehose: stub.Stub, handler: Handler, event: Event) -> stub.Tally:
    """What Firehose receives of the event, which must be every change."""
    before = firehose.tally()
    with silence():
        answer = handler(event.parsed())
    tally = firehose.tally().since(before)
    if answer != {"batchItemFailures": []} or tally.changes != event.changes:
        raise ValueError(f"{tally.changes} of {event.changes} changes came: {answer}")
    return tally
