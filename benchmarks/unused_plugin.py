"""What it costs to have the plugin installed, used by no test: 1,000 trivial tests with it and without it, in turn.

    python benchmarks/unused_plugin.py --pairs 15

No other plugin is loaded in either, so that nothing hides the difference. The ratio is the median over the pairs, so
that a machine whose speed drifts does not count.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = "import pytest\n\n@pytest.mark.parametrize('number', range(1000))\ndef test_trivial(number): pass\n"


def run(folder: Path, *flags: str) -> float:
    """Seconds of wall time of one whole run."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--disable-plugin-autoload",
        *flags,
        "test_trivial.py",
    ]
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def compare(folder: Path, pairs: int, ours: list[str], theirs: list[str]) -> None:
    """Print both figures and their ratio."""
    run(folder, *ours), run(folder, *theirs)  # warm
    times = []
    for number in range(pairs):  # the order changes, so that neither always comes second
        first, second = (ours, theirs) if number % 2 else (theirs, ours)
        pair = run(folder, *first), run(folder, *second)
        times.append(pair if number % 2 else pair[::-1])
    ratios = sorted(one / other for one, other in times)
    print(f"{' '.join(ours):28} {statistics.median(one for one, _ in times):7.3f} s")
    print(f"{'without':28} {statistics.median(other for _, other in times):7.3f} s")
    quartiles = f"{ratios[pairs // 4]:.3f} to {ratios[-1 - pairs // 4]:.3f}"
    print(f"{'ratio':28} {statistics.median(ratios):7.3f}   quartiles {quartiles}")


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=15)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_trivial.py").write_text(TESTS)
        for flags in ([], ["--twin"]):
            compare(Path(folder), given.pairs, ["-p", "pytest_twin.plugin", *flags], [])


if __name__ == "__main__":
    main()
