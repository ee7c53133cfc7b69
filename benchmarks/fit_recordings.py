"""Measure how many events ``pytest-twin fit`` needs for a recording, how long it takes, and which gates its fit fails.

    python benchmarks/fit_recordings.py
    python benchmarks/fit_recordings.py server.csv ci-artifact/ --events 10

Each recording is fitted as the command does it: with at most --events events to all rows, and to half of the rows to be
judged on the other half. The time is that of the whole command without the reading of the file. Then --variants other
days of the same kind are looked for.

Without a path the recordings are those in benchmarks/recordings, and made days of a row a second with CPU, memory, disk
writes and network: office hours, a lunch break, a backup at night, jumps and slow rises, with noise that lasts 30 s.
Its standard deviation is --noise points of CPU, a fifth of it for memory, and four times as many per cent of a rate.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import pandas as pd

from pytest_twin import read_recording
from pytest_twin.analysis.fidelity.gates import FidelityGates
from pytest_twin.analysis.fidelity.scorecard import Scorecard
from pytest_twin.analysis.fit.judgement import judge_fit
from pytest_twin.analysis.fit.phases import FitOptions, fit_phases
from pytest_twin.analysis.fit.variants import find_variants
from pytest_twin.cli.fit import target_of_fit
from pytest_twin.model.machine_recording import MachineRecording
from pytest_twin.report.fidelity.wording import describe_verdict, format_value

RECORDINGS = Path(__file__).parent / "recordings"
ROWS = 86_400
NOISE_S = 30.0


def _noise(rng: np.random.Generator, deviation: float) -> np.ndarray:
    """Return noise whose autocorrelation falls to 1/e in `NOISE_S`."""
    from scipy.signal import lfilter

    keep = np.exp(-1 / NOISE_S)
    return lfilter([1], [1, -keep], rng.normal(0, deviation * np.sqrt(1 - keep**2), ROWS))


def made_day(noise: float, seed: int) -> MachineRecording:
    """Return a day with noise of so many points of CPU."""
    rng, hours, deviation = np.random.default_rng(seed), np.arange(ROWS) / 3600, noise / 100
    cpu = np.interp(
        hours,
        [0, 1, 1.001, 2.5, 2.501, 7, 9, 12, 12.001, 13, 13.001, 17, 19, 24],
        [0.1, 0.1, 0.6, 0.6, 0.1, 0.12, 0.55, 0.6, 0.35, 0.35, 0.6, 0.7, 0.2, 0.12],
    )
    memory = np.interp(hours, [0, 7, 9, 18, 18.001, 24], [0.3, 0.3, 0.45, 0.6, 0.35, 0.3])
    disk = np.where((hours > 1) & (hours < 2.5), 80e6, 2e6) + np.interp(
        hours, [0, 8, 9, 17, 19, 24], [0, 0, 10e6, 15e6, 1e6, 1e6]
    )
    net = np.interp(
        hours, [0, 7, 9, 12, 12.001, 13, 13.001, 17, 19, 24], [1e6, 1e6, 20e6, 22e6, 10e6, 10e6, 22e6, 25e6, 3e6, 1e6]
    )
    columns = {
        "cpu": np.clip(cpu + _noise(rng, deviation), 0, 1),
        "mem": np.clip(memory + _noise(rng, deviation / 5), 0, 1),
        "disk_write": disk * np.exp(_noise(rng, 4 * deviation)),
        "net_sent": net * np.exp(_noise(rng, 4 * deviation)),
    }
    frame = pd.DataFrame(columns, pd.Index(np.arange(1.0, ROWS + 1), name="elapsed_s"))
    return MachineRecording(frame, None, 1.0, dict.fromkeys(columns, "made"))


def show(name: str, recording: MachineRecording, options: FitOptions, variants: int) -> bool:
    """Print how well a recording is fitted; return whether no gate fails on the held-out half."""
    began, began_cpu = perf_counter(), process_time()
    fit = fit_phases(recording, options)
    target = partial(target_of_fit, recording)
    judgement = judge_fit(name, recording, fit, options, FidelityGates(), target)
    seconds, cpu_s = perf_counter() - began, process_time() - began_cpu
    passing = "never" if judgement.passing_s is None else f"from {judgement.passing_s:g} s on"
    print(f"\n{name}: {len(recording.frame)} rows, {len(fit.resources)} resources")
    print(f"  events {fit.events:8}   goal at most {options.events}")
    print(f"  seconds {seconds:7.1f}   goal at most 10 for a day   ({cpu_s:.1f} s of CPU time)")
    print(f"  held-out half: {describe_verdict(judgement.held_out)}   goal passed   passes {passing}")
    _show_failures(judgement.held_out)
    print(f"  all rows: {describe_verdict(judgement.whole)}")
    _show_failures(judgement.whole)
    if variants:
        found = find_variants(fit, variants, 7, recording, target)
        worst = [max(figures) for figures in zip(*(each.figures for each in found), strict=True)]
        print(
            f"  variants {len(found):6}   goal {variants}   worst figures {', '.join(f'{each:.2g}' for each in worst)}"
        )
    return not list(judgement.held_out.failures())


def _show_failures(card: Scorecard) -> None:
    for name, each in card.failures():
        print(f"    {name or 'all resources'}: {each.gate.title} {format_value(each)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="*", type=Path)
    parser.add_argument("--noise", type=float, nargs="*", default=[0.5, 1, 2, 4], help="points of CPU, of a made day")
    parser.add_argument("--events", type=int, default=20)
    parser.add_argument("--tolerance", type=float, default=0.1, help="per cent of the variance")
    parser.add_argument("--variants", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1, help="of the made day")
    chosen = parser.parse_args()
    options = FitOptions(chosen.events, chosen.tolerance / 100)
    paths = chosen.recordings or sorted(RECORDINGS.glob("*.csv"))
    passed = [show(path.stem, read_recording(path), options, chosen.variants) for path in paths]
    for noise in () if chosen.recordings else chosen.noise:
        day = made_day(noise, chosen.seed)
        passed.append(show(f"a made day with {noise:g} points of noise", day, options, chosen.variants))
    print(f"\n{sum(passed)} of {len(passed)} pass on the held-out half in the intervals of the recording")
    return 0


if __name__ == "__main__":
    sys.exit(main())
