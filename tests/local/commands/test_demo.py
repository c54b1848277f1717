"""The demo: the dev stack with its sample on the embedded AWS."""

import pytest

from local import console
from local.commands.demo import deploy_stack, run_sample, started
from local.sample.writes import samples


@pytest.mark.e2e
def test_the_dev_stack_delivers_the_sample(capsys: pytest.CaptureFixture[str]) -> None:
    with started("ap-northeast-1") as emulator:
        stack = deploy_stack(emulator)
        orders, shipments = run_sample(emulator, stack.pipelines)
        console.print_reports([orders, shipments])

    assert (orders.problems, shipments.problems) == ({}, {})
    assert orders.changes + shipments.changes == 448
    rows = [sum(one.rows for one in report.partitions) for report in (orders, shipments)]
    assert rows == [orders.changes - 1, shipments.changes]
    [failed] = orders.failed_changes
    assert failed.error_code == "Lambda.ProcessingFailedStatus"
    output = capsys.readouterr().out
    assert failed.event_id in output
    [invalid] = [
        write for write in samples()["orders"].writes if write.item and "store_id" not in write.item
    ]
    assert invalid.id not in output
