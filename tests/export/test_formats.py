"""The formats of ``pytest-twin export``: how they are found, where their files are, and how one of them fails."""

from __future__ import annotations

import sys

import pytest
from click import ClickException
from click.testing import CliRunner
from made_runs import busy_run

from pytest_twin import export
from pytest_twin.cli import main
from pytest_twin.cli.export import export as export_run
from pytest_twin.export import FormatError, find_formats, load_format


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Makes a module of another package, which is the format ``theirs``."""

    def make(text):
        (tmp_path / "acme_format.py").write_text(text, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setattr(export, "_external_modules", lambda: {"theirs": "acme_format"})
        monkeypatch.delitem(sys.modules, "acme_format", raising=False)

    yield make
    sys.modules.pop("acme_format", None)


def run(*words):
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    return done.output, done.exit_code


@pytest.mark.parametrize("name", ["chrome-trace", "csv-long", "influx", "parquet"])
def test_each_format_writes_one_file_and_replaces_its_own(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    busy_run(tmp_path / "run").write()
    made = load_format(name)
    for _ in range(2):
        assert run("export", "run", "--format", name) == (f"run/export/{made.file}\n", 0)
    assert [path.name for path in (tmp_path / "run" / "export").iterdir()] == [made.file]


def test_a_link_in_the_place_of_the_folder_is_not_followed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    busy_run(tmp_path / "run").write()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run" / "export").symlink_to(tmp_path / "elsewhere")
    output, status = run("export", "run", "--format", "influx")
    assert (output, status) == ("Error: run/export/run.influx: Not a directory\n", 1)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_parquet_file_of_somebody_else_is_not_replaced(tmp_path, monkeypatch):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    busy_run(tmp_path / "run").write()
    pandas.DataFrame({"a": [1]}).to_parquet(tmp_path / "mine.parquet")
    before = (tmp_path / "mine.parquet").read_bytes()
    assert run("export", "run", "--format", "parquet", "-o", "mine.parquet") == (
        "Error: mine.parquet exists and was not written by pytest-twin; remove it or choose another file\n", 1
    )  # fmt: skip
    assert (tmp_path / "mine.parquet").read_bytes() == before


def test_a_format_that_needs_what_is_not_installed_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(export, "find_spec", lambda name: None if name == "pyarrow" else name)
    said = "Error: parquet needs pyarrow; pip install 'pytest-twin[parquet]'\n"
    assert run("export", "nowhere", "--format", "parquet") == (said, 1)


def test_a_format_of_another_package_may_write_bytes(tmp_path, module):
    module("FILE, BEGINNING = 'run.bin', b'\\x00\\xff'\ndef write(summary, file): file.write(BEGINNING)\n")
    busy_run(tmp_path / "run").write()
    export_run(tmp_path / "run", "theirs", None)
    assert (tmp_path / "run" / "export" / "run.bin").read_bytes() == b"\x00\xff"


def test_a_format_of_ours_has_precedence(monkeypatch):
    monkeypatch.setattr(export, "_external_modules", lambda: {"influx": "acme", "zzz": "acme"})
    found = find_formats()
    assert (found["influx"], found["zzz"]) == ("pytest_twin.export.influx", "acme")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("import no_such_module_anywhere", "No module named 'no_such_module_anywhere'"),
        ("1 / 0", "division by zero"),
        ("FILE = 'a.txt'", "module 'acme_format' has no attribute 'lines'"),
    ],
)
def test_a_broken_format_of_another_package_is_one_clear_line(module, text, problem):
    module(text)
    with pytest.raises(FormatError) as error:
        load_format("theirs")
    assert str(error.value) == f"theirs: the module acme_format cannot be used: {problem}"


def test_a_run_that_cannot_be_written_leaves_no_file(tmp_path, module):
    module(
        "FILE, BEGINNING = 'run.txt', 'x'\n"
        "def lines(summary):\n    yield 'x'\n    raise OSError(28, 'No space left on device')\n"
    )
    busy_run(tmp_path / "run").write()
    with pytest.raises(ClickException) as error:
        export_run(tmp_path / "run", "theirs", None)
    assert error.value.message == f"{tmp_path}/run/export/run.txt: No space left on device"
    assert list((tmp_path / "run" / "export").iterdir()) == []
