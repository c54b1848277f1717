"""The model of the merge stage has the results of the SQL."""

from datetime import date
from unittest.mock import patch

import pytest

from tests.simulation.merge_model import ModelTable
from tests.simulation.merge_rows import Days, LoggedRow, Position, Shown, difference
from tests.simulation.merge_tables import SqlTable
from tests.simulation.merging import MergeStage
from tests.simulation.run import simulate

SEEDS = 40


class BothTables:
    """Runs each statement as SQL and in the model."""

    compared = 0

    def __init__(self, stage: MergeStage) -> None:
        self._sql, self._model = SqlTable(stage.scenario), ModelTable(stage.zone)

    def log(self, rows: list[LoggedRow]) -> None:
        self._sql.log(rows)
        self._model.log(rows)

    def add_column(self) -> None:
        self._sql.add_column()
        self._model.add_column()

    def merge(self, days: Days, now: float) -> None:
        self._sql.merge(days, now)
        self._model.merge(days, now)
        self._compare()

    def merge_at_once(self, days: Days, now: float) -> None:
        self._sql.merge_at_once(days, now)
        self._model.merge_at_once(days, now)
        self._compare()

    def expire(self, tombstone_days: int, success_day: date) -> None:
        self._sql.expire(tombstone_days, success_day)
        self._model.expire(tombstone_days, success_day)
        self._compare()

    def state(self, hours: int, now: float) -> list[Shown]:
        state, copies = self._sql.state(hours, now), self._model.copies(hours, now)
        assert difference(state, copies) == ""
        return state

    def merged_state(self) -> list[Shown]:
        return self._sql.merged_state()

    def merged_keys(self) -> list[tuple[str, Position, int]]:
        return self._sql.merged_keys()

    def _compare(self) -> None:
        assert self._sql.merged_keys() == self._model.merged_keys()
        BothTables.compared += len(self._model.merged_keys())


@pytest.mark.parametrize("first", range(0, SEEDS, 10))
def test_the_model_has_the_results_of_the_sql(first: int) -> None:
    BothTables.compared = 0
    with patch.object(MergeStage, "merged_table", lambda stage: BothTables(stage)):
        for seed in range(first, first + 10):
            assert simulate(seed).violations == []
    assert BothTables.compared > 50
