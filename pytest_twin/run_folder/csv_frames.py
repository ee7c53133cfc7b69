"""Parse CSV into pandas frames: whole lines, block by block, with the fastest engine; damaged lines one by one."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING, NamedTuple

from pytest_twin.model.columns import Column
from pytest_twin.model.csv_text import rows

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 1 << 23
LONGEST_HEADER = 1 << 16
ABSENT = ["", "None", "nan", "NaN", "N/A", "NA"]  # as the old scripts wrote that there is no number
YEARS = 1970, 9998  # of a clock; what is beyond, with a time zone or a duration added, may be in no calendar
SWITCHES = {"True": "1", "False": "0"}  # and whether something is so
_ALL_BUT_SHAPE = bytes(set(range(256)) - set(b",\n"))


class ReadingError(ValueError):
    """Nothing can be read; the message is for the user."""


class TableShape(NamedTuple):
    """The declared columns of a kind of table.

    Attributes:
        time: The column that becomes the index.
        columns: The declared columns; a file may lack some of them, and have others.
    """

    time: str
    columns: Sequence[Column]

    def numbers(self) -> set[str]:
        """Return the names of the columns that hold numbers."""
        return {column.name for column in self.columns if column.digits is not None}

    def counts(self) -> set[str]:
        """Return the names of the columns that hold whole numbers."""
        return {column.name for column in self.columns if column.digits == 0}


class TableBlock(NamedTuple):
    """A part of a table, with the number of its rows and cells that could not be read."""

    frame: pd.DataFrame
    damaged: int


def read_heading(file: IO[bytes]) -> tuple[list[str], bool]:
    """Read the column names in the first line of a file, and whether that line is complete."""
    line, end, _ = file.readline(LONGEST_HEADER).decode("utf-8-sig", "replace").partition("\n")
    return next(iter(rows(line.removesuffix("\r").replace("\r", " "))), []), bool(end)


def read_blocks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the whole lines of a file, some megabytes at a time; a last line without an end is left out."""
    rest = b""
    while chunk := file.read(BLOCK):
        whole, end, rest = (rest + chunk).rpartition(b"\n")
        if end:
            yield whole + end


def parse_lines(lines: bytes, names: Sequence[str], shape: TableShape) -> TableBlock:
    """Parse lines without their header."""
    numbers = shape.numbers().intersection(names)
    lines = lines.replace(b"\r\n", b"\n") if b"\r" in lines else lines
    is_plain = not any(mark in lines for mark in (b'"', b"\r", b"\0"))
    try:
        read = (find_engine()(lines, names, numbers), 0) if is_plain else _parse_line_by_line(lines, names, numbers)
    except ValueError:
        read = _parse_line_by_line(lines, names, numbers)
    frame, damaged = read
    return set_types(frame, shape, damaged)


def set_types(frame: pd.DataFrame, shape: TableShape, damaged: int = 0) -> TableBlock:
    """Convert number columns to float64, counts to Int64 and the time to the index; add what cannot be converted."""
    import pandas as pd

    numbers = frame[[name for name in frame if name in shape.numbers()]].astype(float)
    endless = numbers.abs().eq(float("inf"))
    if endless.to_numpy().any():
        frame[numbers.columns] = numbers.mask(endless)
        damaged += int(endless.to_numpy().sum())
    counts = frame[[name for name in frame if name in shape.counts()]].astype(float)
    broken = counts.notna() & ~(counts.round().eq(counts) & counts.abs().lt(1 << 63))
    frame[counts.columns] = counts.mask(broken).astype("Int64")
    damaged += int(broken.to_numpy().sum())
    for name in frame.columns[frame.dtypes.eq("object")]:  # text in pandas before 3: None is what pyarrow calls missing
        frame[name] = frame[name].where(frame[name].notna())
    times = pd.to_datetime(frame.pop(shape.time), format="ISO8601", utc=True, errors="coerce")
    times = times.dt.as_unit("us").where(times.dt.year.between(*YEARS))  # not the unit that the first stamp has
    frame.index = pd.DatetimeIndex(times, name="timestamp")
    timed = frame[frame.index.notna()] if times.hasnans else frame
    return TableBlock(timed, damaged + len(frame) - len(timed))


def find_engine() -> Callable[[bytes, Sequence[str], set[str]], pd.DataFrame]:
    """Return the fastest parser available. It keeps text as it is, reads numbers as float64, or raises a ValueError."""
    return read_with_arrow if find_spec("pyarrow") else read_with_pandas


def read_with_arrow(lines: bytes, names: Sequence[str], numbers: set[str]) -> pd.DataFrame:
    """Parse with pyarrow, not with ``pandas.read_csv(engine="pyarrow")``, which guesses types first and then casts."""
    import pyarrow as pa
    from pyarrow import csv

    table = csv.read_csv(
        pa.BufferReader(lines),
        csv.ReadOptions(column_names=names),
        csv.ParseOptions(quote_char=False),
        csv.ConvertOptions(
            column_types={name: pa.float64() if name in numbers else pa.string() for name in names},
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    frame: pd.DataFrame = table.to_pandas()
    return frame


def read_with_pandas(lines: bytes, names: Sequence[str], numbers: set[str]) -> pd.DataFrame:
    """Parse with the C engine of pandas, which pads short lines and truncates long ones: they are refused first."""
    import pandas as pd

    shape = lines.translate(None, _ALL_BUT_SHAPE)
    if shape != (b"," * (len(names) - 1) + b"\n") * shape.count(b"\n"):
        raise ValueError("a line has a different number of cells")
    text = {name: str for name in names if name not in numbers}
    is_exact = tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1)  # by itself, and warns where it is asked to be
    frame = pd.read_csv(
        io.BytesIO(lines), header=None, names=list(names), index_col=False, dtype=text, na_values=[""],
        keep_default_na=False, low_memory=False, float_precision=None if is_exact else "round_trip",
    )  # fmt: skip
    if any(frame[name].dtype.kind not in "iuf" for name in numbers):
        raise ValueError("a cell is not a number")
    return frame.astype(dict.fromkeys(numbers, float))


def _parse_line_by_line(lines: bytes, names: Sequence[str], numbers: set[str]) -> tuple[pd.DataFrame, int]:
    """Parse the lines that have all cells; a cell that is not a number is left empty."""
    found = rows(lines.replace(b"\r", b"\\r").decode(errors="replace"))
    return frame_of_cells([row for row in found if len(row) == len(names)], names, numbers, len(found))


def frame_of_cells(
    found: Sequence[Sequence[str]], names: Sequence[str], numbers: set[str], lines: int
) -> tuple[pd.DataFrame, int]:
    """Convert cells of text; return the frame, and the number of lines and cells that could not be read."""
    import pandas as pd

    frame = pd.DataFrame(found, columns=list(names), dtype=str)
    damaged = lines - len(frame)
    for name in numbers:
        cells = frame[name].str.strip().replace(SWITCHES)
        frame[name] = pd.to_numeric(cells, errors="coerce").astype(float)
        damaged += int((frame[name].isna() & ~cells.isin(ABSENT)).sum())
    text = [name for name in names if name not in numbers]
    frame[text] = frame[text].mask(frame[text] == "")
    return frame, damaged
