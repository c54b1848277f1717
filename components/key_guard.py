"""Guard of data that remains encrypted with a former key.

A changed key encrypts new data only. Without permission on the former one, crawls, merges and
backfills fail, and so does the forwarder until the stream has no older change.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from streaming_etl.components.settings.messages import value_text
from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs

UNKNOWN = ""
"""A key that only an update knows."""

MESSAGE = (
    "`{setting}` must stay {old} (got {new}) unless `former_kms_key_arns` has it. Existing data"
    " remains encrypted with this key: add it there, and keep it enabled."
)


@dataclass(frozen=True)
class KeyFinding:
    """A changed key on which the roles would lose their permissions."""

    setting: str
    old: str
    new: Optional[str]
    rule: str = "former-key"

    def __str__(self) -> str:
        values = {"old": value_text(self.old), "new": value_text(self.new)}
        return f"{MESSAGE.format(setting=self.setting, **values)} [{self.rule}]"


def keys_of(args: StreamingEtlPipelineArgs) -> dict[str, Any]:
    """Return used keys by setting, and former ones, as plain data.

    {} without a key.
    """
    keys = {"kms_key_arn": args.kms_key_arn, "lake.kms_key_arn": args.lake_key_arn}
    used: dict[str, Any] = {
        setting: key if isinstance(key, str) else UNKNOWN
        for setting, key in keys.items()
        if key is not None
    }
    former = list(args.former_kms_key_arns)
    return {**used, "former": former} if used or former else {}


def key_findings(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[KeyFinding]:
    """Compare the deployed keys with the new ones.

    old: empty without a key, and for the state of an earlier version.
    """
    found = set()
    for setting in ("kms_key_arn", "lake.kms_key_arn"):
        key, other = old.get(setting), new.get(setting)
        kept = (key, UNKNOWN)
        if key and key not in found and other not in kept and key not in new.get("former", ()):
            # Without a key of the bucket both settings have the pipeline's key.
            found.add(key)
            yield KeyFinding(setting, key, other)
