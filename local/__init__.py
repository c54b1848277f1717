"""The embedded AWS: start it, deploy the program to it, crawl, drive data through it."""

DIRECTORY_VARIABLE = "STREAMING_ETL_LOCAL_DIRECTORY"
"""Names the temporary directory to the child process, which removes it if the parent cannot."""


class LocalError(Exception):
    """Something the reader can put right; the text says what it is and what to do."""
