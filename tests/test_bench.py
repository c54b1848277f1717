"""The benchmark runs, and compares handlers that do the same work; no test looks at its times."""

import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from streaming_etl import PartitionArgs, StreamingEtlPipelineArgs
from streaming_etl.components.table.lake_table import transform_config
from streaming_etl.components.table.transform_module import read_transform_module
from tests.components.pipelines import dev_stack
from tools.bench import candidate as ours
from tools.bench import five_columns, images, memory, program_bench, stub, timing
from tools.bench import tables as screen
from tools.bench.events import SHAPES, stream_event, stream_records
from tools.bench.program_child import bare
from tools.bench.program_child import ours as ours_program
from tools.bench.report import program_tables, transform_tables
from tools.bench.transform_bench import AT_MOST, HEADLINE, check, contenders, transform_cases

ROOT = Path(__file__).resolve().parent.parent
NAMES = [shape.name for shape in SHAPES]


def test_images_have_the_sizes_that_the_page_tells() -> None:
    for shape in SHAPES:
        stream = [record["dynamodb"] for record in islice(stream_records(shape), 40)]
        found = [it.get("NewImage") or it["OldImage"] for it in stream]
        sizes = [len(images.compact(image).encode()) for image in found]
        assert sum(sizes) / len(sizes) == pytest.approx(shape.image_bytes, rel=0.02)


def test_the_same_changes_come_at_every_run_in_the_mix_that_the_page_tells() -> None:
    event, again = (stream_event(SHAPES[0], 6_000_000, 40) for _ in range(2))
    assert event == again
    kinds = [record["eventName"] for record in event.parsed()["Records"]]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "MODIFY": 24,
        "INSERT": 10,
        "REMOVE": 6,
    }


def test_all_contenders_make_the_same_rows_and_are_measured_in_every_turn() -> None:
    found = transform_cases(SHAPES, 20_000)
    taken = timing.one_round(contenders, [it.case.event for it in found], first=1, turns=2)
    assert [set(samples) for samples in taken] == [set(contenders())] * len(found)
    assert {len(seconds) for samples in taken for seconds in samples.values()} == {2}
    for it, samples in zip(found, taken, strict=True):
        it.case.samples.update(samples)
    headline, other = transform_tables(found)
    assert [HEADLINE in table.title for table in (headline, other)] == [True, False]
    assert len(headline.rows) == len(other.rows) == len(AT_MOST) * len(SHAPES)


def test_a_contender_that_leaves_a_change_out_is_not_measured() -> None:
    found = transform_cases(SHAPES[:1], 20_000)[0]
    handlers = contenders()
    transform = handlers["ours csv"]

    def forgetful(event: dict[str, object]) -> object:
        answer = transform(event)
        answer["records"].pop()
        return answer

    with pytest.raises(ValueError, match="csv: "):
        check(handlers | {"ours csv": forgetful}, found.case.event)


def test_the_pipeline_measured_is_the_one_that_the_component_deploys() -> None:
    module = read_transform_module(five_columns.__file__)
    args = StreamingEtlPipelineArgs(
        table_name="orders",
        transform_module=five_columns.__file__,
        format="csv",
        partitions=PartitionArgs(),
    )
    assert ours.pipeline_settings("csv") == transform_config(args, module)


def test_the_command_tells_of_all_parts_in_markdown() -> None:
    command = [sys.executable, "-m", "tools.bench", "transform", "forwarder", "--markdown"]
    sizes = ["--event-bytes", "20000", "--rounds", "1"]
    done = subprocess.run(
        [*command, *sizes], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    titles = [line for line in done.stdout.splitlines() if line.startswith("### ")]
    assert [title.split()[1].rstrip(",") for title in titles] == [
        "Transform",
        "Transform",
        "Forwarder",
        "What",
    ]
    assert all(f"| {name} |" in done.stdout for name in NAMES)


def test_memory_is_that_of_a_process_that_took_the_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    path = tmp_path / "event.json"
    with stub.running() as firehose:
        for name, value in firehose.environment().items():
            monkeypatch.setenv(name, value)
        path.write_text(stream_event(SHAPES[0], 20_000, 10_000).text, encoding="utf-8")
        forwarder = memory.peak("forwarder", path)
        path.write_text(
            memory.transform_event(SHAPES[0], HEADLINE, 2_000_000, packed=True), encoding="utf-8"
        )
        transform = memory.peak("transform json", path)
        assert firehose.tally().changes > 0
    # The text and what is parsed from it.
    assert memory.peak("interpreter") + 4 < transform < forwarder


def test_the_page_has_a_place_for_the_figures() -> None:
    page = screen.PAGE.read_text()
    for block in screen.BLOCKS:
        assert "42 µs" in screen.written(page, block, "42 µs")


@pytest.mark.parametrize("given", [["transform"], ["program", "--quick"], ["--shape", "small"]])
def test_the_page_takes_no_part_of_its_figures(given: list[str]) -> None:
    command = [sys.executable, "-m", "tools.bench", *given, "--write"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--write takes all shapes, not --quick" in done.stderr


def test_the_program_and_bare_pulumi_register_the_same_resources() -> None:
    [found] = program_bench.measure([1], rounds=1)
    [table] = program_tables([found])
    assert table.rows[0][:2] == ["1", str(found.resources)]
    assert found.resources == len([node for node in dev_stack().nodes if "orders" in node.name])
    names = {(node.type, node.name) for node in bare(ours_program(2))(2).nodes}
    assert names == {(node.type, node.name) for node in ours_program(2).nodes}


def test_a_program_that_registers_less_is_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    resources = iter([72, 71])
    monkeypatch.setattr(
        program_bench, "run", lambda *_: program_bench.Run(1.0, 1.0, next(resources))
    )
    with pytest.raises(ValueError, match="1 tables: the contenders do not register the same"):
        list(program_bench.measure([1], rounds=1))
