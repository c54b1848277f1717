"""Names of earlier versions, which are rejected with the new name."""

from collections.abc import Mapping

RENAMED_SETTINGS: Mapping[str, Mapping[str, str]] = {
    "PartitionArgs": {
        "row_keys": "dynamic_partition_keys",
        "since_year": "projection_start_year",
        "time_source": "partition_time",
    },
    "SourceArgs": {"existing": "use_existing"},
    "ForwarderArgs": {
        "changes_per_record": "max_changes_per_record",
        "record_kib": "max_record_kib",
    },
    "TransformArgs": {"retries": "maximum_retry_attempts"},
    "BackfillArgs": {"retries": "maximum_retry_attempts"},
    "MonitoringArgs": {
        "topic_arn": "alarm_topic_arn",
        "emails": "alarm_emails",
        "late_forwarding_seconds": "max_iterator_age_seconds",
        "late_delivery_seconds": "max_data_freshness_seconds",
        "put_back_changes": "max_requeued_changes",
        "transform_slow_percent": "max_transform_duration_percent",
    },
    "QueryArgs": {"scan_limit_mib": "bytes_scanned_cutoff_mib"},
}
"""Old and new names of settings, by settings class."""

RENAMED_VALUES: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("PartitionArgs", "layout"): {"folders": "year_month_day", "dt": "date"},
    ("PartitionArgs", "partition_time"): {"arrival": "ingestion", "change": "event"},
    ("ForwarderArgs", "old_image"): {"removed": "on_remove"},
}
"""Old and new values of a setting, by settings class and setting."""
