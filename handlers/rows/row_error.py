"""Reasons for failed changes, as fields and as a sentence."""

from collections.abc import Collection

# The parts in braces are RowError's fields. None of them may hold a value or a name of the change:
# sentences are logged.
SENTENCES = {
    # In the record.
    "base64": "the record's data must be base64.",
    "change-format": "the line must be a stream record in JSON (decoding raised {got}).",
    # In transform.
    "exception": "{got} at {location}",
    "exception-in-rows": "{got} while the rows of transform were encoded",
    "returned-type": "transform must return a dict, a list of dicts or None (got {got}).",
    # In a row.
    "unknown-column": "a row must have only columns in COLUMNS (got {got} unknown). "
    "Add them to COLUMNS or leave them out of the row.",
    "column-name": "a column's name must be a string other than {expected}, in upper and lower "
    "case. Rename the column.",
    # Without COLUMNS. The names may be data, so the sentences do not contain them.
    "name-characters": "a name in a row without COLUMNS must consist of 1 to 255 letters, digits "
    "and _, also in a map. Rename it, or return the map as JSON text.",
    "same-but-for-case": "names in a row without COLUMNS must differ in more than upper and lower "
    "case, also in a map. Rename one, or return the map as JSON text.",
    "type": "{column} must be {expected} (got {got}). Convert the value in transform.",
    "integer": "{column} must be a whole number from {low} to {high}. "
    "Round the value or declare a wider type.",
    "float": "{column} must be finite and within the type's range. Return None instead.",
    "json-number": "{column} must not be infinite or NaN, which JSON cannot hold. "
    "Return None instead.",
    "decimal-digits": "{column} must fit into the type's digits. "
    "Quantize the value in transform or declare a wider decimal.",
    "date": "{column} must be a date as YYYY-MM-DD.",
    "timestamp": "{column} must be an ISO 8601 time such as 2026-11-23T09:30:00Z.",
    "timestamp-range": "{column} must be a time in the years 1 to 9999 in UTC. "
    "Return None instead.",
    # Without transform.
    "path": "{column} must have a path through a {expected} (got {got}). "
    "Correct the path in COLUMNS or write a transform.",
    "map-keys": "{column} must not have two map keys with the same text. Rename one.",
    "struct-fields": "{column} must have only its declared fields: {expected}. "
    "Declare the other fields or leave them out.",
    # In the partition keys.
    "partition-missing": "{column} must be in every row, as it is a partition key.",
    "partition-text": "{column} must be a text of 1 to 255 bytes, as it is a partition key.",
    # One character is not content of the change.
    "partition-character": "{column} must not contain {character}, as it is a partition key. "
    "Replace the character in transform.",
    "partition-value": "{column} must be one of its values in dynamic_partition_keys: "
    "Athena does not read other partitions. Add the value to the setting.",
    "partition-mixed": "the rows of one change must have the same partition keys.",
    # In the response.
    "response-size": "the rows of one change must fit into one response of Lambda. "
    "Return fewer or shorter rows.",
}


class RowError(Exception):
    """Reason for a failed change, without any value of it."""

    def __init__(self, rule: str, column: str = "", **details: object) -> None:
        """Describe a broken rule.

        rule: a key of SENTENCES.
        column: the path of the value in its row and its declared type, such as "sizes[] int"; empty
        without COLUMNS, where it may be an attribute's name.
        details: the other fields of the sentence.
        """
        super().__init__(rule, column, details)
        self.rule, self.column, self.details = rule, column, details

    def __str__(self) -> str:
        column = f"`{self.column}`" if self.column else "a value"
        return SENTENCES[self.rule].format(column=column, **self.details)


def type_error(column: str, expected: str, value: object) -> RowError:
    """Error for a value whose type the column does not take."""
    return RowError("type", column, expected=expected, got=type(value).__name__)


def unknown_columns(names: Collection[object]) -> RowError:
    """Error for names that are not in COLUMNS; they may be data."""
    return RowError("unknown-column", got=len(names))
