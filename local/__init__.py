"""The embedded AWS: runs a stack on ministack, without an AWS account.

`commands/`, `sample/`, `deploy/` and `emulator/` run in the process of the command.
`ministack_patches/` and its entry point `emulator/child.py` run in ministack's process.
"""

DIRECTORY_VARIABLE = "STREAMING_ETL_LOCAL_DIRECTORY"
"""Passes the temporary directory to ministack's process, which also removes it."""
