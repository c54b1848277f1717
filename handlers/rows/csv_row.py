"""Rows as CSV lines, metadata columns first."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from streaming_etl.handlers.rows.metadata import Metadata
from streaming_etl.handlers.rows.row_error import unknown_columns
from streaming_etl.handlers.rows.scalar_columns import scalar_encoder

Row = dict[str, Any]


def csv_lines(
    columns: Sequence[tuple[str, Any]], dynamic_partition_keys: Collection[str]
) -> Callable[[Metadata, Sequence[Row]], bytes]:
    """Build the encoder of a change's rows.

    columns: name and type of each, as in transform.json.

    A CSV table is read by position, so the metadata columns come first: a column that is added at
    the end of COLUMNS does not shift those of existing rows. Strings are always quoted, because
    NULL is the field without quotes.
    """
    known = {*(name for name, _ in columns), *dynamic_partition_keys}
    encoders = [(name, kind == "string", scalar_encoder(kind, name)) for name, kind in columns]

    def encode(metadata: Metadata, rows: Sequence[Row]) -> bytes:
        key = metadata.key.replace('"', '""')
        event_id = metadata.event_id.replace('"', '""')
        stream_epoch = metadata.stream_epoch.replace('"', '""')
        sequence_number = metadata.sequence_number.replace('"', '""')
        before_row = f'"{metadata.op}","{key}",'
        after_row = f',"{event_id}","{stream_epoch}","{sequence_number}",{metadata.changed_at},'
        text = ""
        for number, row in enumerate(rows):
            if not known.issuperset(row):
                raise unknown_columns(row.keys() - known)
            fields = []
            for name, quoted, encode_field in encoders:
                value = row.get(name)
                if value is None:
                    fields.append("")
                elif quoted:
                    field = value if type(value) is str else encode_field(value)
                    fields.append('"' + field.replace('"', '""') + '"')
                else:
                    fields.append(encode_field(value))
            line = f"{before_row}{number}{after_row}{','.join(fields)}"
            if "\n" in line or "\r" in line or "\x01" in line:
                line = one_line(line)
            text += line + "\n"
        return text.encode()

    return encode


def one_line(row: str) -> str:
    """Replace the characters of a CSV row that would end it early.

    Athena ends a row at every line break, quoted or not: each becomes U+2028. U+0001 is the
    table's escape character and becomes U+FFFD.
    https://docs.aws.amazon.com/athena/latest/ug/csv-serde.html
    """
    row = row.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\u2028")
    return row.replace("\x01", "\ufffd")
