"""Messages about changed customer keys."""

from streaming_etl.components.key_guard import key_findings
from streaming_etl.components.pipeline_guard import PipelineGuardError

OLD, NEW = (f"arn:aws:kms:ap-northeast-1:123456789012:key/{name}" for name in ("a", "b"))


def messages() -> dict[str, str]:
    """The message of a changed key, and that of a removed one."""
    pipeline, both = {"kms_key_arn": OLD}, {"kms_key_arn": OLD, "lake.kms_key_arn": NEW}
    updates = {
        "former-key": (pipeline, {"kms_key_arn": NEW}),
        "former-key, removed": (both, {}),
    }
    return {
        name: str(PipelineGuardError("orders", list(key_findings(old, new))))
        for name, (old, new) in updates.items()
    }
