"""Write what the code declares: columns, metrics, two JSON Schemas, tables within pages, and Grafana's dashboard.

A page has such a table between ``<!-- generated: NAME -->`` and ``<!-- /generated -->``.

python docs/generate.py
python docs/generate.py faults.xml     # also explanation/faults.md, from the results of its tests: see fault_table.py
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from pytest_twin.export.prometheus import metrics
from pytest_twin.export.prometheus.metrics import HISTOGRAM, Metric
from pytest_twin.loads.schedule import schema
from pytest_twin.model import attempt_row, columns, event, flaky_row, profile_row
from pytest_twin.model.columns import Column
from pytest_twin.plugin import fixtures, marks
from pytest_twin.report import json_document
from pytest_twin.settings import options
from pytest_twin.stressors import find_kinds
from pytest_twin.telemetry import probes

HERE = Path(__file__).parent
DASHBOARD = HERE.parent / "pytest_twin" / "export" / "grafana" / "dashboard.json"


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of Markdown."""
    lines = (f"| {' | '.join(line)} |\n".replace("|  |", "| |") for line in (heads, *rows))
    return next(lines) + "|" + "---|" * len(heads) + "\n" + "".join(lines)


def table(rows: tuple[Column, ...]) -> str:
    """Return columns as a table."""
    lines = ((f"`{row.name}`", row.unit, row.meaning) for row in rows)
    return markdown_table(("column", "unit", "meaning"), lines).rstrip()


def columns_page() -> str:
    """Return the page on the columns of the files in a run folder."""
    dataset = (columns.TIMESTAMP, columns.ELAPSED, *probes.all_columns(probes.find_modules()))
    ordered = tuple(dataset[at] for at in columns.order(dataset))
    return f"""# The columns

`docs/generate.py` writes this page from the declarations in the code.
MB and GB in names of columns are MiB and GiB (1024-based), as in the dataset of the original script collection.
A value that cannot be read is an empty cell, never zero.

## system_metrics_dataset.csv: a row is a sample

A row shows the state at the time of the sample; a change between two rows is not visible. Values from counters are
complete: CPU times, pressure, traffic, and the usage of the two process trees, including children that ended between
two rows.

At intervals below 0.1 s, CPU, memory, disks and networks of the host are still read ten times a second, and columns
that are read less often, as stated below, keep their rate. A share or a level is repeated in the rows until the next
reading. An amount "since the last row" is in the row of the reading, and the rows after it have zero. CPU, memory and
threads of the two process trees are read for every row.

In the folder of a test and in `twin_logger` (`samples()`, `peak` and `mean`), a share or an amount is empty if it
covers time before or after the test: in the first rows of the test, and in the first row after it. `during(nodeid)` and
`labelled()` of a run have only the rows of which all the time since the row before lies within the test; there too, a
cell that covers time before the test is empty.

All columns are read for the last row of a run, so the sum of an amount over all rows is what the kernel counted from
the start to the end of the run.

The first {sum(column.legacy is not None for column in dataset)} columns are those of the original dataset, in the same
order and units.

{table(ordered)}

`--twin-per-core` (`--per-core`) adds `cpu0_percent`, `cpu1_percent` and so on, one column for each CPU.
In a cgroup with limits, such as a container, both the columns of the host and those of the cgroup are filled; a share
"of the host" refers to the whole host, not to the limits of the cgroup.

## tests.csv: a row is an attempt of a test

All figures except `tree_peak_memory_MB` are exact, not sampled: they come from counters of the kernel that are read
before and after set-up, call and teardown. They are correct for a test of 3 ms too, and they exclude the work of the
recording. Sampled metrics of a test are in the rows of the dataset from `elapsed_s` on, for `duration_s`.

{table(attempt_row.COLUMNS)}

## annotations.csv: a row is an event

{table(event.COLUMNS)}

In the frame `events` of `pytest_twin.load`, these columns are in the place of `achieved`:

{table(event.AMOUNTS)}

## profile.csv: a row is one level of one load, for one test

`--twin-profile` writes this file.

{table(profile_row.COLUMNS)}

## flaky.csv: a row is one condition, for one test

`--twin-flaky` writes this file.

{table(flaky_row.COLUMNS)}
"""


