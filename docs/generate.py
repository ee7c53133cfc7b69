"""Writes the parts of the documentation that the code declares: columns.md, two JSON Schemas, the README's options.

python docs/generate.py
python docs/generate.py faults.xml     # faults.md too, from a run of its tests: see fault_table.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pytest_twin.loads.schedule import schema
from pytest_twin.model import attempt_row, columns, event, profile_row
from pytest_twin.model.columns import Column
from pytest_twin.report import json_document
from pytest_twin.settings import options
from pytest_twin.stressors import find_kinds
from pytest_twin.telemetry import probes

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
OPTIONS = ("<!-- options -->\n", "<!-- /options -->")  # between them the README has the options


def table(rows: tuple[Column, ...]) -> str:
    """Columns as a table."""
    lines = [f"| `{row.name}` | {row.unit} | {row.meaning} |" for row in rows]
    return "\n".join(["| column | unit | meaning |", "|---|---|---|", *lines])


def columns_page() -> str:
    """What is in the files of a run folder."""
    dataset = (columns.TIMESTAMP, columns.ELAPSED, *probes.columns(probes.modules()))
    ordered = tuple(dataset[at] for at in columns.order(dataset))
    return f"""# The columns

This page is written by `docs/generate.py` from the declarations in the code.
MB and GB in the names are 1024-based (MiB and GiB), as in the dataset of the script collection that this grew out of.
A value that cannot be read is an empty cell, never a zero.

## system_metrics_dataset.csv: a row is a sample

Each row is a sample: what changes between two rows is not seen, but for what counters tell, which miss nothing: CPU
times, pressure, traffic, and what the two process trees used, children that ended in between counted too.

Where rows come faster than ten a second, the host's CPU, memory, disks and networks are still read ten times a
second, and what is said below to be read more seldom is: a share or a level stands in the rows until the next
reading, and an amount "since the last row" is in the row that was read, with zeros after it. CPU, memory and threads
of the two process trees are read for every row.

In the folder of one test, in `twin_logger.samples()`, `peak` and `mean`, a share or an amount is empty in the first
rows of the test, where it is of the time before it too, and in the first row after it.

The last row of a run comes when the run ends, and everything is read for it: what the amounts of a column add up to is
what the kernel has counted from the beginning of the run to its end.

The first {sum(column.legacy is not None for column in dataset)} columns are those of the old dataset, in their
order and units.

{table(ordered)}

With `--twin-per-core` (`--per-core`) there are `cpu0_percent`, `cpu1_percent` and so on besides, one for each CPU.
Where a cgroup, such as a container's, allows less than the host has, the columns of both are filled; a share "of the
host" is never one of what the cgroup allows.

## tests.csv: a row is an attempt of a test

But for the last column all figures here are exact, not sampled: they are the kernel's own counters, read at the borders
of set-up, call and teardown, so a test of 3 ms has true ones too, and what the recording itself does is not in them.
What else only samples can tell is in the dataset above, for the time from `elapsed_s` on, for `duration_s`.

{table(attempt_row.COLUMNS)}

## annotations.csv: a row is an event

{table(event.COLUMNS)}

## profile.csv: a row is one level of one load, for one test

Written by `--twin-profile`.

{table(profile_row.COLUMNS)}
"""


def options_table() -> str:
    """The options of the plugin as a table."""
    lines = ["| option | default | |", "|---|---|---|"]
    for name, option in options.options().items():
        default = options.default_of(name)
        shown = "off" if default is False else "" if default in {None, ()} else str(default)
        flag = f"{options.flag(name)} {option.metavar}".rstrip()
        lines.append(f"| `{flag}` | {shown} | {option.help} |".replace("|  |", "| |"))
    return "\n".join([*lines, ""])


def readme() -> str:
    """The README, with the options as they are."""
    begin, end = OPTIONS
    before, _, rest = README.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    return before + begin + options_table() + end + after


def schema_page() -> str:
    """The JSON Schema of schedules."""
    return json.dumps(schema.schema(find_kinds()), indent=2) + "\n"


def run_schema_page() -> str:
    """The JSON Schema of a run's document."""
    return json.dumps(json_document.schema(), indent=2) + "\n"


PAGES = {"columns.md": columns_page, "schedule.schema.json": schema_page, "run.schema.json": run_schema_page}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
    README.write_text(readme(), encoding="utf-8")
    if sys.argv[1:]:
        from fault_table import page as faults_page

        (HERE / "faults.md").write_text(faults_page([Path(junit) for junit in sys.argv[1:]]), encoding="utf-8")


if __name__ == "__main__":
    main()
