"""Export the samples of a run as Parquet, a row a sample, with those of all hosts in one file.

`pandas.read_parquet` reads the units and the meanings of the columns from its metadata into ``attrs``.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_twin.analysis.run.run_summary import RunSummary

FILE = "samples.parquet"
BEGINNING = b"PAR1"
NEEDS = {"pyarrow": "pip install 'pytest-twin[parquet]'"}
PRODUCER, OWN = b"producer", b"pytest-twin"  # in the metadata, by which a file of ours is recognized


def write(summary: RunSummary, file: IO[bytes]) -> None:
    """Write all samples."""
    from pyarrow import Table, parquet

    from pytest_twin.run_folder.convert import parquet_schema

    samples = summary.run.samples
    schema = parquet_schema(samples)
    marked = schema.with_metadata({**schema.metadata, PRODUCER: OWN})
    parquet.write_table(Table.from_pandas(samples, schema=marked, preserve_index=True), file, compression="zstd")


def is_own(path: Path) -> bool:
    """Tell whether a Parquet file is one of ours."""
    from pyarrow import ArrowException, parquet

    try:
        metadata = parquet.read_schema(path).metadata
    except (OSError, ArrowException):
        return False
    return metadata is not None and metadata.get(PRODUCER) == OWN
