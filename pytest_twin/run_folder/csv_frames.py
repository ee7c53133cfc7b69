"""Parse CSV into pandas frames: whole lines, block by block, with the fastest engine; damaged lines one by one."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from itertools import groupby
from typing import IO, TYPE_CHECKING, NamedTuple

from pytest_twin.model.columns import Column
from pytest_twin.model.csv_text import rows

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

BLOCK = 1 << 22  # an allocator gives memory of this size again and again; larger blocks are new to the kernel
LONGEST_HEADER = 1 << 16
ABSENT = ["", "None", "nan", "NaN", "N/A", "NA"]  # as the old scripts wrote that there is no number
YEARS = 1970, 9998  # of a clock; what is beyond, with a time zone or a duration added, may be in no calendar
SWITCHES = {"True": "1", "False": "0"}  # and whether something is so
MOST_EXACT = 1 << 53  # the highest whole number below which float64 has all others
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


class ParsedLines(NamedTuple):
    """A part of a table as its cells were read, with the number of rows and cells that could not be read.

    Attributes:
        cells: Text as it is and numbers as float64; times are text, or times where an Arrow table has them.
        damaged: The number of rows and cells that could not be read.
    """

    cells: pd.DataFrame | pa.Table
    damaged: int = 0


class TableBlock(NamedTuple):
    """A part of a table with its types, and the number of its rows and cells that could not be read."""

    frame: pd.DataFrame
    damaged: int


def read_heading(file: IO[bytes]) -> tuple[list[str], bool]:
    """Read the column names in the first line of a file, and whether that line is complete."""
    line, end, _ = file.readline(LONGEST_HEADER).decode("utf-8-sig", "replace").partition("\n")
    return next(iter(rows(line.removesuffix("\r").replace("\r", " "))), []), bool(end)


def read_blocks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the whole lines of a file, some megabytes at a time; a last line without an end is left out.

    Of a long file a block is read, and decompressed, while the one before it is parsed.
    """
    with ThreadPoolExecutor(1) as pool:
        block = _read_block(file)
        while block:
            following = pool.submit(_read_block, file) if len(block) >= BLOCK else None
            if whole := block if block.endswith(b"\n") else block[: block.rfind(b"\n") + 1]:
                yield whole
            block = following.result() if following is not None else b""


def _read_block(file: IO[bytes]) -> bytes:
    return b"".join((file.read(BLOCK), file.readline()))


def parse_lines(lines: bytes, names: Sequence[str], shape: TableShape) -> ParsedLines:
    """Parse lines without their header."""
    has_returns = b"\r" in lines
    lines = lines.replace(b"\r\n", b"\n") if has_returns else lines
    if not (b'"' in lines or b"\0" in lines or (has_returns and b"\r" in lines)):
        with suppress(ValueError):
            return ParsedLines(find_engine()(lines, names, shape))
    return _parse_line_by_line(lines, names, shape.numbers().intersection(names))


def join_tables(parsed: Iterable[ParsedLines]) -> Iterator[ParsedLines]:
    """Join Arrow tables that follow each other: converted together, their rows are copied once and not twice."""
    for schema, group in groupby(parsed, _schema_of):
        if schema is None:
            yield from group
            continue
        import pyarrow as pa

        tables, damaged = zip(*group, strict=True)
        yield ParsedLines(pa.concat_tables(tables), sum(damaged))


def _schema_of(parsed: ParsedLines) -> pa.Schema | None:
    import pandas as pd

    return None if isinstance(parsed.cells, pd.DataFrame) else parsed.cells.schema


def set_types(parsed: ParsedLines, shape: TableShape) -> TableBlock:
    """Convert number columns to float64, counts to Int64 and the time to the index; count what cannot be converted."""
    import pandas as pd

    frame, damaged = parsed
    if not isinstance(frame, pd.DataFrame):
        frame = _frame_of_table(frame)
    for name in shape.numbers().intersection(frame):
        damaged += _set_type(frame, name, is_count=name in shape.counts())
    for name in frame.columns[frame.dtypes.eq("object")]:  # text in pandas before 3: None is what pyarrow calls missing
        frame[name] = frame[name].where(frame[name].notna())
    times = pd.to_datetime(frame.pop(shape.time), format="ISO8601", utc=True, errors="coerce")
    times = times.dt.as_unit("us").where(times.dt.year.between(*YEARS))  # not the unit that the first stamp has
    frame.index = pd.DatetimeIndex(times, name="timestamp")
    timed = frame[frame.index.notna()] if times.hasnans else frame
    return TableBlock(timed, damaged + len(frame) - len(timed))


def _frame_of_table(table: pa.Table) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    frame: pd.DataFrame = table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    return frame


