"""``pytest-twin dashboard``."""

import json
import os
import stat
import sys

import pytest
from click.testing import CliRunner

from pytest_twin.cli import main


def run(*words):
    return CliRunner().invoke(main, ["dashboard", *map(str, words)])


def test_it_writes_the_dashboard_and_prints_where(tmp_path):
    done = run("-o", tmp_path / "new" / "boards")
    path = tmp_path / "new" / "boards" / "pytest-twin.json"
    assert (done.exit_code, done.output) == (0, f"{path}\n")
    assert json.loads(path.read_text())["title"] == "pytest-twin"
    assert run("-o", path.parent).exit_code == 0  # a newer version replaces it


@pytest.mark.skipif(sys.platform == "win32", reason="there are no permission bits")
def test_grafana_may_read_it_as_another_user(tmp_path):
    before = os.umask(0o022)
    try:
        run("-o", tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "pytest-twin.json").stat().st_mode) == 0o644


def test_a_file_of_somebody_else_is_not_replaced(tmp_path):
    path = tmp_path / "pytest-twin.json"
    path.write_text('{"title": "mine"}')
    done = run("-o", tmp_path)
    assert done.exit_code == 1
    expected = f"Error: {path} exists and was not written by pytest-twin; remove it or choose another file\n"
    assert done.output == expected
    assert path.read_text() == '{"title": "mine"}'


@pytest.mark.skipif(sys.platform == "win32", reason="it has other words for it")
def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    done = run("-o", tmp_path / "file" / "boards")
    assert done.exit_code == 1
    assert done.output == f"Error: {tmp_path / 'file' / 'boards' / 'pytest-twin.json'}: Not a directory\n"
