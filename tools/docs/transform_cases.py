"""Values and failures in docs/transforms.md, each of which is run."""

from typing import NamedTuple, Optional


class Value(NamedTuple):
    """Python expression that a transform returns for a column."""

    type: str
    returned: str


VALUES = [
    Value("string", "'say \"hi\"'"),
    Value("string", "''"),
    Value("string", "'two\\nlines'"),
    Value("string", "12"),
    Value("string", "Decimal('1E+3')"),
    Value("string", "True"),
    Value("string", "datetime(2026, 11, 23, 9, 30, tzinfo=UTC)"),
    Value("string", "b'\\x00\\xff'"),
    Value("string", "{'b': {2, 1}, 'a': [None, 'x']}"),
    Value("boolean", "False"),
    Value("int", "7"),
    Value("int", "Decimal('2E+3')"),
    Value("bigint", "-(2**63)"),
    Value("float", "1.5"),
    Value("double", "Decimal('0.1')"),
    Value("decimal(10,2)", "5"),
    Value("decimal(10,2)", "Decimal('-1.50000')"),
    Value("decimal(38,0)", "10**37"),
    Value("date", "date(2026, 11, 23)"),
    Value("date", "'2026-11-23'"),
    Value("timestamp", "datetime(2026, 11, 23, 9, 30)"),
    Value("timestamp", "datetime(2026, 11, 23, 9, 30, tzinfo=timezone(timedelta(hours=9)))"),
    Value("timestamp", "'2026-11-23T09:30:00+09:00'"),
    Value("timestamp", "'2026-11-23T09:30:00.25Z'"),
    Value("array<int>", "[3, None, 1]"),
    Value("array<string>", "{'b', 'a'}"),
    Value("map<string,double>", "{'a': 1, 'b': None}"),
    Value("struct<city:string,floor:int>", "{'city': 'Oita'}"),
    Value("array<struct<sku:string,price:decimal(5,1)>>", "[{'sku': 'a', 'price': 2}]"),
]

TYPES = [
    "string",
    "boolean",
    "tinyint",
    "smallint",
    "int",
    "bigint",
    "float",
    "double",
    "decimal(10,2)",
    "date",
    "timestamp",
    "array<int>",
    "map<string,int>",
    "struct<city:string,floor:int>",
]

COLUMNS = (
    '{"id": "string", "sold": "boolean", "pieces": "int", "price": "decimal(10,2)", '
    '"share": "double", "due": "date", "at": "timestamp", "sizes": "array<int>", '
    '"stock": "map<string,int>", "shop": "struct<city:string>"}'
)


class Failure(NamedTuple):
    """Last line of a transform whose change fails."""

    does: str
    meaning: str
    columns: Optional[str] = COLUMNS
    """None for a module without COLUMNS."""
    dynamic_partition_keys: bool = False
    """Whether the pipeline has the partition key `store`, with the values tokyo and osaka."""


FAILURES = [
    Failure(
        "return change.new['total']",
        "The module raised this error at this line; its text is not logged. Correct the line, or"
        ' decide what a missing attribute means: `item.get("total")`.',
    ),
    Failure("return 'o-1'", "A tuple of dicts is not accepted either."),
    Failure(
        "return {'ID': 'o-1'}",
        "Names of columns are case-sensitive. `test-transform` shows the unknown ones.",
    ),
    Failure(
        "return {'_op': 'INSERT'}",
        "The pipeline writes the metadata columns, also without COLUMNS, and the partition"
        " keys are part of the prefix.",
        columns=None,
    ),
    Failure(
        "return {'first name': 'a'}",
        "Athena cannot read such a field of a map, and one makes every query of the table fail.",
        columns=None,
    ),
    Failure(
        "return {'shop': {'Id': 1, 'id': 2}}",
        "Athena reads names in lower case and finds one twice.",
        columns=None,
    ),
    Failure(
        "return {'sizes': {1, 'a'}}", "The items of a set are sorted, and these have no order."
    ),
    Failure("return {'id': timedelta(1)}", "The type has no text form."),
    Failure("return {'id': [float('nan')]}", "In JSON text, and in any row without COLUMNS."),
    Failure("return {'id': {1: 'a', '1': 'b'}}", "Names in JSON are text."),
    Failure("return {'sold': 'true'}", "Text is not a bool; 0 and 1 are not either."),
    Failure("return {'pieces': '7'}", "Text is not a number."),
    Failure("return {'pieces': 2**31}", "The range depends on the type."),
    Failure(
        "return {'price': 9.5}", "DynamoDB numbers are int or Decimal; the module returned a float."
    ),
    Failure("return {'price': Decimal('0.125')}", "Values are not rounded."),
    Failure("return {'share': '0.5'}", "Text is not a number."),
    Failure("return {'share': float('inf')}", "Athena cannot read it in any format."),
    Failure("return {'due': datetime(2026, 11, 23, 9, 30)}", "Use the date: `at.date()`."),
    Failure("return {'due': '23.11.2026'}", "Athena reads no other form."),
    Failure(
        "return {'at': 1795426200}",
        "Use `datetime.fromtimestamp(seconds, UTC)`, or without `transform` give the column a"
        " `unit`.",
    ),
    Failure("return {'at': '2026-11-23'}", "A date is not a time."),
    Failure("return {'at': '9999-12-31T23:00:00-09:00'}", "In UTC this is in the year 10000."),
    Failure("return {'sizes': '1,2'}", "Text is not split."),
    Failure("return {'stock': [1]}", "A map is a dict of names and values."),
    Failure("return {'shop': 'Oita'}", "A struct is a dict of its fields."),
    Failure(
        "return {'shop': {'city': 'Oita', 'floor': 2}}",
        "Only declared fields are allowed. Missing fields are NULL.",
    ),
    Failure(
        "return {'id': 'o-1'}", "The value is part of the prefix.", dynamic_partition_keys=True
    ),
    Failure(
        "return {'store': 1.5}", "Other types have no clear text.", dynamic_partition_keys=True
    ),
    Failure(
        "return {'store': 'a:b'}",
        "Athena would not find the rows, or fail.",
        dynamic_partition_keys=True,
    ),
    Failure(
        "return {'store': 'kyoto'}",
        "The values are those of `partitions.dynamic_partition_keys`.",
        dynamic_partition_keys=True,
    ),
    Failure(
        "return [{'store': 'tokyo'}, {'store': 'osaka'}]",
        "Firehose writes a record, and so a change, to one prefix.",
        dynamic_partition_keys=True,
    ),
    Failure("return {'id': 'x' * 4_600_000}", "A Lambda response has at most 6 MB of base64."),
]

METADATA_MEANINGS = {
    "_op": "`change.kind`",
    "_key": "The item's key as DynamoDB JSON, the same text in every row of the item",
    "_row": "Number of the row within its change, from 0",
    "_event_id": "`change.event_id`",
    "_stream_epoch": "The label of the stream, which is its creation time in UTC",
    "_sequence_number": "`change.sequence_number`, which orders an item's changes on one stream",
    "_changed_at": "`change.changed_at`",
}
