"""A transform tried on this machine, without AWS: `rows_of` for tests, and a command."""

from streaming_etl.ops.transform_test.rows import RefusedError, rows_of

__all__ = ["RefusedError", "rows_of"]
