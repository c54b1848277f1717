"""The status as an HTML page.

It loads nothing else and runs no script.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Optional

from streaming_etl.ops.status.collect import (
    FailureCount,
    LakeTableStatus,
    PipelineStatus,
    StackStatus,
)
from streaming_etl.ops.status.metrics import HOURS
from streaming_etl.ops.status.problems import StatusProblem
from streaming_etl.ops.status.render import (
    ago_cell,
    alarm_cell,
    failures_cell,
    number_cell,
    run_cell,
    seconds_cell,
    summary,
)
from streaming_etl.stack.console import counted, printable
from streaming_etl.stack.errors import CommandError

STYLE = """\
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #fff; --text: #1d2733; --muted: #5b6875; --line: #dde2e8;
  --ok: #14713a; --ok-fill: #dff3e6; --bad: #a12418; --bad-fill: #fbe4e1; --bar: #3569b8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161b; --card: #1b2128; --text: #e4e9ef; --muted: #9aa7b4; --line: #303944;
    --ok: #7fd6a0; --ok-fill: #17382a; --bad: #ffab9f; --bad-fill: #4a201b; --bar: #7eabef;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem; max-width: 96rem; background: var(--page); color: var(--text);
  font: 0.95rem/1.45 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif;
}
h1 { margin: 0; font-size: 1.4rem; }
h2 { margin: 1.75rem 0 0.6rem; font-size: 1.05rem; }
header { display: flex; flex-wrap: wrap; gap: 0.4rem 1rem; align-items: baseline; }
header p { margin: 0; color: var(--muted); }
section, .scroll {
  background: var(--card); border: 1px solid var(--line); border-radius: 0.5rem;
}
section { padding: 0.7rem 1rem; margin-bottom: 0.6rem; border-left: 0.3rem solid var(--bad); }
section p { margin: 0.15rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: 0.5rem 0.55rem; text-align: left; }
th { color: var(--muted); font-size: 0.8rem; font-weight: 600; vertical-align: bottom; }
td { border-top: 1px solid var(--line); white-space: nowrap; }
td:last-child { white-space: normal; min-width: 7rem; }
tr.same td:nth-child(-n+6) { border-top: 0; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.state { padding: 0.1rem 0.5rem; border-radius: 1rem; font-size: 0.82rem; font-weight: 600; }
.ok { color: var(--ok); background: var(--ok-fill); }
.attention { color: var(--bad); background: var(--bad-fill); }
.bad { color: var(--bad); font-weight: 600; }
.muted { color: var(--muted); }
code {
  display: block; padding: 0.35rem 0.6rem; overflow-x: auto; border-radius: 0.3rem;
  background: var(--page); font: 0.85rem ui-monospace, "DejaVu Sans Mono", monospace;
}
svg { display: block; fill: var(--bar); }
footer { margin-top: 1.2rem; color: var(--muted); font-size: 0.82rem; }
"""

HEAD = (
    ("Pipeline", ""),
    ("Status", ""),
    ("Alarms", "number"),
    ("Stream age", "number"),
    ("Failed batches", "number"),
    ("Changes today", "number"),
    ("Lake table", ""),
    ("Lag p90", "number"),
    ("Firehose age", "number"),
    ("Error objects", "number"),
    ("Records today", "number"),
    ("Records, 24 hours", ""),
    ("Last delivery", ""),
    ("Merge or crawl", ""),
)
OF_PIPELINE = 6
"""Columns of the pipeline; the others are of its lake tables."""
BAR, GAP, HEIGHT = 3, 1, 26


def write_page(path: Path, status: StackStatus, refresh_seconds: Optional[float] = None) -> None:
    """Write the page; a reader never sees a part of it.

    Raises CommandError when the file cannot be written.
    """
    incomplete = path.with_name(f".{path.name}.incomplete")
    try:
        incomplete.write_text(page(status, refresh_seconds), encoding="utf-8")
        incomplete.replace(path)
    except OSError as error:
        raise CommandError(
            f"--html {path} cannot be written: {error.strerror}. Name a file in a directory that "
            "you may write.",
            code="page-not-writable",
            path=str(path),
        ) from None


def page(status: StackStatus, refresh_seconds: Optional[float] = None) -> str:
    """Return the page, with names, counts and times only."""
    title = f"{status.stack}: status"
    refresh = ""
    if refresh_seconds is not None:
        refresh = f'<meta http-equiv="refresh" content="{refresh_seconds:g}">\n'
    rows = "".join(row for each in status.pipelines for row in _rows(each, status.read_at))
    head = "".join(f'<th class="{kind}" scope="col">{name}</th>' for name, kind in HEAD)
    pipelines = counted(len(status.pipelines), "pipeline")
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{refresh}<title>{_text(title)}</title>
<style>
{STYLE}</style>
</head>
<body>
<header>
<h1>{_text(status.stack)}</h1>
{_state(status.state)}
<p>{pipelines}, read at {status.read_at:%Y-%m-%d %H:%M:%S} UTC</p>
</header>
<h2>{_text(summary(status).rstrip(":"))}</h2>
{"".join(_problem(pipeline, each) for pipeline in status.pipelines for each in pipeline.problems)}
<h2>Pipelines</h2>
<div class="scroll">
<table>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}</tbody>
</table>
</div>
<footer>Today is since midnight UTC. "-" is no traffic. A record of Firehose holds one or more
changes. The columns are explained in docs/operate.md.</footer>
</body>
</html>
"""


def _problem(pipeline: PipelineStatus, problem: StatusProblem) -> str:
    title = f"{pipeline.name}.{problem.lake_table}" if problem.lake_table else pipeline.name
    see = f' <span class="muted">See {_text(problem.see)}.</span>' if problem.see else ""
    command = f"<code>{_text(problem.command)}</code>\n" if problem.command else ""
    return (
        f"<section>\n<p><strong>{_text(title)}</strong> {_text(problem.text)}{see}</p>\n"
        f"{command}</section>\n"
    )


def _rows(pipeline: PipelineStatus, now: datetime) -> Iterable[str]:
    own = [
        f"<strong>{_text(pipeline.name)}</strong>",
        _state(pipeline.state),
        _marked(alarm_cell(pipeline), bool(pipeline.in_alarm)),
        seconds_cell(pipeline.iterator_age_seconds),
        _marked(failures_cell(pipeline.failed_batches), _has(pipeline.failed_batches)),
        number_cell(pipeline.changes_today),
    ]
    for index, table in enumerate(pipeline.lake_tables.values()):
        cells = [*(own if index == 0 else [""] * OF_PIPELINE), *_table_cells(table, now)]
        kinds = (kind for _, kind in HEAD)
        columns = "".join(
            f'<td class="{kind}">{cell}</td>' for cell, kind in zip(cells, kinds, strict=True)
        )
        yield f'<tr class="{"same" if index else "first"}">{columns}</tr>\n'


def _table_cells(table: LakeTableStatus, now: datetime) -> list[str]:
    run = table.last_run
    return [
        _text(table.title),
        seconds_cell(table.lag_seconds),
        seconds_cell(table.data_freshness_seconds),
        _marked(failures_cell(table.error_records), _has(table.error_records)),
        number_cell(table.records_today),
        sparkline(table.hourly_records),
        ago_cell(table.last_delivery, now),
        _marked(run_cell(run, now), run is not None and run.failed is not None),
    ]


def _state(state: str) -> str:
    return f'<span class="state {state}">{state}</span>'


def _has(count: Optional[FailureCount]) -> bool:
    """Return whether there are objects, or their number is unknown."""
    return count is None or count.objects > 0


def _marked(text: str, bad: bool) -> str:
    return f'<span class="bad">{_text(text)}</span>' if bad else _text(text)


def sparkline(values: Sequence[float]) -> str:
    """Return a bar for each hour, with the numbers as its title."""
    width, most = HOURS * (BAR + GAP), max(values, default=0.0)
    total = counted(round(sum(values)), "record")
    bars = []
    for index, value in enumerate(values):
        # An hour without records is a thin line.
        height = max(1, round(HEIGHT * value / most)) if most else 1
        x, y = index * (BAR + GAP), HEIGHT - height
        bars.append(f'<rect x="{x}" y="{y}" width="{BAR}" height="{height}"/>')
    label = f"{total} in 24 hours, at most {most:,.0f} in an hour"
    return (
        f'<svg role="img" aria-label="{label}" width="{width}" height="{HEIGHT}" '
        f'viewBox="0 0 {width} {HEIGHT}"><title>{label}</title>{"".join(bars)}</svg>'
    )


def _text(text: str) -> str:
    return escape(printable(text))
