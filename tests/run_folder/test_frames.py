"""Reading a run: whole ones, killed ones, old ones, damaged ones."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import MadeRun

import pytest_twin
from pytest_twin.model import attempt_row, event
from pytest_twin.model.clock import Clock
from pytest_twin.model.columns import Column
from pytest_twin.model.csv_text import record
from pytest_twin.model.event import Event
from pytest_twin.run_folder import csv_frames, frames
from pytest_twin.run_folder.csv_frames import ParsedLines, ReadingError, TableShape, read_with_arrow, read_with_pandas
from pytest_twin.run_folder.frames import samples_shape
from pytest_twin.run_folder.layout import ANNOTATIONS, DATASET, FINGERPRINT, SCHEDULE, TESTS
from pytest_twin.telemetry import probes

HEAD = "timestamp,cpu_percent,cpu_count_logical,elapsed_s,colour\n"
ENGINES = [read_with_arrow, read_with_pandas]


@pytest.fixture(params=ENGINES, ids=["pyarrow", "pandas"])
def engine(request, monkeypatch):
    """Each engine in turn, whichever is present."""
    if request.param is read_with_arrow:
        pytest.importorskip("pyarrow")
    monkeypatch.setattr(csv_frames, "find_engine", lambda: request.param)


def row(second: int, cpu: object = 50.0, colour: str = "red") -> str:
    return f"2026-01-01T00:00:{second:02}.500Z,{cpu},8,{second}.500,{colour}\n"


@pytest.fixture
def loaded(tmp_path):
    """The samples of a dataset with this text."""

    def loaded(text: str | bytes, name: str = DATASET) -> pd.DataFrame:
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return pytest_twin.load(tmp_path).samples

    return loaded


# Frames


def test_a_sample_has_the_time_as_its_index_and_its_types_from_the_declarations(loaded, engine):
    frame = loaded(HEAD + row(1) + row(2, cpu=""))
    assert list(frame.index) == [pd.Timestamp(f"2026-01-01T00:00:0{second}.5Z") for second in (1, 2)]
    assert (frame.index.name, str(frame.index.tz)) == ("timestamp", "UTC")
    assert list(frame.columns) == ["cpu_percent", "cpu_count_logical", "elapsed_s", "colour"]
    assert [str(kind) for kind in frame.dtypes[:3]] == ["float64", "Int64", "float64"]
    assert frame["cpu_percent"].isna().tolist() == [False, True]
    assert frame["cpu_count_logical"].tolist() == [8, 8]


def test_units_and_meanings_come_with_the_frame(loaded):
    attrs = loaded(HEAD + row(1)).attrs
    assert attrs["units"] == {"cpu_percent": "%", "cpu_count_logical": "", "elapsed_s": "s"}
    assert attrs["meanings"]["cpu_percent"] == "Share of the CPU time of the whole host that was not idle."
    assert attrs["damaged"] == 0


def test_a_column_that_nobody_has_declared_is_kept(loaded, engine):
    frame = loaded("timestamp,colour,weight,code\n2026-01-01,red,1.5,007\n2026-01-02,,2,x1\n")
    assert frame["colour"].isna().tolist() == [False, True]
    assert frame["weight"].tolist() == [1.5, 2.0]
    assert frame["code"].tolist() == ["007", "x1"]


def test_a_whole_run_is_read(tmp_path):
    clock = Clock(0.0, 0.0)
    (tmp_path / DATASET).write_text(HEAD + row(1))
    events = (Event(1.0, "start", "t1", "test", "a.py::b"), Event(2.0, "note", detail='{"text": "x, y", "n": 1}'))
    (tmp_path / ANNOTATIONS).write_text(record(event.FIELDS) + "".join(each.row(clock) for each in events))
    cells = {"nodeid": "a.py::b", "attempt": 1, "start": clock.stamp(1.0), "elapsed_s": "1.0", "call_s": "0.5"}
    names = [column.name for column in attempt_row.COLUMNS]
    (tmp_path / TESTS).write_text(record(names) + record([cells.get(name) for name in names]))
    (tmp_path / FINGERPRINT).write_text('{"pytest_twin": "0.1.0"}')
    (tmp_path / SCHEDULE).write_text('{"version"')
    run = pytest_twin.load(tmp_path)
    assert run.path == tmp_path
    assert run.events["detail"].tolist()[1] == '{"text": "x, y", "n": 1}'
    assert run.events["test"].isna().tolist() == [False, True]
    assert run.tests.index.tolist() == [pd.Timestamp("1970-01-01T00:00:01Z")]
    assert run.tests.loc[:, ["attempt", "call_s", "cpu_user_s"]].dtypes.astype(str).tolist() == [
        "Int64",
        *["float64"] * 2,
    ]
    assert run.tests.attrs["units"]["peak_memory_MB"] == "MiB"
    assert (run.fingerprint, run.schedule) == ({"pytest_twin": "0.1.0"}, None)  # a schedule that was cut off is none
    with pytest.raises(AttributeError):
        run.samples = None


def test_what_is_not_there_is_an_empty_frame_with_its_columns(tmp_path):
    (tmp_path / ANNOTATIONS).touch()
    run = pytest_twin.load(tmp_path)
    assert [len(run.samples), len(run.events), len(run.tests)] == [0, 0, 0]
    assert ["timestamp", *run.samples.columns] == [column.name for column in samples_shape().columns]
    assert {"timestamp", *run.events.columns} == {*event.FIELDS, *(column.name for column in event.AMOUNTS)}
    assert str(run.tests["attempt"].dtype) == "Int64"
    assert {str(frame.index.tz) for frame in (run.samples, run.events, run.tests)} == {"UTC"}


def test_a_file_by_itself_is_known_by_its_columns(tmp_path):
    (tmp_path / "mine.csv").write_text(HEAD + row(1))
    (tmp_path / "notes.csv").write_text(record(event.FIELDS) + Event(1.0, "note").row(Clock(0.0, 0.0)))
    (tmp_path / "tests.csv").write_text(record([column.name for column in attempt_row.COLUMNS]))
    lengths = [
        [len(frame) for frame in (run.samples, run.events, run.tests)]
        for run in map(pytest_twin.load, (tmp_path / "mine.csv", str(tmp_path / "notes.csv"), tmp_path / "tests.csv"))
    ]
    assert lengths == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
@pytest.mark.parametrize("name", [DATASET, ANNOTATIONS, TESTS])
def test_a_pipe_in_the_place_of_a_table_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(ReadingError) as caught:
        pytest_twin.load(tmp_path)
    assert str(caught.value) == f"{tmp_path / name}: is not a file; give the path of a file"


def test_events_of_workers_that_nobody_merged_are_read_too(tmp_path):
    clock = Clock(0.0, 0.0)
    for name, at in ((ANNOTATIONS, 2.0), ("annotations.part-gw0.csv", 1.0), ("annotations.part-gw1.csv", 3.0)):
        (tmp_path / name).write_text(record(event.FIELDS) + Event(at, "note").row(clock))
    assert pytest_twin.load(tmp_path).events["elapsed_s"].tolist() == [1.0, 2.0, 3.0]


def test_importing_the_package_imports_no_pandas():
    program = "import sys, pytest_twin; sys.exit('pandas' in sys.modules or 'typing' in sys.modules)"
    subprocess.run([sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {[ROOT]!r}; {program}"], check=True)


ROOT = str(Path(pytest_twin.__file__).parent.parent)


def test_a_package_whose_probe_is_broken_does_not_keep_from_reading(loaded, monkeypatch):
    monkeypatch.setattr(probes, "external_module_names", lambda: ["no_such_probe"])
    monkeypatch.setattr(frames, "samples_shape", samples_shape.__wrapped__)
    assert len(loaded(HEAD + row(1))) == 1


# Damage


@pytest.mark.parametrize("text", ["", "timestamp,cpu_per", HEAD, HEAD + "2026-01-01T00"])
def test_where_no_row_was_finished_there_is_none(loaded, engine, text):
    frame = loaded(text)
    assert len(frame) == 0
    assert str(frame["cpu_percent"].dtype) == "float64"


def test_a_torn_last_line_is_left_out(loaded, engine):
    frame = loaded(HEAD + row(1) + row(2)[:-1])
    assert (len(frame), frame.attrs["damaged"]) == (1, 0)


@pytest.mark.parametrize("damage", ["2026-01-01T00:00:02Z,50,8\n", row(2)[:-1] + ",more\n", "\0\0\0\n", 'a,"\n'])
def test_a_line_of_another_length_is_left_out_and_counted(loaded, engine, damage):
    frame = loaded(HEAD + row(1) + damage + row(3))
    assert frame["elapsed_s"].tolist()[0] == 1.5
    assert frame.attrs["damaged"] > 0
    assert len(frame) == (1 if '"' in damage else 2)  # a quote that is not closed takes the rest along


def test_a_cell_that_is_no_number_is_left_empty_and_counted(loaded, engine):
    frame = loaded(HEAD + row(1, cpu="x") + row(2) + row(3).replace(",8,", ",8.5,"))
    assert frame["cpu_percent"].isna().tolist() == [True, False, False]
    assert frame["cpu_count_logical"].isna().tolist() == [False, False, True]
    assert frame.attrs["damaged"] == 2


def test_a_row_without_a_time_is_left_out_and_counted(loaded, engine):
    frame = loaded(HEAD + row(1) + row(2).replace("2026", "once"))
    assert (len(frame), frame.attrs["damaged"]) == (1, 1)


def test_a_damaged_line_costs_only_itself_in_a_long_file(loaded, engine, monkeypatch):
    monkeypatch.setattr(csv_frames, "BLOCK", 200)
    lines = [row(second % 60) for second in range(100)]
    lines[40] = "what?\n"
    frame = loaded(HEAD + "".join(lines))
    assert (len(frame), frame.attrs["damaged"]) == (99, 1)


# The same from both engines

CELLS = st.sampled_from(["", "1", "-1.5", "1e3", ".5", "5.", " 7", "7 ", "+2", "x", "nan", "inf", "None", "True", "1_0",
                         "0x10", "12345678901234567890", "0.1234567890123456789", "Infinity", "NA", "1,5",
                         '"3"', '"', "a b", "é", "\0", "1\r", "\ufeff", "٣"])  # fmt: skip
SHAPE = TableShape("timestamp", (Column("timestamp", "", "", None), Column("a", "", ""), Column("n", "", "", 0)))
TABLE = st.lists(st.tuples(st.sampled_from(["2026-01-01", "2026-01-01T00:00:00.5Z", "", "x"]), CELLS, CELLS, CELLS))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(TABLE, st.binary(max_size=9))
def test_both_engines_read_the_same(table, tail):
    pytest.importorskip("pyarrow")
    lines = "".join(",".join(cells) + "\n" for cells in table).encode() + tail.replace(b"\n", b"") + b"\n"
    read = []
    for engine in ENGINES:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(csv_frames, "find_engine", lambda engine=engine: engine)
            parsed = csv_frames.parse_lines(lines, ["timestamp", "a", "n", "text"], SHAPE)
            read.append(csv_frames.set_types(parsed, SHAPE))
    pd.testing.assert_frame_equal(read[0].frame, read[1].frame)
    assert read[0].damaged == read[1].damaged


def test_a_dataset_of_all_columns_is_the_same_from_both_engines_block_by_block(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(csv_frames, "BLOCK", 2000)  # some rows
    columns = samples_shape().columns

    def cell(column: Column, at: int) -> str:
        if column.name == "timestamp":
            return f"2026-01-01T00:00:00.{at:03}{'' if at == 150 else 'Z'}"  # an old stamp within new ones
        if column.digits is None or (at + len(column.name)) % 7 == 0:
            return ""
        return (
            {50: "12.0", 90: str(2**53 + 1)}.get(at, str(at)) if column.digits == 0 else f"{at / 7:.{column.digits}f}"
        )

    lines = [",".join(cell(column, at) for column in columns) for at in range(200)]
    lines[120] = "damaged"
    text = "\n".join([",".join(column.name for column in columns), *lines, ""])
    (tmp_path / DATASET).write_text(text, encoding="ascii")
    read = []
    for engine in ENGINES:
        monkeypatch.setattr(csv_frames, "find_engine", lambda engine=engine: engine)
        read.append(pytest_twin.load(tmp_path / DATASET).samples)
    pd.testing.assert_frame_equal(*read)
    assert read[0].attrs == read[1].attrs
    assert (len(read[0]), read[0].attrs["damaged"]) == (199, 1)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1e9, 1e9).map(lambda value: f"{value:.3f}"), min_size=1))
def test_both_engines_read_a_number_as_python_does(numbers):
    pytest.importorskip("pyarrow")
    lines = "".join(f"2026-01-01,{number}\n" for number in numbers).encode()
    for engine in ENGINES:
        frame, _ = csv_frames.set_types(ParsedLines(engine(lines, ["timestamp", "a"], SHAPE)), SHAPE)
        assert frame["a"].tolist() == [float(number) for number in numbers]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_whatever_stands_in_a_file_there_are_frames_or_our_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "any.csv"
    path.write_bytes(content)
    with suppress(ReadingError):
        pytest_twin.load(path)


# Old files

LEGACY = (
    "timestamp,cpu_percent,cpu_count_logical,cpu_count_physical,ram_total_GB,ram_used_percent,ram_available_GB,"
    "swap_used_percent,disk_total_GB,disk_used_percent,disk_read_MB,disk_write_MB,net_sent_MB,net_recv_MB,"
    "battery_percent,battery_plugged,process_count"
)


def test_an_old_dataset_is_read_and_its_local_times_are_taken_for_utc(loaded, engine):
    cells = "12.5,8,4,15.7,60.1,6.2,0.0,475.0,70.0,1.5,2.5,0.1,0.2,80,{},250"
    lines = [f"2025-10-11 02:30:0{at},{cells.format(plugged)}" for at, plugged in enumerate(("True", "False", "None"))]
    frame = loaded("\r\n".join([LEGACY, *lines, ""]).encode("utf-8-sig"))
    assert frame.index[0] == pd.Timestamp("2025-10-11T02:30:00Z")
    assert ",".join(["timestamp", *frame.columns]) == LEGACY
    assert frame["battery_plugged"].tolist() == [1, 0, pd.NA]
    assert frame.attrs["damaged"] == 0


def test_a_run_says_that_its_times_have_no_zone(tmp_path):
    row = "2025-10-11 02:30:00" + "," * LEGACY.count(",") + "\n"
    (tmp_path / DATASET).write_text(f"{LEGACY}\n{row}", encoding="utf-8-sig")
    (tmp_path / ANNOTATIONS).write_text(OLD_LOG)
    said = [f"{tmp_path / name} has times without a zone, which are taken as UTC" for name in (DATASET, ANNOTATIONS)]
    assert [each for each in pytest_twin.load(tmp_path).problems if "zone" in each] == said
    assert pytest_twin.load(tmp_path / DATASET).problems == (said[0],)
    (tmp_path / DATASET).write_text(f"{LEGACY}\n{row.replace('00,', '00Z,', 1)}")
    assert pytest_twin.load(tmp_path / DATASET).problems == ()


OLD_LOG = r"""timestamp,event,detail
2025-10-11 02:00:35,start,cpu_spike | PID=19 | python stressors\cpu_stress.py --procs 8 --duration 180
2025-10-11 02:01:24,start,disk_io | PID=26 | python stressors\disk_stress.py --path a,b
2025-10-11 02:30:00,2025-10-11 02:35:00,memory_load,python stressors\mem_stress.py --steps 4
2025-10-11 02:03:36,end,cpu_spike | PID=19
2025-10-11 02:04:00,start,cpu_spike | PID=19 | python stressors\cpu_stress.py
what
2025-10-11 02:05:00,end,disk_io | PID=26
"""


def test_an_old_event_log_is_read_with_both_shapes_of_its_rows(tmp_path):
    (tmp_path / ANNOTATIONS).write_text(OLD_LOG)
    events = pytest_twin.load(tmp_path).events
    assert list(zip(events["event"], events["id"], events["type"], strict=True)) == [
        ("start", "l1", "cpu"), ("start", "l2", "disk"), ("end", "l1", "cpu"), ("start", "l4", "cpu"),
        ("end", "l2", "disk"), ("start", "l3", "memory"), ("end", "l3", "memory"),
    ]  # fmt: skip
    assert events.index[-1] == pd.Timestamp("2025-10-11T02:35:00Z")
    assert events["detail"].tolist()[1] == r"disk_io | PID=26 | python stressors\disk_stress.py --path a,b"
    assert events.attrs["damaged"] == 1


@pytest.mark.skipif("TWIN_LEGACY_ANNOTATIONS" not in os.environ, reason="names a real old event log")
def test_a_real_old_event_log_is_read_whole():
    path = Path(os.environ["TWIN_LEGACY_ANNOTATIONS"])
    events = pytest_twin.load(path).events
    assert events.attrs["damaged"] == 0
    assert len(events) >= len(path.read_text().splitlines()) - 1
    assert set(events["type"]) <= {"cpu", "memory", "disk"}


# What cannot be read

CUT = "Compressed file ended before the end-of-stream marker was reached"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "No such file or directory"),
        ("picture.png", b"\x89PNG\r\n\x1a\n\0\0", "has no column timestamp"),
        ("other.csv", b"a,b\n1,2\n", "has no column timestamp"),
        ("twice.csv", b"timestamp,a,a\n", "has a duplicate column"),
        ("long.csv", b"x" * 100_000, "is not CSV"),
        ("rows.csv.gz", b"timestamp\n", "Not a gzipped file (b'ti')"),
        ("cut.csv.gz", gzip.compress(HEAD.encode() + b"x" * 99, mtime=0)[:-9], CUT),
        ("cut.csv", HEAD[:9].upper().encode(), "is not CSV"),
        ("wild.csv", b"a\rb\n", "has no column timestamp"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_in_one_line(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ReadingError) as caught:
        pytest_twin.load(path)
    assert str(caught.value) == f"{path}: {message}"


def test_a_folder_without_files_of_ours_is_no_run(tmp_path):
    with pytest.raises(ReadingError) as caught:
        pytest_twin.load(tmp_path)
    assert str(caught.value) == f"{tmp_path} has no {DATASET}, {ANNOTATIONS} or {TESTS}; give the folder of a run"


def test_the_loads_that_overlapped_a_test_are_told_of_a_run_that_was_killed_before_it_wrote_them_down(tmp_path):
    made = (
        MadeRun(tmp_path)
        .sampled(3)
        .test("t.py::a", 0, 1)
        .test("t.py::b", 1, 2, load="disk=1MB/s")
        .test("t.py::c", 2, 3)
    )
    made.happened(0.5, "start", "cpu", id="spike", target="50%").load("memory", "1GiB", 1.2, 1.9)
    read = frames.load(made.write()).tests["load"]
    assert read.tolist() == ["cpu=50%", "disk=1MB/s cpu=50% mem=1GiB", "cpu=50%"]
