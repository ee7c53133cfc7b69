"""What an event of the old log asked for."""

import pytest

from pytest_twin.run_folder.legacy_events import convert_rows


@pytest.mark.parametrize(
    ("row", "kind", "target"),
    [
        (["start", r"cpu_spike | PID=42 | python stressors\cpu_stress.py --procs 8 --duration 180"], "cpu", "8"),
        (["start", "memory_load | PID=1 | python m/mem_stress.py --step_mb 600 --steps 9"], "memory", "5400MiB"),
        (["2026-01-01 00:05:00", "disk_io", "python disk_stress.py --size_mb 800"], "disk", "800MiB"),
        (["start", "cpu_spike | PID=7 | rm -rf /"], "cpu", ""),
    ],
)
def test_the_command_of_an_old_event_tells_how_much_it_asked_for(row, kind, target):
    rows, damaged = convert_rows([["2026-01-01 00:00:00", *row]])
    assert (rows[0]["type"], rows[0]["target"], damaged) == (kind, target, 0)