def metrics_table(rows: Iterable[Metric]) -> str:
    """Return metrics as a table."""
    lines = []
    for row in rows:
        buckets = f" Buckets: {', '.join(f'{bound:g}' for bound in row.buckets)}." if row.type == HISTOGRAM else ""
        labels = ", ".join(f"`{label}`" for label in row.labels)
        lines.append((f"`{row.full_name}`", row.type, labels, row.help + buckets))
    return markdown_table(("metric", "type", "labels", "meaning"), lines).rstrip()


def metrics_page() -> str:
    """Return the page on the metrics for Prometheus."""
    of_host = dict.fromkeys(each.metric for each in metrics.OF_HOST)
    always = [each for each in metrics.all_metrics() if each not in of_host]
    return f"""# The metrics

`docs/generate.py` writes this page from the declarations in the code.
[A run in Prometheus](../how-to/prometheus.md) says how to get them there.

Units are base units: seconds, bytes, ratios from 0 to 1, degrees Celsius. A value that is not known has no series, and
a counter begins at 0 with each run. In a run on several hosts each metric of a host has the label `host`, `main` for
that of pytest itself.

{metrics_table(always)}

The label `unit` of an amount of a load is `ratio`, `cpus`, `bytes`, `bytes_per_second`, `operations_per_second` or
`count`. The two metrics of the heaviest tests need `--twin-prometheus-tests` (`--prometheus-tests`).

## With `--twin-prometheus-host` (`--prometheus-host`)

node_exporter has most of these, so they are exported on request only.

{metrics_table(of_host)}
"""


def options_table() -> str:
    """Return the options of the plugin as a table."""
    rows = []
    for name, option in options.OPTIONS.items():
        default = option.default
        shown = "off" if default is False else "" if default in {None, ()} else str(default)
        rows.append((f"`{options.flag(name)} {option.placeholder}".rstrip() + "`", shown, option.help))
    return markdown_table(("option", "default", ""), rows)


def marks_table() -> str:
    """Return the marks with their help."""
    rows = (mark.partition(": ") for mark in marks.MARKERS)
    return markdown_table(("mark", ""), ((f"`{name}`", text) for name, _, text in rows))


def fixtures_table() -> str:
    """Return the fixtures with the first line of their documentation."""
    names = sorted(marks.FIXTURES, reverse=True)
    docs = ((getattr(fixtures, name).__doc__ or "").replace("``", "`") for name in names)
    return markdown_table(("fixture", ""), zip((f"`{name}`" for name in names), docs, strict=True))


def run_schema_table() -> str:
    """Return the keys of run.json."""
    properties = json_document.schema()["properties"]
    rows = []
    for name, value in properties.items():
        within = ", ".join(f"`{key}`" for key in (value.get("items") or value).get("properties", {}))
        rows.append((f"`{name}`", value.get("description") or within or str(value.get("const", ""))))
    return markdown_table(("key", "value"), rows)


TABLES = {
    "options": options_table,
    "marks": marks_table,
    "fixtures": fixtures_table,
    "run-schema": run_schema_table,
}
_TABLE = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- /generated -->)", re.DOTALL)


def with_tables(text: str) -> str:
    """Return the text of a page with its tables as the code has them now."""
    return _TABLE.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], text)


def schema_page() -> str:
    """Return the JSON Schema of schedules."""
    return json.dumps(schema.json_schema(find_kinds()), indent=2) + "\n"


def run_schema_page() -> str:
    """Return the JSON Schema of the JSON document of a run."""
    return json.dumps(json_document.schema(), indent=2) + "\n"


PAGES = {
    "reference/columns.md": columns_page,
    "reference/metrics.md": metrics_page,
    "reference/schedule.schema.json": schema_page,
    "reference/run.schema.json": run_schema_page,
}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
    for path in sorted(HERE.rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        path.write_text(with_tables(text), encoding="utf-8")
    from dashboard import page as dashboard_page

    DASHBOARD.write_text(dashboard_page(), encoding="utf-8")
    if sys.argv[1:]:
        from fault_table import page as faults_page

        faults = faults_page([Path(junit) for junit in sys.argv[1:]])
        (HERE / "explanation" / "faults.md").write_text(faults, encoding="utf-8")


if __name__ == "__main__":
    main()
