"""What docs/transforms.md shows of types and refusals: each a case that is run."""

from typing import NamedTuple, Optional


class Value(NamedTuple):
    """A value that a transform returns, in Python's own words, for a column of a type."""

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
    *("string", "boolean", "tinyint", "smallint", "int", "bigint", "float", "double"),
    *("decimal(10,2)", "date", "timestamp"),
    *("array<int>", "map<string,int>", "struct<city:string,floor:int>"),
]


class Refusal(NamedTuple):
    """What a transform does, and what it means that the change is refused for it."""

    does: str
    """The body's last line."""
    means: str
    columns: Optional[str] = (
        '{"id": "string", "sold": "boolean", "pieces": "int", "price": "decimal(10,2)", '
        '"share": "double", "due": "date", "at": "timestamp", "sizes": "array<int>", '
        '"stock": "map<string,int>", "shop": "struct<city:string>"}'
    )
    """None: the module has no COLUMNS."""
    dynamic_partition_keys: bool = False
    """Whether the pipeline has the row key `store`, of which tokyo and osaka are listed."""


REFUSALS = [
    Refusal("return change.new['total']", "The module raised: error and line, not its text. Mend"
            " the line, or say what a missing attribute means: `item.get(\"total\")`."),
    Refusal("return 'o-1'", "Not even a tuple of dicts: what a function returns by mistake shall"
            " not pass for rows."),
    Refusal("return {'ID': 'o-1'}", "A name that is no column. Names are told apart by case."),
    Refusal("return {'_op': 'INSERT'}", "So too without COLUMNS: metadata are not yours to write.",
            columns=None),
    Refusal("return {'sizes': {1, 'a'}}", "The error came while the row was written: items of a"
            " set are sorted, and these cannot be."),
    Refusal("return {'id': timedelta(1)}", "The type has no text."),
    Refusal("return {'id': [float('nan')]}", "In a text of JSON, and in any row without COLUMNS."),
    Refusal("return {'id': {1: 'a', '1': 'b'}}", "JSON's names are texts."),
    Refusal("return {'sold': 'true'}", "No text is taken for a bool; neither are 0 and 1."),
    Refusal("return {'pieces': '7'}", "No text is taken for a number."),
    Refusal("return {'pieces': 2**31}", "The range is the type's."),
    Refusal("return {'price': 9.5}", "DynamoDB brings Decimal; a float comes from the module."),
    Refusal("return {'price': Decimal('0.125')}", "Nothing is rounded unseen."),
    Refusal("return {'share': '0.5'}", "No text is taken for a number."),
    Refusal("return {'share': float('inf')}", "Athena could read it from no format."),
    Refusal("return {'due': datetime(2026, 11, 23, 9, 30)}", "A time is no date: `at.date()`."),
    Refusal("return {'due': '23.11.2026'}", "Athena reads no other form."),
    Refusal("return {'at': 1795426200}", "`datetime.fromtimestamp(seconds, UTC)` makes one."),
    Refusal("return {'at': '2026-11-23'}", "A date alone names no moment."),
    Refusal("return {'sizes': '1,2'}", "A text is not taken apart."),
    Refusal("return {'stock': [1]}", "Names and values, in a dict."),
    Refusal("return {'shop': 'Oita'}", "Fields by name, in a dict."),
    Refusal("return {'shop': {'city': 'Oita', 'floor': 2}}", "Fields are declared, as columns are."
            " Absent ones are NULL."),
    Refusal("return {'id': 'o-1'}", "The folder would have no name.", dynamic_partition_keys=True),
    Refusal("return {'store': 1.5}", "What names a folder well.", dynamic_partition_keys=True),
    Refusal("return {'store': 'a/b'}", "S3, Hive or Firehose would read another folder.",
            dynamic_partition_keys=True),
    Refusal("return {'store': 'kyoto'}", "The list stands in `partitions.dynamic_partition_keys`.",
            dynamic_partition_keys=True),
    Refusal("return [{'store': 'tokyo'}, {'store': 'osaka'}]", "Firehose takes a record, and so a"
            " change, to one folder.", dynamic_partition_keys=True),
    Refusal("return {'id': 'x' * 4_600_000}", "Lambda answers in 6 MB of base64 at most."),
]  # fmt: skip

METADATA_MEANS = {
    "_op": "`change.kind`",
    "_key": "Which item: its key as DynamoDB JSON, the same text in every row of the item",
    "_row": "Which row of its change, from 0",
    "_event_id": "`change.event_id`",
    "_sequence_number": "`change.sequence_number`: which change of an item is the last",
    "_changed_at": "`change.changed_at`",
}
