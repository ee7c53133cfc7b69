"""Make the samples of output that the README and these pages show.

python docs/samples.py             # all of them; needs Linux and takes three minutes
python docs/samples.py budget      # one

A page has a sample between ``<!-- sample: NAME -->`` and ``<!-- /sample -->``. Tests run the short ones again, and
compare what does not depend on the machine.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
SAMPLE = re.compile(r"(<!-- sample: ([\w-]+) -->\n)(.*?)(<!-- /sample -->)", re.DOTALL)
IMPORT = """
import pytest


@pytest.mark.twin_budget(cpu_seconds=0.01, children=0)
def test_import():
    assert sum(number * number for number in range(2_000_000)) > 0
"""


class Sample(NamedTuple):
    """A sample.

    Attributes:
        arguments: The arguments of pytest, in a folder with the examples and ``test_import.py``.
        is_shown: Whether a line of the output is shown.
    """

    arguments: tuple[str, ...]
    is_shown: Callable[[str], bool]


def _is_of_profile(line: str) -> bool:
    return line.startswith(("slowdown by load ", "(?: ", "examples/test_bottlenecks.py::")) or bool(
        re.match(r"  [\d-] \w+ ", line)
    )


FLAKY = "examples/flaky/test_thumbnails.py::test_thumbnail_after_a_sleep"
SAMPLES = {
    "flaky": Sample(
        (FLAKY, "--twin-constrain=cpu=0.05", "--twin-repeat=10"),
        lambda line: bool(re.match(r"failed \d+ of \d+, | +\d+ x ", line)),
    ),
    "budget": Sample(("test_import.py",), lambda line: "over budget" in line and not line.startswith("FAILED ")),
    "profile": Sample(("examples/test_bottlenecks.py", "--twin-profile", "--twin-profile-time=150s"), _is_of_profile),
}


def make(name: str) -> str:
    """Run pytest for a sample, and return the lines that are shown."""
    sample = SAMPLES[name]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "test_import.py").write_text(IMPORT)
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir=.", *sample.arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    lines = [line.rstrip() for line in done.stdout.splitlines() if sample.is_shown(line)]
    if not lines:
        raise SystemExit(f"{name}: nothing to show in\n{done.stdout}{done.stderr}")
    return "\n".join(lines) + "\n"


def pages() -> Iterable[Path]:
    """Return all pages."""
    return [ROOT / "README.md", *sorted(Path(__file__).parent.rglob("*.md"))]


def main() -> None:
    """Make the named samples, or all, and write them into the pages."""
    made = {name: f"```text\n{make(name)}```\n" for name in sys.argv[1:] or SAMPLES}
    for page in pages():
        text = page.read_text(encoding="utf-8")
        text = SAMPLE.sub(lambda found: found[1] + made.get(found[2], found[3]) + found[4], text)
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
