"""Datasets in pieces, compressed and as Parquet: no row is lost, whatever happens in between."""

from __future__ import annotations

import errno
import gzip
import os
import sys

import pandas as pd
import pytest

import pytest_twin
from pytest_twin._system import stdlib
from pytest_twin.run_folder import convert
from pytest_twin.run_folder.convert import ConversionError, to_gzip, to_parquet
from pytest_twin.run_folder.csv_frames import ReadingError
from pytest_twin.run_folder.folder import RunFolder, RunFolderError
from pytest_twin.run_folder.frames import load_samples
from pytest_twin.run_folder.layout import DATASET, FINGERPRINT
from pytest_twin.run_folder.rotation import prepare_append, segments

HEADER = "timestamp,cpu_percent,cpu_count_logical,elapsed_s,colour\n"
FORMS = {"gzip": to_gzip, "parquet": to_parquet}


@pytest.fixture(params=FORMS)
def form(request) -> str:
    if request.param == "parquet":
        pytest.importorskip("pyarrow")
    return request.param


@pytest.fixture
def dataset(tmp_path):
    """Three pieces with two rows each."""
    for name, begin in (("0001.", 0), ("0002.", 2), ("", 4)):
        lines = [f"2026-01-01T00:00:0{at}.000Z,{at},8,{at}.000,red\n" for at in (begin, begin + 1)]
        (tmp_path / DATASET.replace("csv", f"{name}csv")).write_text(HEADER + "".join(lines))
    (tmp_path / FINGERPRINT).write_text('{"pytest_twin": "0.1.0"}')
    return tmp_path / DATASET


def append(dataset, at: int) -> None:
    """Another recording goes on, with one row."""
    prepare_append(dataset)
    with dataset.open("a") as file:
        file.write("" if file.tell() else HEADER)
        file.write(f"2026-01-01T00:00:0{at}.000Z,{at},8,{at}.000,red\n")


def names(dataset) -> list[str]:
    return sorted(path.name.removeprefix("system_metrics_dataset.") for path in dataset.parent.glob("system*"))


def seconds(dataset) -> list[float]:
    return load_samples(dataset)["elapsed_s"].tolist()


def test_what_was_converted_is_read_as_it_was_before(dataset, form):
    before = load_samples(dataset)
    FORMS[form](dataset)
    pd.testing.assert_frame_equal(load_samples(dataset), before)
    assert load_samples(dataset).attrs == before.attrs


def test_what_was_converted_is_removed(dataset, form):
    FORMS[form](dataset)
    assert names(dataset) == {"gzip": ["0001.csv.gz", "0002.csv.gz", "csv.gz"], "parquet": ["parquet"]}[form]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_what_is_made_is_for_its_owner_only(dataset, form):
    FORMS[form](dataset)
    assert {path.stat().st_mode & 0o777 for path in segments(dataset)} == {0o600}


def test_converting_twice_changes_nothing(dataset, form):
    FORMS[form](dataset)
    once = names(dataset)
    FORMS[form](dataset)
    assert names(dataset) == once
    assert seconds(dataset) == [0, 1, 2, 3, 4, 5]


def test_where_there_is_nothing_nothing_is_converted(tmp_path, form):
    FORMS[form](tmp_path / DATASET)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("second", FORMS)
def test_recordings_go_on_behind_what_was_converted(dataset, form, second):
    pytest.importorskip("pyarrow")
    for at, convert_it in ((6, FORMS[form]), (7, FORMS[second])):
        convert_it(dataset)
        append(dataset, at)
        assert seconds(dataset) == list(range(at + 1))


def test_parquet_says_its_units_to_pandas_itself(dataset):
    pytest.importorskip("pyarrow")
    to_parquet(dataset)
    frame = pd.read_parquet(dataset.with_suffix(".parquet"))
    assert frame.attrs["units"] == {"cpu_percent": "%", "cpu_count_logical": "", "elapsed_s": "s"}
    assert str(frame.index.tz) == "UTC"


def test_pieces_with_other_columns_become_one_parquet_file(dataset):
    pytest.importorskip("pyarrow")
    append(dataset, 6)
    dataset.with_name("system_metrics_dataset.0003.csv").write_text("timestamp,process_count\n2026-01-01,7\n")
    before = load_samples(dataset)
    to_parquet(dataset)
    pd.testing.assert_frame_equal(load_samples(dataset), before)
    assert before["process_count"].dropna().tolist() == [7]


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_what_could_not_be_converted_is_kept(dataset, form, fails, monkeypatch):
    before = names(dataset)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk, pytest.raises(ConversionError) as caught:  # noqa: PT012
        disk.setattr(stdlib.os if fails == "replace" else os, fails, full)
        FORMS[form](dataset)
    first = dataset.with_name("system_metrics_dataset." + {"gzip": "0001.csv.gz", "parquet": "parquet"}[form])
    assert str(caught.value) == f"{first} was not written; the CSV files are kept: No space left on device"
    assert names(dataset) == before


