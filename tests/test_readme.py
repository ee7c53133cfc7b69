"""What the documentation says is what the code does."""

from __future__ import annotations

import json
import re
import runpy
import tomllib
from pathlib import Path

import pytest

from pytest_twin.analysis.fidelity.gates import limit_declarations, parse_gates
from pytest_twin.loads.constraint import parse_constraint
from pytest_twin.loads.parser import parse_load
from pytest_twin.loads.schedule.parser import parse_schedule
from pytest_twin.model.machine_formats.parser import parse_text
from pytest_twin.settings import options
from pytest_twin.stressors import find_kinds

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def generated():
    """What writes the parts of the documentation that the code declares."""
    return runpy.run_path(str(ROOT / "docs" / "generate.py"))


def test_the_table_of_options_is_that_of_the_settings(generated):
    assert generated["readme"]() == README
    assert "| `--twin-interval SECONDS` | 0.1 | seconds between two samples |" in README


@pytest.mark.parametrize("page", ["columns.md", "metrics.md", "schedule.schema.json", "run.schema.json"])
def test_pages_that_the_code_declares_are_up_to_date(page, generated):
    assert (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8") == generated["PAGES"][f"reference/{page}"]()


def test_the_schedule_of_the_readme_can_be_read():
    text = next(block for block in re.findall(r"```json\n(.*?)```", README, re.DOTALL) if "events" in block)
    recording = "timestamp,value\n" + "".join(f"2026-01-01 00:00:0{second},50\n" for second in range(3))
    assert len(parse_schedule(text, "README.md", find_kinds(), lambda _: parse_text(recording)).events) == 6


def test_every_mark_of_the_readme_can_be_read():
    marks = re.findall(r"@pytest\.mark\.stress\((.+?)\)", README)
    assert len(marks) == 2
    for mark in marks:
        words = dict(re.findall(r'(\w+)="([^"]+)"', mark))
        assert parse_load(words, find_kinds())


@pytest.mark.parametrize("page", ["README.md", *map(str, sorted((ROOT / "docs").rglob("*.md")))])
def test_every_link_of_a_page_leads_somewhere(page):
    for target in re.findall(r"\]\((?!https:)([^)#]+)\)", (ROOT / page).read_text(encoding="utf-8")):
        assert ((ROOT / page).parent / target).exists(), target


def test_every_option_and_constraint_of_the_page_on_flaky_tests_is_one():
    text = (ROOT / "docs" / "how-to" / "flaky-tests.md").read_text()
    known = {options.flag(name) for name in options.options()}
    assert set(re.findall(r"--twin-[a-z-]+", text)) <= known
    constraints = re.findall(r'--twin-constrain "?([a-z]+=[^ "]+)', text)
    assert len(constraints) > 3
    assert all(parse_constraint(each) for each in constraints)


def test_the_page_on_replays_has_every_gate_with_its_option():
    text = (ROOT / "docs" / "how-to" / "replay.md").read_text()
    assert set(re.findall(r"--(m(?:in|ax)-[a-z-]+)", text)) == {name.replace("_", "-") for name in limit_declarations()}
    assert parse_gates(
        tomllib.loads(re.search(r"```toml\n(.*?)```", text, re.DOTALL)[1])["tool"]["pytest-twin"]["gates"]
    )


def test_the_examples_of_schedules_fit_the_published_schema():
    published = json.loads((ROOT / "docs" / "reference" / "schedule.schema.json").read_text())
    allowed = published["properties"]["events"]["items"]["anyOf"][0]["properties"].keys()
    for name in ("schedule.json", "rush_hour.json"):
        document = json.loads((ROOT / "examples" / name).read_text())
        assert document.keys() <= published["properties"].keys()
        assert all(event.keys() <= allowed for event in document["events"])
