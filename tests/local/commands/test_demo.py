"""The demo: the dev stack with its sample on the embedded AWS."""

import pytest

from local import console
from local.commands.demo import deploy_stack, run_merges, run_sample, started
from local.sample.report import PipelineReport
from local.sample.writes import samples


@pytest.mark.e2e
def test_the_dev_stack_delivers_the_sample(capsys: pytest.CaptureFixture[str]) -> None:
    with started("ap-northeast-1") as emulator:
        stack, _ = deploy_stack(emulator)
        runs, reports = run_sample(emulator, stack.pipelines, samples())
        [merge] = run_merges(runs)
        console.print_reports(reports)

    orders, shipments, shop = reports
    assert [report.problems for report in reports] == [{}, {}, {}]
    assert [report.changes for report in reports] == [247, 201, 151]
    rows = {
        table.name: sum(one.rows for one in table.partitions)
        for report in reports
        for table in report.tables
    }
    assert rows == {
        "orders": orders.changes - 1,
        "shipments": shipments.changes,
        "shop.orders": 55,
        "shop.customers": 31,
        "shop.leads": 53,
    }
    # Some items are leads first and customers later: such a change is a row of both.
    assert (shop.unmatched, shop.counted_unmatched) == (17, 17)
    assert sum(len(table.expected) for table in shop.tables) == 151 - 17 + moved(shop)
    assert moved(shop) == 5
    assert [(one.change, one.lake_table, one.event_type) for one in shop.moved] == [
        (1, "shop.leads", "INSERT"),
        (2, "shop.leads", "REMOVE"),
        (2, "shop.customers", "INSERT"),
    ]
    assert all(table.current_state for report in reports for table in report.tables)
    assert (merge.name, merge.problems) == ("shop.orders", {})
    assert [(one.log_rows, one.merged_rows, one.tombstones, one.items) for one in merge.states] == [
        (55, 0, 0, 19),
        (55, 24, 5, 19),
        (0, 24, 5, 19),
    ]
    [failed] = orders.tables[0].failed_changes
    assert failed.error_code == "Lambda.ProcessingFailedStatus"
    output = capsys.readouterr().out
    assert failed.event_id in output
    [invalid] = [
        write for write in samples()["orders"].writes if write.item and "store_id" not in write.item
    ]
    assert invalid.key["id"] not in output


def moved(report: PipelineReport) -> int:
    """The number of changes that move an item between lake tables."""
    ids = [id_ for table in report.tables for id_ in table.event_types]
    return len(ids) - len(set(ids))
