"""What the pages and the example workflow promise about security."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RELEASE = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
WORKFLOW = (ROOT / "examples" / "github-actions.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "page",
    [
        "docs/how-to/github.md",
        "examples/github-actions.yml",
        ".github/workflows/ci.yml",
        ".github/workflows/release.yml",
    ],
)
def test_every_action_is_pinned_to_a_commit_with_its_version_beside_it(page):
    used = re.findall(r"uses: (.+)", (ROOT / page).read_text(encoding="utf-8"))
    assert used
    assert [use for use in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)] == []


def test_the_workflow_gives_nothing_but_what_its_job_needs():
    assert "\npermissions: {} #" in WORKFLOW
    granted = re.findall(r"^      ([\w-]+): (read|write)\b", WORKFLOW, re.MULTILINE)
    assert granted == [("contents", "read"), ("pull-requests", "write")]
    assert "persist-credentials: false" in WORKFLOW
    assert "pull_request_target" not in WORKFLOW


def test_only_the_job_that_publishes_has_the_identity_and_it_runs_nothing_of_ours():
    build, publish = RELEASE.partition("\n  publish:\n")[::2]
    assert "\npermissions: {} #" in build
    granted = re.compile(r"^      ([\w-]+): (read|write)\b", re.MULTILINE)
    assert granted.findall(build) == [("contents", "read")]
    assert granted.findall(publish) == [("id-token", "write")]
    assert "run:" in build
    assert "run:" not in publish
    assert "checkout" not in publish
    assert "environment: pypi" in publish
    assert "${{" not in RELEASE  # and no secret


def test_nothing_of_a_pull_request_is_put_into_a_script():
    scripts = re.findall(r"^( +)- run: (.+)$|^ +run: \|\n((?: {10,}.*\n)+)", WORKFLOW, re.MULTILINE)
    assert len(scripts) == 4
    assert "${{" not in "".join(map("".join, scripts))


@pytest.mark.parametrize("page", ["SECURITY.md", "CONTRIBUTING.md"])
def test_the_readme_names_the_page(page):
    assert f"]({page})" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert (ROOT / page).is_file()
