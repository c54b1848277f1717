"""Hook that compares a lake table's layout with the deployed one."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi.output import Unknown

from streaming_etl.components.table.layout_guard import Finding, Layout, findings, is_new_table
from streaming_etl.components.table.layout_messages import (
    Place,
    new_table,
    overridden,
    rejection,
)


class LayoutError(pulumi.RunError):
    """A layout that puts existing rows at risk."""

    def __init__(self, message: str, found: Sequence[Finding]) -> None:
        super().__init__(message)
        self.findings = list(found)


def layout_hook(
    pipeline: str, key: str, component: str, *, allow_change: bool
) -> pulumi.ResourceHook:
    """Return the hook of the component whose inputs are a layout.

    key: of the lake table in the pipeline.

    The engine calls it in previews too, after the layout has changed. A hook without a name
    would not run in previews; names are unique in a stack.
    """
    place = Place(pulumi.get_stack(), pipeline, key)

    def compare(args: pulumi.ResourceHookArgs) -> None:
        old, new = known(args.old_inputs), known(args.new_inputs)
        check_layout(place, old, new, allow_change=allow_change)

    kind = "warning" if allow_change else "guard"
    options = pulumi.ResourceHookOptions(on_dry_run=True)
    return pulumi.ResourceHook(f"{component}-layout-{kind}", compare, options)


def known(inputs: Mapping[str, Any] | None) -> Layout:
    """Return a component's inputs without those that a preview does not know."""
    return {
        name: value
        for name, value in (inputs or {}).items()
        # Secrets are outputs; none is part of a layout, except in names that a program sets.
        if not isinstance(value, (Unknown, pulumi.Output))
    }


def check_layout(place: Place, old: Layout, new: Layout, *, allow_change: bool) -> None:
    """Raise LayoutError; warn of a permitted change and a new table.

    allow_change: does not permit a deletion.
    """
    found = findings(old, new)
    deletes = any(finding.deletes for finding in found)
    if deletes or (found and not allow_change):
        raise LayoutError(rejection(place, old, found), found)
    if found:
        pulumi.log.warn(overridden(place, old, found))
    if is_new_table(old, new):
        pulumi.log.warn(new_table(place, old, new))
