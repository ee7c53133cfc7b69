"""The configuration of a sampler, handed to its process as one JSON argument.

The sampling process should be up at once, so this module imports next to nothing: neither `dataclasses` nor `json`,
which take longer to import than all that the sampler needs.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


class SamplerConfig:
    """What a sampler reads and where it writes; frozen.

    Attributes:
        interval: Seconds between two rows.
        has_tests: Whether the parent process runs tests, or its workers do.
        per_core: Whether each CPU gets a column of its own.
        rotate_at: Bytes from which on the dataset is continued in a new file; 0 is never.
        path: The dataset that rows are appended to; empty is the one of the run folder.
        began: `time.monotonic` when the run began (see `Clock`).
        epoch: `time.time` at that moment.
        parent_pid: Id of the process that starts the sampler; its descendants are the run. `SamplerClient` sets it.
        workers_dir: Folder with a file for each other process that runs tests, named by its process id; may be empty.
        constraints_dir: Folder with a file for each constraint on CPU time that is held; it need not exist.
        probes: Modules of probes of other packages.
        import_paths: Folders in which those modules are looked for.
    """

    __slots__ = (
        "began", "constraints_dir", "epoch", "has_tests", "import_paths", "interval", "parent_pid", "path", "per_core",
        "probes", "rotate_at", "workers_dir",
    )  # fmt: skip
    interval: float
    has_tests: bool
    per_core: bool
    rotate_at: int
    path: str
    began: float
    epoch: float
    parent_pid: int
    workers_dir: str
    constraints_dir: str
    probes: tuple[str, ...]
    import_paths: tuple[str, ...]

    def __init__(
        self, interval: float, *, has_tests: bool = False, per_core: bool = False, rotate_at: int = 0, path: str = "",
        began: float = 0.0, epoch: float = 0.0, parent_pid: int = 0, workers_dir: str = "",
        constraints_dir: str = "", probes: Iterable[str] = (), import_paths: Iterable[str] = (),
    ) -> None:  # fmt: skip
        values = {
            "interval": interval, "has_tests": has_tests, "per_core": per_core, "rotate_at": rotate_at, "path": path,
            "began": began, "epoch": epoch, "parent_pid": parent_pid, "workers_dir": workers_dir,
            "constraints_dir": constraints_dir, "probes": tuple(probes), "import_paths": tuple(import_paths),
        }  # fmt: skip
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a SamplerConfig is frozen: {name} cannot be set")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SamplerConfig) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(tuple(self._values().values()))

    def __repr__(self) -> str:
        return f"SamplerConfig({', '.join(f'{name}={value!r}' for name, value in self._values().items())})"

    def _values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def replace(self, **changes: Any) -> SamplerConfig:
        """Return a copy with other values of these attributes."""
        return SamplerConfig(**{**self._values(), **changes})

    def to_json(self) -> str:
        """Return the configuration as a JSON object, in ASCII."""
        from pytest_twin._system.stdlib import json

        return json.dumps(self._values())

    @classmethod
    def from_json(cls, text: str) -> SamplerConfig:
        """Return the configuration that `to_json` wrote.

        Raises:
            ValueError: The text is no JSON.
        """
        return cls(**_parse_json(text))


class _ScannerOptions:
    """The options of a JSON scanner, as `json.JSONDecoder` has them."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int, parse_constant = float, int, float


def _parse_json(text: str) -> Any:
    """Parse JSON by the scanner in C that `json` uses, without `json`, which imports `re` and `enum` (10 ms)."""
    try:
        from _json import make_scanner
    except ImportError:  # another implementation of Python
        import json

        return json.loads(text)
    return make_scanner(_ScannerOptions)(text, 0)[0]  # type: ignore[arg-type]  # it takes any such object
