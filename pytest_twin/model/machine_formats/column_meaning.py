"""Tell what a column of a table shows by its name: the resource, the unit, and whether it is a rate or a total.

Our own names, and those of the old scripts, are exact. Names of monitoring systems are read by their words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

SHARE = "share"  # from 0 to 1
LEVEL = "level"  # bytes in use
RATE = "rate"  # bytes a second
AMOUNT = "amount"  # bytes since the row before; a running total is recognized by its values
COUNTER = "counter"  # bytes since some beginning
MIB = 2**20


class ColumnMeaning(NamedTuple):
    """What a column shows.

    Attributes:
        column: Its name.
        resource: The name of the resource.
        form: `SHARE`, `LEVEL`, `RATE`, `AMOUNT` or `COUNTER`.
        factor: The factor from its unit to a share, bytes, or bytes a second; 0 for a share whose values decide
            whether it is a ratio or per cent.
        is_free: Whether it shows what is not in use.
        note: How an ambiguous name was read; empty for one that is not.
    """

    column: str
    resource: str
    form: str
    factor: float
    is_free: bool = False
    note: str = ""


EXACT = {
    "cpu_percent": ("cpu", SHARE, 0.01),
    "cpu_user_percent": ("cpu_user", SHARE, 0.01),
    "cpu_system_percent": ("cpu_system", SHARE, 0.01),
    "ram_used_percent": ("mem", SHARE, 0.01),
    "disk_read_mb": ("disk_read", AMOUNT, MIB),
    "disk_write_mb": ("disk_write", AMOUNT, MIB),
    "net_sent_mb": ("net_sent", AMOUNT, MIB),
    "net_recv_mb": ("net_received", AMOUNT, MIB),
    "net_loopback_mb": ("net_loopback", AMOUNT, MIB),
}
VALUES = ("value", "average", "_value")  # the value columns of NAB and Grafana, CloudWatch, and InfluxDB
WANTED = "cpu_percent (or value), ram_used_percent, disk_read_MB, disk_write_MB, net_sent_MB, net_recv_MB"

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[a-z]+|%")
_NOT_ONES = {
    "tests", "stress", "pressure", "psi", "swap", "count", "counts", "cores", "freq", "frequency", "temp",
    "temperature", "limit", "limits", "credit", "credits", "request", "requests", "throttled", "iowait", "steal", "ops",
    "iops", "time", "latency", "merged", "await", "queue", "tps", "errors", "packets", "packet", "pps", "pck", "pckt",
    "drop", "drops", "dropped", "loopback", "seconds", "cached", "cache", "buffers", "guest", "process", "load", "hits",
    "cgroup",
}  # fmt: skip
_PERCENT = {"percent", "percentage", "pct", "%"}
_RATIO = {"ratio", "fraction"}
_FREE = {"idle", "free", "available", "avail"}
_IN_USE = _PERCENT | _RATIO | {"util", "utilization", "utilisation", "usage", "used", "busy", "total", "active", "user",
                               "usr", "system", "sys", "idle"}  # fmt: skip
_DISK = {"disk", "disks", "io", "blk", "blkio", "block", "volume", "storage", "device", "dev", "vda", "sda", "nvme",
         "ebs", "fs"}  # fmt: skip
_NETWORK = {"net", "network", "networks", "eth", "ens", "interface", "nic", "traffic", "bandwidth", "bytes", "wlan"}
_READ, _WRITE = {"read", "reads", "readed"}, {"write", "writes", "written", "wrtn"}
_SENT = {"sent", "send", "out", "tx", "transmit", "transmitted", "egress", "upload", "outbound"}
_RECEIVED = {"recv", "received", "receive", "in", "rx", "ingress", "download", "inbound"}
_BYTES = {"b": 1, "k": 2**10, "m": MIB, "g": 2**30, "t": 2**40}
_SIZE = re.compile(r"(?:(?<![A-Za-z])|(?<=[tre]x))([kKMmGgTt])?(i?[Bb])(?:ytes?)?(?=ps|/s|[^A-Za-z]|$|per)")
_LONG_SIZE = re.compile(r"(kilo|mega|giga|tera|kibi|mebi|gibi)?_?(bit|byte)s?", re.IGNORECASE)
_PER_SECOND = re.compile(r"/ ?s|per_?s|[bB](?:its|ytes)?ps(?![a-z])|rate\(|\bbps", re.IGNORECASE)
_CLOUDWATCH = re.compile(r"(?:Disk|EBS|Network|Volume)[A-Z]\w*")


def find_columns(names: Iterable[str]) -> list[ColumnMeaning]:
    """Return what the columns of a table show; for each resource either exact names, or all others that show it."""
    names = list(names)
    exact = [ColumnMeaning(name, *EXACT[name.casefold()]) for name in names if name.casefold() in EXACT]
    known = {each.resource for each in exact}
    others = [found for name in names if name.casefold() not in EXACT and (found := _meaning(name)) is not None]
    return exact + [each for each in others if each.resource not in known]


def find_value(names: Iterable[str]) -> str:
    """Return the column of values that a table of one series has; empty if there is none."""
    small = {name.casefold(): name for name in reversed(list(names))}
    return next((small[name] for name in VALUES if name in small), "")


def _meaning(name: str) -> ColumnMeaning | None:
    spaced = _CAMEL.sub("_", name)
    words = set(_WORD.findall(spaced.casefold()))
    if words & _NOT_ONES:
        return None
    if words & {"cpu", "cpus", "processor"}:
        return _cpu(name, spaced, words)
    if words & {"mem", "memory", "ram"}:
        return _memory(name, words)
    if words & (_READ | _WRITE) and words & (_DISK | {"bytes"} | set("kmg")) | _sized(name):
        return _bytes(name, "disk_read" if words & _READ else "disk_write", words)
    if words & (_SENT | _RECEIVED) and words & _NETWORK:
        return _bytes(name, "net_sent" if words & _SENT else "net_received", words)
    return None


def _sized(name: str) -> set[str]:
    return {"size"} if _SIZE.search(name) else set()


def _cpu(name: str, spaced: str, words: set[str]) -> ColumnMeaning | None:
    if not (words & _IN_USE or spaced.casefold().endswith("cpu")):
        return None
    behind = set(_WORD.findall(spaced.casefold().partition("cpu")[2]))
    mode = "cpu_user" if behind & {"user", "usr"} else "cpu_system" if behind & {"system", "sys", "kernel"} else "cpu"
    return _share(name, mode, words)


def _share(name: str, resource: str, words: set[str]) -> ColumnMeaning:
    is_percent = words & _PERCENT or name.endswith("CPUUtilization")
    factor = 0.01 if is_percent else 1.0 if words & _RATIO else 0.0
    return ColumnMeaning(name, resource, SHARE, factor, bool(words & _FREE))


def _memory(name: str, words: set[str]) -> ColumnMeaning | None:
    if words & _FREE and not words & (_PERCENT | _RATIO):
        return None  # of a total that is not known
    size = _size(name)
    if words & (_PERCENT | _RATIO) or (not size and words & {"util", "utilization", "utilisation"}):
        return _share(name, "mem", words)
    if words & {"used", "usage", "active"} and size:
        return ColumnMeaning(name, "mem_bytes", LEVEL, size[0], note=size[1])
    return _share(name, "mem", words) if words & {"used", "usage"} else None


def _bytes(name: str, resource: str, words: set[str]) -> ColumnMeaning:
    size = _size(name)
    factor, note = size or (1.0, "has no unit, and is read as bytes a second")
    if _PER_SECOND.search(name) or not size:
        return ColumnMeaning(name, resource, RATE, factor, note=note)
    if "total" in words and "increase" not in words:
        return ColumnMeaning(name, resource, COUNTER, factor, note=note)
    amount = "" if _CLOUDWATCH.search(name) else "is read as the amount of each row"
    return ColumnMeaning(name, resource, AMOUNT, factor, note=" and ".join(filter(None, (note, amount))))


def _size(name: str) -> tuple[float, str] | None:
    """Return the bytes of the unit in a name, and how it was read where it is ambiguous."""
    if long := _LONG_SIZE.search(name):
        factor = float(_BYTES[(long[1] or "b")[0].lower()])
        return (factor / 8 if long[2].lower() == "bit" else factor), ""
    if not (short := _SIZE.search(name)):
        return None
    prefix, letter = (short[1] or "b").lower(), short[2]
    is_bits = letter == "b" and bool(re.search(r"b(?:ps|it)", name[short.start() :])) and name != name.lower()
    factor = _BYTES[prefix] / (8 if is_bits else 1)
    if prefix == "b" or letter.startswith("i"):
        return factor, ""
    return factor, f"has {short[0]} of {_BYTES[prefix]} {'bits' if is_bits else 'bytes'}"
