"""Rows of flaky.csv: how often a test failed under one condition, in the search for resource-affected tests."""

from __future__ import annotations

from pytest_twin.model.columns import TIMESTAMP, Column

BREAKS, BY_CHANCE, HOLDS = "breaks", "flaky by itself", "holds"
NOT_KNOWN, NOT_ALONE = "not known", "cannot run alone"
VERDICTS = (BREAKS, BY_CHANCE, NOT_ALONE, NOT_KNOWN, HOLDS)  # in the order of reports
IDLE = "idle"  # the condition without load and without constraint

COLUMNS = (
    TIMESTAMP,
    Column("nodeid", "", "Node ID of the test.", None),
    Column("host", "", "The host, in merged runs of several hosts; else empty.", None),
    Column(
        "verdict",
        "",
        "The verdict on the test, the same in all of its rows: `breaks` (fails significantly more often under a "
        "condition than idle), `flaky by itself` (fails idle too, but not always), `holds` (never failed, and was run "
        "under the harshest conditions), `not known` (too few runs or failures), or `cannot run alone` (always fails "
        "in a process of its own).",
        None,
    ),
    Column(
        "is_decisive",
        "",
        "1 in the row that the verdict on the test is about: the mildest condition that breaks it, idle for a test "
        "that is flaky by itself or cannot run alone, the harshest CPU quota for one that holds, the condition with "
        "the most failures for one that failed too rarely for a verdict; else 0.",
        0,
    ),
    Column("condition", "", "The load and the constraint that the test ran under; `idle` for none.", None),
    Column(
        "family",
        "",
        "Conditions of one family differ only in severity: `idle`, `cpu quota`, `cpus`, `cpu load`, `disk load`, "
        "`memory`, or `combined` for two at once.",
        None,
    ),
    Column("severity", "", "Position of the condition in its family: 1 for the mildest, 0 for idle.", 0),
    Column(
        "runs",
        "",
        "Number of runs that count; a failure beside other tests does not, as long as none alone has failed too.",
        0,
    ),
    Column("failures", "", "Number of these runs that failed.", 0),
    Column("failure_rate", "", "Their share, from 0 to 1; empty without runs.", 4),
    Column(
        "failure_rate_low", "", "Lower bound of the 95 % confidence interval of the share (Clopper and Pearson).", 4
    ),
    Column("failure_rate_high", "", "Upper bound of the same interval.", 4),
    Column(
        "fails_below",
        "",
        "The share of failures is below this with 95 % confidence (one-sided bound).",
        4,
    ),
    Column(
        "p_value",
        "",
        "Probability of as many failures or more if the test failed as often idle (one-sided test of Fisher); empty "
        "for idle and without runs.",
        6,
    ),
    Column("q_value", "", "The same, corrected for all rows of the search (Benjamini and Hochberg).", 6),
    Column("duration_s", "s", "Median duration of a run that ended: set-up, call and teardown."),
    Column("duration_min_s", "s", "The shortest duration."),
    Column("duration_max_s", "s", "The longest duration."),
    Column("cpu_s", "s", "Median CPU time of a run: the process of the test and its ended children."),
    Column("throttled_s", "s", "Median time for which the constraint stopped a run; empty without a CPU quota."),
    Column(
        "cpu_wait_s",
        "s",
        "Median time for which the threads of a run were runnable without a CPU, including `throttled_s` where a "
        "control group throttles (Linux: schedstat; threads that are alive at the end).",
    ),
    Column(
        "disk_wait_s",
        "s",
        "Median time for which a run waited for block I/O (Linux, where delay accounting is enabled).",
    ),
    Column("peak_memory_MB", "MiB", "Largest peak resident memory of the process of a run."),
    Column("error", "", "First line of the first failure; `flaky_failures.json` has all of it.", None),
    Column("command", "", "Command that runs the test under this condition again; empty for idle.", None),
)
FIELDS = tuple(column.name for column in COLUMNS)
