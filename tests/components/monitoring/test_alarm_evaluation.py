"""Evaluation of alarms on the examples of CloudWatch's documentation.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from dataclasses import replace

import pytest

from streaming_etl.components.monitoring.alarms import Alarm
from tests.support.cloudwatch import Metrics, is_in_alarm

ALARM = Alarm(name="x", description="x", metric_source="mapping", metric="x", evaluation_periods=3)
POINTS = {"0": 0.0, "X": 1.0, "-": None}


@pytest.mark.parametrize(
    ("data_points", "to_alarm", "breaching", "not_breaching"),
    [
        ("0-X-X", 3, False, False),
        ("0----", 3, False, False),
        ("-----", 3, True, False),
        ("0XX-X", 3, True, True),
        ("----X", 3, True, False),
        ("X----", 3, True, False),
        ("0-X-X", 2, True, True),
        ("00X0X", 2, True, True),
        ("0-X--", 2, True, False),
        ("----0", 2, True, False),
        ("----X", 2, True, False),
    ],
)
def test_evaluates_the_documented_examples(
    data_points: str, to_alarm: int, breaching: bool, not_breaching: bool
) -> None:
    points = [POINTS[letter] for letter in data_points]
    alarm = replace(ALARM, datapoints_to_alarm=to_alarm)
    missing_is_failure = replace(alarm, treat_missing_as_breaching=True)
    assert is_in_alarm(alarm, points) is not_breaching
    assert is_in_alarm(missing_is_failure, points) is breaching


def test_zero_for_missing_data_fires_when_the_last_period_ends() -> None:
    """With missing data, CloudWatch also evaluates the successes of earlier periods."""
    metrics = Metrics(start=0.0)
    for hour in range(10):
        metrics.put("merge_state_machine", "x", hour * 3600.0)
    alarm = replace(
        ALARM,
        metric_source="merge_state_machine",
        comparison="LessThanThreshold",
        threshold=1,
        period_seconds=3600,
        evaluation_periods=6,
        datapoints_to_alarm=6,
        treat_missing_as_breaching=True,
    )
    zero = replace(alarm, missing_is_zero=True)
    assert metrics.firing([zero], until=30 * 3600.0) == {"x": 16 * 3600.0}
    assert metrics.firing([alarm], until=30 * 3600.0) == {"x": 18 * 3600.0}


def test_the_statistic_of_a_period_is_compared_with_the_threshold() -> None:
    metrics = Metrics(start=1000.0)
    for time in (1000, 1299, 1300):
        metrics.put("mapping", "x", time, 2)
    alarm = replace(ALARM, evaluation_periods=1, threshold=3)
    assert metrics.firing([alarm], until=1900.0) == {"x": 1300.0}
    assert metrics.firing([replace(alarm, threshold=4)], until=1900.0) == {}
    assert metrics.firing([replace(alarm, statistic="Maximum")], until=1900.0) == {}
