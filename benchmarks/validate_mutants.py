"""Measure whether ``pytest-twin validate`` finds what is wrong with a run, and accepts a faithful one.

    python benchmarks/validate_mutants.py
    python benchmarks/validate_mutants.py server.csv ci-artifact/ --replays 200
    python benchmarks/validate_mutants.py --pair server.csv replayed-1 replayed-2

Each recording is first validated by itself, and then each mutant of it: a copy that is wrong in one way, such as
scaled, late or smoothed. A mutant has to fail a gate that is meant for it, in one resource at least. The table has, for
each recording, in how many of the judged resources it did.

False failures are simulated. A faithful replay is the recording, sampled up to --phase of an interval early or late,
with --noise times the noise of real replays: 0.6 points of CPU, 0.05 points of memory, and 2 % of a rate. Two such
replays are validated by each other; a pair for which any gate fails is a false failure. --pair compares two real
replays of one recording by `pytest-twin run`: how large their difference is beside that of simulated ones, and which
gates fail between them.

Without a path the recordings are those in benchmarks/recordings: real work on two CPUs, a row a second.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pytest_twin.analysis.fidelity import gates
from pytest_twin.analysis.fidelity.gates import FAILED, NOT_JUDGED, PASSED, Gate
from pytest_twin.analysis.fidelity.scorecard import (
    RATE_NOISE,
    SHARE_NOISE,
    ResourceFidelity,
    Scorecard,
    compare_recordings,
)
from pytest_twin.model.machine_recording import MachineRecording

RECORDINGS = Path(__file__).parent / "recordings"
SIMULATED_PAIRS = 20
Change = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]


class Mutant(NamedTuple):
    """A way to spoil a run, and the gates of which one has to fail."""

    name: str
    gates: tuple[Gate, ...]
    change: Change


def _values(change: Callable[[np.ndarray[Any, Any], np.random.Generator], Any]) -> Change:
    """Return a change of each column by itself."""
    return lambda frame, rng: frame.apply(lambda column: change(column.to_numpy(), rng), axis=0, raw=False)


def _rows(order: Callable[[int, np.random.Generator], Any]) -> Change:
    """Return a change of the order of the rows, whose times stay."""
    return lambda frame, rng: frame.iloc[order(len(frame), rng)].set_axis(frame.index)


def _late(seconds: float) -> Change:
    """Return a change that repeats the first row for this time, in rows of a second if they are longer."""

    def change(frame: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
        rows = round(seconds / min(float(np.median(np.diff(frame.index))), 1.0))
        return frame.shift(rows).bfill()

    return change


def _blocks(count: int, rng: np.random.Generator) -> Any:
    blocks = np.array_split(np.arange(count), max(count // 20, 2))
    rng.shuffle(blocks)
    return np.concatenate(blocks)


def _faster(frame: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
    return frame.set_axis(frame.index / 1.02)


def _with_gaps(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    blocks = np.array_split(np.arange(len(frame)), 20)
    lost = rng.choice(np.arange(1, 19), 3, replace=False)
    return frame.drop(index=frame.index[np.concatenate([blocks[place] for place in lost])])


def _shifted_resource(frame: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
    return frame.assign(**{str(name): np.roll(frame[name], len(frame) // 3) for name in frame.columns[1::2]})


def _averaged(frame: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
    return frame.groupby(np.arange(len(frame)) // 30).transform("mean")


def _load_average(column: np.ndarray[Any, Any], _: np.random.Generator) -> Any:
    return 2 * pd.Series(column).ewm(span=60).mean().to_numpy()


CHANGED = (gates.CHANGE_CORRELATION, gates.CHANGE_RATIO)
PEAKS = (gates.P95, gates.P99)
MUTANTS = (
    Mutant("scaled to 0.8", (gates.BIAS,), _values(lambda x, _: 0.8 * x)),
    Mutant("scaled to 0.95", (gates.BIAS,), _values(lambda x, _: 0.95 * x)),
    Mutant("offset by a tenth of the mean", (gates.BIAS,), _values(lambda x, _: x + 0.1 * np.nanmean(x))),
    Mutant("growing to 1.3", (gates.BIAS,), _values(lambda x, _: x * np.linspace(1, 1.3, len(x)))),
    Mutant("wrong metric (load average)", (gates.BIAS,), _values(_load_average)),
    Mutant("shuffled", (gates.CORRELATION,), _rows(lambda count, rng: rng.permutation(count))),
    Mutant("blocks shuffled", (gates.CORRELATION,), _rows(_blocks)),
    Mutant("reversed", (gates.CORRELATION,), _rows(lambda count, _: np.arange(count)[::-1])),
    Mutant("inverted", (gates.CORRELATION,), _values(lambda x, _: np.nanmax(x) + np.nanmin(x) - x)),
    Mutant("lagged by 10 s", (gates.LAG,), _late(10)),
    Mutant("lagged by 60 s", (gates.LAG,), _late(60)),
    Mutant("faster by 2 %", (gates.DRIFT,), _faster),
    Mutant("clipped at p80", PEAKS, _values(lambda x, _: np.minimum(x, np.nanquantile(x, 0.8)))),
    Mutant("peaks a quarter higher", PEAKS, _values(lambda x, _: np.where(x > np.nanquantile(x, 0.9), 1.25 * x, x))),
    Mutant("constant", (gates.SKILL,), _values(lambda x, _: np.full(len(x), np.nanmean(x)))),
    Mutant("white noise", (gates.SKILL,), _values(lambda x, rng: rng.normal(np.nanmean(x), np.nanstd(x), len(x)))),
    Mutant("noisy", CHANGED, _values(lambda x, rng: x + rng.normal(0, np.nanstd(x), len(x)))),
    Mutant("averaged over 30 rows", CHANGED, _averaged),
    Mutant("smoothed over 15 rows", CHANGED, lambda frame, _: frame.rolling(15, center=True, min_periods=1).mean()),
    Mutant("resampled, each 10th row held", CHANGED, _rows(lambda count, _: np.arange(count) // 10 * 10)),
    Mutant("truncated by a tenth", (gates.COVERAGE,), lambda frame, _: frame.iloc[: len(frame) * 9 // 10]),
    Mutant("with gaps", (gates.COVERAGE,), _with_gaps),
    Mutant("each second resource shifted", (gates.COUPLING,), _shifted_resource),
)  # fmt: skip


def mutated(recording: MachineRecording, mutant: Mutant, seed: int) -> MachineRecording:
    """Return the mutant of a recording."""
    return replace(recording, frame=mutant.change(recording.frame, np.random.default_rng(seed)))


def failing(scorecard: Scorecard, wanted: Sequence[Gate]) -> list[str]:
    """Return the names of the resources that fail one of these gates; ``all`` for the gate of all together."""
    return list(dict.fromkeys(name or "all" for name, each in scorecard.failures() if each.gate in wanted))


def _noise(name: str, values: pd.Series[float]) -> Any:
    """Return the standard deviation of the noise of real replays."""
    return SHARE_NOISE[name] if name in SHARE_NOISE else RATE_NOISE * values


def replay(recording: MachineRecording, noise: float, phase: float, rng: np.random.Generator) -> MachineRecording:
    """Return a simulated faithful replay; see above."""
    frame, share = recording.frame, rng.uniform(0, phase)
    moved = (1 - share) * frame + share * frame.shift(rng.choice([-1, 1])).fillna(frame)
    noisy = {
        name: moved[name] + noise * _noise(str(name), moved[name]) * rng.normal(0, 1, len(frame)) for name in moved
    }
    return replace(recording, frame=pd.DataFrame(noisy, frame.index).clip(lower=0))


def show_mutants(recordings: dict[str, MachineRecording], seed: int) -> int:
    """Print in how many judged resources each mutant fails its gate; return how many mutants are not found."""
    cards = {name: compare_recordings((name, name), each, each) for name, each in recordings.items()}
    judged = {name: sum(each.verdict != NOT_JUDGED for each in card.resources) for name, card in cards.items()}
    print(f"{'failing of the judged resources':34} {'gate':32}", *(f"{name[:20]:>20}" for name in recordings))
    print(f"{'the recording itself':34} {'none':32}", *(f"{card.verdict:>20}" for card in cards.values()))
    missed = sum(card.verdict != PASSED for card in cards.values())
    for mutant in MUTANTS:
        cells = []
        for name, each in recordings.items():
            if mutant.gates == (gates.COUPLING,) and cards[name].coupling.verdict == NOT_JUDGED:
                cells.append("not judged")
                continue
            found = failing(compare_recordings((name, mutant.name), each, mutated(each, mutant, seed)), mutant.gates)
            missed += not found
            cells.append("yes" if found == ["all"] else f"{len(found)} of {judged[name]}" if found else "MISSED")
        print(
            f"{mutant.name:34} {' or '.join(gate.name for gate in mutant.gates):32}", *(f"{cell:>20}" for cell in cells)
        )
    return missed


def show_false_failures(
    recordings: dict[str, MachineRecording], pairs: int, noise: float, phase: float, seed: int
) -> None:
    """Print how often a gate fails between two simulated faithful replays."""
    rng = np.random.default_rng(seed)
    print(
        f"\nfalse failures of {pairs} pairs of simulated replays (noise {noise:g}, phase {phase:g})   goal at most 5 %"
    )
    for name, each in recordings.items():
        failed, why = 0, Counter[str]()
        for _ in range(pairs):
            card = compare_recordings((name, name), *(replay(each, noise, phase, rng) for _ in range(2)))
            failed += card.verdict == FAILED
            why.update({f"{resource or 'all'} {verdict.gate.name}" for resource, verdict in card.failures()})
        print(f"{name:34} {failed / pairs:8.1%}   {', '.join(f'{gate} {many}' for gate, many in why.most_common(4))}")


def show_pair(recordings: Sequence[MachineRecording], noise: float, phase: float, seed: int) -> None:
    """Print the difference of two real replays of a recording beside the mean one of simulated replays."""
    rng = np.random.default_rng(seed)
    recording, one, other = recordings
    names, only = ("one", "other"), [str(name) for name in recording.frame]
    card = compare_recordings(names, one, other, only=only)
    simulated = [
        compare_recordings(names, *(replay(recording, noise, phase, rng) for _ in range(2)), only=only)
        for _ in range(SIMULATED_PAIRS)
    ]
    print(f"{'RMS difference of two replays':34} {'mean':>10} {'real':>10} {'simulated':>10} {'ratio':>10}")
    for each in card.resources:
        if each.verdict != NOT_JUDGED:
            same = [one for card in simulated for one in card.resources if one.name == each.name]
            real, made = _difference(each), float(np.mean([_difference(one) for one in same]))
            print(f"{each.name:34} {np.nanmean(each.recorded):10.4g} {real:10.4g} {made:10.4g} {real / made:10.2f}")
    failures = ", ".join(f"{name or 'all'} {each.gate.name}" for name, each in card.failures())
    print(f"gates between the two: {f'failed: {failures}' if failures else card.verdict}")


def _difference(resource: ResourceFidelity) -> float:
    """Return the root mean square difference of both series."""
    return float(np.sqrt(np.nanmean((resource.recorded - resource.replayed) ** 2)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="*", type=Path, default=sorted(RECORDINGS.glob("*.csv")))
    parser.add_argument("--replays", type=int, default=100, help="pairs of simulated replays of each recording")
    parser.add_argument("--noise", type=float, default=1.0, help="times the noise of real replays")
    parser.add_argument("--phase", type=float, default=0.05, help="share of an interval by which samples are apart")
    parser.add_argument(
        "--pair", nargs=3, type=Path, metavar=("RECORDING", "RUN", "RUN"), help="two real replays of a recording"
    )
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    from pytest_twin import read_recording

    if chosen.pair:
        show_pair([read_recording(path) for path in chosen.pair], chosen.noise, chosen.phase, chosen.seed)
        return 0
    stems = Counter(path.stem for path in chosen.recordings)
    names = {path.stem if stems[path.stem] == 1 else path.parent.name: path for path in chosen.recordings}
    recordings = {name: read_recording(path) for name, path in names.items()}
    missed = show_mutants(recordings, chosen.seed)
    print(f"\n{len(MUTANTS)} mutants of {len(recordings)} recordings, {missed} missed   goal 0")
    if chosen.replays:
        show_false_failures(recordings, chosen.replays, chosen.noise, chosen.phase, chosen.seed)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