def _set_type(frame: pd.DataFrame, name: str, *, is_count: bool) -> int:
    """Convert a column to float64, or to Int64; return the number of cells that cannot be converted, now missing."""
    import numpy as np
    import pandas as pd

    if is_count and isinstance(frame[name].dtype, pd.Int64Dtype):
        return 0
    values = frame[name].to_numpy(dtype=float, na_value=np.nan)
    broken = np.isinf(values)
    if is_count:
        missing = np.isnan(values)
        broken |= ~missing & ((np.rint(values) != values) | (np.abs(values) >= 1 << 63))
        missing |= broken
        frame[name] = pd.arrays.IntegerArray(np.where(missing, 0, values).astype(np.int64), missing)
    elif broken.any():
        frame[name] = np.where(broken, np.nan, values)
    return int(broken.sum())


def find_engine() -> Callable[[bytes, Sequence[str], TableShape], pd.DataFrame | pa.Table]:
    """Return the fastest parser available. It keeps text as it is, reads numbers as float64, or raises a ValueError."""
    return read_with_arrow if find_spec("pyarrow") else read_with_pandas


def read_with_arrow(lines: bytes, names: Sequence[str], shape: TableShape) -> pa.Table:
    """Parse with pyarrow, not with ``pandas.read_csv(engine="pyarrow")``, which guesses types first and then casts.

    Times and counts have their types already where all of them can be read so.
    """
    import pyarrow as pa

    numbers, counts = shape.numbers(), shape.counts()
    types = {name: pa.float64() if name in numbers else pa.string() for name in names}
    narrow = {name: pa.int64() for name in names if name in counts} | {shape.time: pa.timestamp("us", "UTC")}
    try:
        table = _read_arrow_table(lines, names, types | narrow)
    except pa.ArrowInvalid:  # old files have times without a zone
        return _read_arrow_table(lines, names, types)
    return table if _is_exact_as_float(table) else _read_arrow_table(lines, names, types)


def _is_exact_as_float(table: pa.Table) -> bool:
    """Tell whether all whole numbers are such as float64 holds: the other engine reads no others."""
    import pyarrow as pa
    from pyarrow import compute

    ranges = [compute.min_max(column).as_py() for column in table.columns if column.type == pa.int64()]
    return all(abs(end or 0) <= MOST_EXACT for each in ranges for end in each.values())


def _read_arrow_table(lines: bytes, names: Sequence[str], types: Mapping[str, pa.DataType]) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    return csv.read_csv(
        pa.BufferReader(lines),
        csv.ReadOptions(column_names=names),
        csv.ParseOptions(quote_char=False),
        csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True),
    )


def read_with_pandas(lines: bytes, names: Sequence[str], shape: TableShape) -> pd.DataFrame:
    """Parse with the C engine of pandas, which pads short lines and truncates long ones: they are refused first."""
    import pandas as pd

    form = lines.translate(None, _ALL_BUT_SHAPE)
    if form != (b"," * (len(names) - 1) + b"\n") * form.count(b"\n"):
        raise ValueError("a line has a different number of cells")
    numbers = shape.numbers().intersection(names)
    text = {name: str for name in names if name not in numbers}
    is_exact = tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1)  # by itself, and warns where it is asked to be
    frame = pd.read_csv(
        io.BytesIO(lines), header=None, names=list(names), index_col=False, dtype=text, na_values=[""],
        keep_default_na=False, low_memory=False, float_precision=None if is_exact else "round_trip",
    )  # fmt: skip
    if any(frame[name].dtype.kind not in "iuf" for name in numbers):
        raise ValueError("a cell is not a number")
    return frame.astype(dict.fromkeys(numbers, float))


def _parse_line_by_line(lines: bytes, names: Sequence[str], numbers: set[str]) -> ParsedLines:
    """Parse the lines that have all cells; a cell that is not a number is left empty."""
    found = rows(lines.replace(b"\r", b"\\r").decode(errors="replace"))
    return frame_of_cells([row for row in found if len(row) == len(names)], names, numbers, len(found))


def frame_of_cells(found: Sequence[Sequence[str]], names: Sequence[str], numbers: set[str], lines: int) -> ParsedLines:
    """Convert cells of text, the rows of this number of lines."""
    import pandas as pd

    frame = pd.DataFrame(found, columns=list(names), dtype=str)
    damaged = lines - len(frame)
    for name in numbers:
        cells = frame[name].str.strip().replace(SWITCHES)
        frame[name] = pd.to_numeric(cells, errors="coerce").astype(float)
        damaged += int((frame[name].isna() & ~cells.isin(ABSENT)).sum())
    text = [name for name in names if name not in numbers]
    frame[text] = frame[text].mask(frame[text] == "")
    return ParsedLines(frame, damaged)