def test_rows_that_are_damaged_keep_the_csv(dataset):
    pytest.importorskip("pyarrow")
    dataset.write_text(dataset.read_text() + "what?\n")
    with pytest.raises(ConversionError, match="the CSV files are kept: damaged rows would be lost"):
        to_parquet(dataset)
    assert names(dataset) == ["0001.csv", "0002.csv", "csv"]


def test_a_row_that_a_killed_sampler_did_not_finish_is_no_damage(dataset, form):
    dataset.write_text(dataset.read_text() + "2026-01-")
    FORMS[form](dataset)
    assert seconds(dataset) == [0, 1, 2, 3, 4, 5]


def test_a_conversion_that_was_killed_before_it_removed_anything_doubles_no_row(dataset, form, monkeypatch):
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):  # noqa: PT012
        killed.setattr(type(dataset), "unlink", interrupt_unless_temporary)
        FORMS[form](dataset)
    assert set(names(dataset)) > {"0001.csv", "0002.csv", "csv"}
    assert seconds(dataset) == [0, 1, 2, 3, 4, 5]
    append(dataset, 6)
    assert seconds(dataset) == [0, 1, 2, 3, 4, 5, 6]


def interrupt_unless_temporary(path, *, missing_ok=False):
    if path.suffix != ".tmp":
        raise KeyboardInterrupt
    if path.exists() or not missing_ok:
        os.unlink(path)


def test_parquet_takes_little_memory_and_one_block_at_a_time(dataset, monkeypatch):
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    monkeypatch.setattr("pytest_twin.run_folder.csv_frames.BLOCK", 1)  # a row
    to_parquet(dataset)
    assert parquet.ParquetFile(dataset.with_suffix(".parquet")).num_row_groups >= 6


def test_without_pyarrow_parquet_is_told_of_in_one_line(dataset, monkeypatch):
    pytest.importorskip("pyarrow")
    to_parquet(dataset)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ReadingError) as caught:
        pytest_twin.load(dataset.parent)
    path = dataset.with_suffix(".parquet")
    assert str(caught.value) == f"{path}: needs pyarrow; pip install 'pytest-twin[parquet]'"


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"x" * 99 + b"PAR1"])
def test_what_is_no_parquet_is_told_of_in_one_line(tmp_path, content):
    pytest.importorskip("pyarrow")
    path = tmp_path / "broken.parquet"
    path.write_bytes(content)
    with pytest.raises(ReadingError) as caught:
        pytest_twin.load(path)
    assert str(caught.value).startswith(f"{path}: is not Parquet: ")
    assert "\n" not in str(caught.value)


# The run folder


def test_the_run_folder_reads_all_pieces_as_rows(dataset):
    assert [row["elapsed_s"] for row in RunFolder(dataset.parent).rows(DATASET)] == [f"{at}.000" for at in range(6)]
    to_gzip(dataset)
    assert len(RunFolder(dataset.parent).rows(DATASET)) == 6


def test_parquet_has_no_rows_of_text(dataset):
    pytest.importorskip("pyarrow")
    to_parquet(dataset)
    with pytest.raises(RunFolderError, match=r"dataset\.parquet is not CSV; read it with pytest_twin\.load"):
        RunFolder(dataset.parent).rows(DATASET)


def test_all_forms_are_forgotten(dataset, form):
    FORMS[form](dataset)
    append(dataset, 6)
    dataset.with_name(dataset.name + ".gz.tmp").touch()
    others = ["system_metrics_dataset.old.csv", "system_metrics_dataset.csv.bak", "system_metrics_dataset.0001.txt"]
    for other in others:
        dataset.with_name(other).touch()
    RunFolder(dataset.parent).clear()
    assert sorted(path.name for path in dataset.parent.iterdir()) == sorted(others)


def test_a_compressed_dataset_of_somebody_else_is_not_touched(tmp_path):
    with gzip.open(tmp_path / f"{DATASET}.gz", "wt") as file:
        file.write("precious")
    with pytest.raises(RunFolderError) as caught:
        RunFolder(tmp_path).make()
    assert str(caught.value) == f"{tmp_path} has a {DATASET}.gz that no run wrote; choose another directory"


def test_a_file_that_is_being_made_is_never_a_link_to_elsewhere(dataset, tmp_path):
    if sys.platform == "win32":
        pytest.skip("POSIX links")
    (tmp_path / "precious").write_text("precious")
    temporary = dataset.with_name("system_metrics_dataset.0001.csv.gz" + convert.TEMPORARY)
    temporary.symlink_to(tmp_path / "precious")
    to_gzip(dataset)
    assert (tmp_path / "precious").read_text() == "precious"
