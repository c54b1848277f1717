"""Input format, output format and SerDe of each format of objects."""

from dataclasses import dataclass

TEXT_INPUT = "org.apache.hadoop.mapred.TextInputFormat"
TEXT_OUTPUT = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"


@dataclass(frozen=True)
class SerDe:
    """How Athena reads the objects of a Glue table."""

    input_format: str
    output_format: str
    library: str
    parameters: dict[str, str]


# https://docs.aws.amazon.com/athena/latest/ug/supported-serdes.html
SERDES = {
    "csv": SerDe(
        TEXT_INPUT,
        TEXT_OUTPUT,
        "org.apache.hadoop.hive.serde2.OpenCSVSerde",
        # A quote is doubled, not escaped. The SerDe's default escape character, the backslash,
        # would remove backslashes from the data; the transform never writes U+0001.
        {"separatorChar": ",", "quoteChar": '"', "escapeChar": "\u0001"},
    ),
    "json": SerDe(
        TEXT_INPUT,
        TEXT_OUTPUT,
        "org.openx.data.jsonserde.JsonSerDe",
        # By default the SerDe lower-cases the keys of maps, and keys that are equal but for case
        # make every query fail. Column and field names are lower case, as the transform writes.
        # https://docs.aws.amazon.com/athena/latest/ug/openx-json-serde.html
        {"ignore.malformed.json": "false", "case.insensitive": "false"},
    ),
    "parquet": SerDe(
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
        {"serialization.format": "1"},
    ),
}
