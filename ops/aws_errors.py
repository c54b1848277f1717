"""Errors of AWS, and of the connection to it, in words."""

from typing import Optional


def aws_error(error: Exception) -> Optional[str]:
    """Describe an error of AWS or its connection, or return None."""
    # Takes longer to import than `--help` should take.
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, ClientError):
        code = error.response["Error"].get("Code", "")
        # Other messages may quote what was sent.
        denied = any(word in code for word in ("Denied", "Token", "Unauthorized"))
        message = f": {error.response['Error'].get('Message', '')}" if denied else ""
        return f"AWS rejected {error.operation_name} with {code}{message}"
    return str(error) if isinstance(error, BotoCoreError) else None
