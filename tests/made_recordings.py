"""Recordings of machines that nobody recorded, with the character of real ones."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pytest_twin.model.machine_recording import MachineRecording


def recording(interval_s=1.0, **columns):
    """A recording with these columns."""
    series = {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
    count = len(next(iter(series.values())))
    index = pd.Index(np.arange(1, count + 1) * interval_s, name="elapsed_s", dtype=np.float64)
    return MachineRecording(pd.DataFrame(series, index), None, interval_s, dict.fromkeys(columns, "made"))


def of_frame(frame, interval_s=1.0):
    """A recording with these rows."""
    return MachineRecording(frame, None, interval_s, dict.fromkeys(map(str, frame.columns), "made"))


def server(seconds=600, seed=3):
    """A server: jobs of changing length and size that burn CPU, hold memory, and write at their end."""
    rng = np.random.default_rng(seed)
    cpu, mem, disk = np.full(seconds, 0.08), np.full(seconds, 0.3), np.full(seconds, 2e5)
    at = 5
    while at < seconds - 5:
        length, size = int(rng.integers(4, 40)), rng.uniform(0.1, 0.8)
        cpu[at : at + length] += size * rng.uniform(0.8, 1.0, len(cpu[at : at + length]))
        mem[at : at + length] += size * 0.4 * np.linspace(0.2, 1, length)[: len(mem[at : at + length])]
        disk[at + length - 3 : at + length] += size * rng.uniform(2e7, 6e7)
        at += length + int(rng.exponential(12))
    noise = rng.normal(0, 0.01, seconds)
    return recording(cpu=np.clip(cpu + noise, 0, 1), mem=mem, disk_write=disk)
