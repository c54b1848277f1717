"""Protection that `protect`, `retain` and settings of single resources imply."""

from dataclasses import dataclass
from typing import Optional

from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs


@dataclass(frozen=True, kw_only=True)
class Protection:
    """How the resources of a pipeline that hold data are protected."""

    protect: bool
    """Pulumi rejects to delete source table, bucket and database."""
    retain: bool
    """Pulumi keeps in AWS what it deletes in its state."""
    deletion_protection: bool
    """AWS rejects to delete the source table."""
    bucket_force_destroy: bool
    workgroup_force_destroy: bool


def resolve_protection(args: StreamingEtlPipelineArgs) -> Protection:
    """Return the protection of a pipeline's resources.

    `retain` takes the place of Pulumi's protection, which the engine checks first, and keeps the
    protection in AWS: a retained table outlives the stack.
    """
    keep = args.protect or args.retain

    def by_default(value: Optional[bool], default: bool) -> bool:
        return default if value is None else value

    return Protection(
        protect=args.protect and not args.retain,
        retain=args.retain,
        deletion_protection=by_default(args.source.deletion_protection, keep),
        bucket_force_destroy=by_default(args.lake.force_destroy, not keep),
        workgroup_force_destroy=by_default(args.query.force_destroy, not keep),
    )
