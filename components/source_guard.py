"""Guard of a protected source table against replacement and deletion.

Pulumi's protection does not: it allows a replacement if the old or the new state is unprotected.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from streaming_etl.components.settings.messages import value_text
from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
from streaming_etl.components.settings.protection import resolve_protection

KEYS = ("hash_key", "hash_key_type", "range_key", "range_key_type")
"""Settings whose change replaces the table by one with the same name."""

# {name} is the setting, {old} and {new} are its values.
MESSAGES: Mapping[str, str] = {
    "protected-keys": (
        "{name} must stay {old} (got {new}). The update would delete the source table with its"
        " items. Run `pulumi up` with `protect: false` and without this change first."
    ),
    "protected-table": (
        "{name} must stay {old} (got {new}). The update would delete the source table with its"
        " items. Run `pulumi up` without this change first: with `retain: true` to keep the table,"
        " with `protect: false` to delete it."
    ),
    "retained-keys": (
        "{name} must stay {old} (got {new}). DynamoDB cannot create a second table with the name"
        " of the retained one. Set another `table_name` in the same update; to delete the table"
        " with its items, run `pulumi up` with `protect: false`, without `retain` and without this"
        " change first."
    ),
}


@dataclass(frozen=True)
class SourceFinding:
    """A changed setting that would replace or delete a protected table."""

    rule: str
    """A key of MESSAGES."""
    setting: str
    old: Any
    new: Any

    def __str__(self) -> str:
        values = {"old": value_text(self.old), "new": value_text(self.new)}
        return f"{MESSAGES[self.rule].format(name=f'`{self.setting}`', **values)} [{self.rule}]"


def source_of(args: StreamingEtlPipelineArgs) -> dict[str, Any]:
    """Return what identifies and protects a source table, as plain data."""
    protection = resolve_protection(args)
    return {
        "use_existing": args.source.use_existing,
        "table_name": args.table_name,
        **{key: getattr(args.source, key) for key in KEYS},
        "protect": protection.protect,
        "retain": protection.retain,
    }


def source_findings(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[SourceFinding]:
    """Compare the deployed table with the new one.

    old: empty for the state of an earlier version.
    """
    if not old or old["use_existing"]:
        return
    # Pulumi's state omits settings without a value.
    changed = {name for name in {**old, **new} if old.get(name) != new.get(name)}
    if new["use_existing"]:
        rule, settings = "protected-table", ["use_existing"]
    elif "table_name" in changed:
        rule, settings = "protected-table", ["table_name"]
    else:
        rule = "retained-keys" if old["retain"] else "protected-keys"
        settings = [name for name in KEYS if name in changed]
    if old["protect"] or rule == "retained-keys":
        for name in settings:
            setting = name if name == "table_name" else f"source.{name}"
            yield SourceFinding(rule, setting, old.get(name), new.get(name))
