"""The transform against its floor and against a straightforward handler."""

import base64
import contextlib
import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson

from tools.bench import baseline as straightforward
from tools.bench import candidate as ours
from tools.bench.candidate import FORMATS, Handler
from tools.bench.events import Event, Shape, StreamRecord, firehose_event, streamed_line
from tools.bench.timing import Case

EVENT_BYTES = 3_000_000

READINGS: dict[str, Callable[[StreamRecord], bytes]] = {
    "as the stream gives them": streamed_line,
    "as our forwarder sends them": ours.forwarded_line,
}
HEADLINE = "as the stream gives them"

# Of the floor's CPU time for a change, on the events of HEADLINE.
AT_MOST = {
    ("csv", False): {"small": 0.75, "medium": 0.45, "nested": 0.30},
    ("json", False): {"small": 0.90, "medium": 0.90, "nested": 1.00},
    ("csv", True): {"small": 0.75, "medium": 0.40, "nested": 0.25},
    ("json", True): {"small": 0.90, "medium": 0.95, "nested": 1.00},
}


class TransformCase(NamedTuple):
    """One event, and what `contenders` take over it."""

    shape: str
    reading: str
    packed: bool
    case: Case


def floor(event: dict[str, Any]) -> int:
    """The least a transform can do: base64 decode, parse each change, base64 encode."""
    changes = 0
    for record in event["records"]:
        content = base64.b64decode(record["data"])
        for line in content.splitlines():
            orjson.loads(line)
            changes += 1
        base64.b64encode(content)
    return changes


def transform_cases(shapes: Sequence[Shape], event_bytes: int = EVENT_BYTES) -> list[TransformCase]:
    """Every reading, packing and shape.

    Raises ValueError when the contenders do not make the same rows.
    """
    found = []
    for reading, line in READINGS.items():
        for packed in (False, True):
            for shape in shapes:
                event = firehose_event(shape, line, event_bytes, packed=packed)
                check(contenders(), event)
                found.append(TransformCase(shape.name, reading, packed, Case(event, {})))
    return found


def contenders() -> dict[str, Handler]:
    """The handlers by name; ours anew, for a container serves one table."""
    return {
        "floor": floor,
        "ours csv": ours.transform("csv"),
        "ours json": ours.transform("json"),
        "straightforward csv": straightforward.csv_transform,
        "straightforward json": straightforward.json_transform,
    }


def check(handlers: dict[str, Handler], event: Event) -> None:
    """Refuse contenders that leave a change out or fail on one: their time would say nothing."""
    answers = {name: answer_of(name, handler, event) for name, handler in handlers.items()}
    if answers["floor"] != event.changes:
        raise ValueError(f"the floor found {answers['floor']} changes of {event.changes}")
    for kind in FORMATS:
        mine = ids_of(answers[f"ours {kind}"], kind)
        theirs = ids_of(answers[f"straightforward {kind}"], kind)
        if len(mine) != event.changes or mine != theirs:
            raise ValueError(
                f"{kind}: {len(mine)} rows of ours and {len(theirs)} of the straightforward"
                f" handler are not of the same {event.changes} items"
            )


def answer_of(name: str, handler: Handler, event: Event) -> Any:
    """The handler's answer, which must be Ok for every record; else its first log line is told."""
    log = io.StringIO()
    with contextlib.redirect_stdout(log):
        try:
            answer = handler(event.parsed())
            results = {"Ok"} if name == "floor" else {it["result"] for it in answer["records"]}
        except Exception as error:
            results = {repr(error)}
    if results != {"Ok"}:
        first = log.getvalue().partition("\n")[0]
        raise ValueError(f"{name}: {', '.join(sorted(results))}, not Ok alone; its log: {first}")
    return answer


def ids_of(answer: dict[str, Any], kind: str) -> list[str]:
    """The item id of each row, in order."""
    data = b"".join([base64.b64decode(record["data"]) for record in answer["records"]]).decode()
    if kind == "csv":
        # Ours and the simple handler's metadata differ in number, the five columns behind do not.
        return [row[-5] for row in csv.reader(io.StringIO(data, newline=""))]
    return [json.loads(row)["id"] for row in data.removesuffix("\n").split("\n")]
