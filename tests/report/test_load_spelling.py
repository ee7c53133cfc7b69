"""A load is spelled ``cpu=75%`` in every output for people."""

from __future__ import annotations

import re

import pytest
from made_profiles import profile_rows, profile_text
from made_runs import busy_run

from pytest_twin.export.grafana.annotations import annotations_of
from pytest_twin.report.formats import FORMATS
from pytest_twin.report.terminal import summary
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.telemetry.sampler import SamplerStats

LOAD = re.compile(r"\b(?:cpu|mem|memory|disk|membw)(?: |: ?|&#58;)\d[\d.]*(?: ?%|MB/s|GiB)")


@pytest.fixture
def made(tmp_path):
    """A run with loads, one of which came short, and with a profile in which a test fails."""
    run = busy_run(tmp_path)
    run.write()
    rows = profile_rows(cpu=(1, 1.1, 1.5, 2, 3), disk=(1, 1.1, 1.2, 1.3, 1.4))
    failing = [row | {"runs": "5", "failures": "3" if row["level_percent"] == "75" else "0"} for row in rows]
    (tmp_path / "profile.csv").write_text(profile_text(failing), encoding="utf-8")
    return run


def outputs(made):
    of_run = made.summary()
    yield "terminal", "\n".join(summary(RunFolder(made.folder), SamplerStats(), 0, made.folder))
    yield from ((name, form.render(of_run)) for name, form in FORMATS.items())
    yield "grafana", "\n".join(each.text for each in annotations_of(of_run))


def test_no_output_spells_a_load_in_another_way(made):
    found = dict(outputs(made))
    assert {name: set(LOAD.findall(text)) for name, text in found.items()} == {name: set() for name in found}
    for name in ("terminal", "html", "md"):
        assert "3 of 5 under cpu=75%" in found[name].replace("\\", "")
        assert "3 of 5 under disk=60MB/s" in found[name].replace("\\", "")
    for name in ("terminal", "html", "grafana"):
        assert "cpu=75%" in found[name]
