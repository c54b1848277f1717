"""Failure modes of a pipeline, and the essential alarms that fire.

docs/runbook.md has a section for each failure mode.
"""

from collections.abc import Mapping

FAILURE_MODES: Mapping[str, tuple[str, ...]] = {
    "not-polling": ("not-polling",),
    "iterator-age": ("iterator-age",),
    # The first one once a call succeeds, the second one once retries or record age are exhausted.
    "forwarder-errors": ("iterator-age", "dead-lettered"),
    "forwarder-throttles": ("iterator-age", "dead-lettered"),
    "retries-exhausted": ("dead-lettered",),
    "changes-lost": ("changes-lost",),
    "transform-errors": ("dead-lettered",),
    "transform-throttles": ("dead-lettered",),
    # The first one if the calls end in time, the second one otherwise.
    "transform-duration": ("requeued", "dead-lettered"),
    "transform-failed": ("dead-lettered",),
    "requeued": ("requeued",),
    "throttled-records": ("iterator-age", "dead-lettered"),
    "data-freshness": ("data-freshness",),
    "delivery-failed": ("data-freshness",),
    "failed-conversions": ("dead-lettered",),
    "partition-limit": ("dead-lettered",),
    "merge-failed": ("merge-failed",),
    "merge-late": ("merge-late",),
    # The first one fires earlier; with retention of the change log the second one is essential too.
    "merge-rows-at-risk": ("merge-late",),
    "crawler-failed": ("crawler-failed",),
    "backfill-failed": ("backfill-failed",),
}
"""By the name of their section, the alarms of which at least one fires."""
