"""Generate bad schedules: mutated valid ones, and arbitrary bytes."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

MARKER = "executed"  # the file that an executed command would create
SHELL = (
    f"; touch {MARKER}", f"$(touch {MARKER})", f"`touch {MARKER}`", f"| touch {MARKER}", f"&& touch {MARKER} #",
    f"python stressors/cpu_stress.py --procs 1; touch {MARKER}", f"python -c \"open('{MARKER}', 'w')\"",
    f"stressors\\cpu_stress.py --procs $(touch {MARKER})", f"sh -c 'touch {MARKER}'", "{0.__class__}", "%n%s", "=1+1",
    f"__import__('os').system('touch {MARKER}')", f"!!python/object/apply:os.system ['touch {MARKER}']",
)  # fmt: skip
PATHS = (
    "prod.csv", "level.csv", "garbage.csv", "absent.csv", "pipe", "folder", "loop", "schedule.json", "../../etc/passwd",
    "/dev/zero", "/dev/stdin", "/proc/self/mem", "x" * 300, "a/../prod.csv", "",
)  # fmt: skip
NUMBERS = (
    *(float("nan"), float("inf"), float("-inf"), 1e308, -1e308, 5e-324, -0.0, -1, 0, 1, 2, 2.5, 10**6, 10**15, 10**30),
    *(-(10**400), 2**63, 99999, 100_000, 100_001),
)
TEXTS = (
    "", " ", "\0", "\n", "a\nb", "\u2028", "\x1b[31m", "\ud800", "\U0001f600", "٣s", "-5s", "1e308s", "9" * 15 + "d",
    "max", "75%", "150%", "-5%", "1GiB", "50MB/s", "1%/s", "10s:20%, 30s:80%", "10s:20%," * 50, ":" * 50, "1m" * 500,
    "ram_used_percent>95", "no_such_column<1", "mixed:70", "session", "test", "series", "a", "b", "e1", "a#2", "[", "*",
    "true", "null", "x" * 1001, "1" * 5000, "2025-10-11T02:30:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z",
)  # fmt: skip
WORDS = [
    "id",
    "start",
    "duration",
    "after",
    "tests",
    "note",
    "repeat",
    "replay",
    "speed",
    "cpu",
    "mem",
    "disk",
    "net",
    "membw",
    "iops",
    "fds",
    "threads",
    "cpu_total",
    "engine",
    "ramp",
    "steps",
    "stages",
    "method",
    "huge",
    "pattern",
    "access",
    "block",
    "fsync",
    "pause",
    "loop",
    "directory",
    "stop_when",
    "strict",
    "version",
    "anchor",
    "mode",
    "seed",
    "events",
    "$schema",
    "type",
    "cmd",
    "duration_s",
    "every",
    "count",
    "durration",
    "matrix",
    "shared",
    "__proto__",
]

LOADS = ({"cpu": 1}, {"mem": "25%", "ramp": "5s", "steps": 3}, {"disk": "20MB/s"}, {"replay": "prod.csv", "speed": 2})
MODERN: dict[str, Any] = {
    "version": 1, "anchor": "session", "mode": "parallel", "seed": 7,
    "events": [
        {"id": "a", "start": "2s", "duration": "30s", "cpu": "50%", "ramp": "5s", "stop_when": ["cpu_percent>99"]},
        {"id": "b", "after": "a", "duration": "20s", "mem": "25%", "tests": "tests/db/*", "strict": True},
        {"after": "b", "duration": 10, "disk": "20MB/s", "repeat": {"every": "30s", "count": 3}},
        {"replay": "level.csv", "speed": 10}, {"duration": "1s", "engine": "stress-ng", "matrix": 2},
        {"duration": "50s", "cpu": "0%", "stages": [["10s", "20%"], ["30s", "80%"]]},
    ],
}  # fmt: skip
LEGACY: list[dict[str, Any]] = [
    {"type": "cpu_spike", "duration_s": 180, "cmd": "python stressors\\cpu_stress.py --procs 8 --duration 180",
     "start": "2025-10-11T02:30:00"},
    {"type": "memory_load", "duration_s": 60, "cmd": "python stressors/mem_stress.py --step_mb 500 --steps 10",
     "start": "2025-10-11T02:31:00"},
    {"type": "disk_io", "duration_s": 60, "cmd": "python stressors/disk_stress.py --size_mb 1500 --path a/b.bin",
     "start": "2025-10-11T02:32:00"},
]  # fmt: skip
TOML = b"""version = 1
anchor = "session"
[[events]]
id = "a"
duration = "30s"
cpu = "50%"
[[events]]
after = "a"
duration = 10
disk = "20MB/s"
repeat = {every = "30s", count = 3}
"""
TOML_LINES = (
    "[[events]]", "[events]", "[a.b]", "events = []", "cpu = nan", "cpu = 2025-10-11", "mem = 07:32:00",
    "cpu = 99:99:99", f"seed = 0x{'f' * 5000}", f"seed = {'9' * 5000}", "a" + ".a" * 5000 + " = 1", "duration = -inf",
    "x = " + "[" * 5000, "x = " + "{a=" * 5000, 'id = """', "start = 1_000", "= 1", "\0", "a.b = 1", "cpu = 1",
    "cpu = 2", "# " + "x" * 5000,
)  # fmt: skip
RECORDINGS = {
    "prod.csv": b"elapsed_s,cpu_percent,ram_used_percent,disk_write_MB\n0,50,20,1\n1,60,25,2\n2,70,30,3\n",
    "level.csv": b"timestamp,value\n2026-01-01 00:00:00,50\n2026-01-01 00:00:01,60\n",
    "garbage.csv": bytes(range(256)) * 20,
}


def files(seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents endlessly; the same seed gives the same ones."""
    draw = random.Random(seed)
    while True:
        yield _FORMS[draw.randrange(len(_FORMS))](draw)


def recording(draw: random.Random) -> bytes:
    """Return a damaged recording, or arbitrary bytes."""
    content = draw.choice(list(RECORDINGS.values()))
    cell = draw.choice((b"1e308", b"-1e308", b"nan", b"inf", b"1e-320", b"", b'"', b"2026-01-01", b"0x1", b"\0"))
    cells = content.replace(b"\n", b",\n,").split(b",")
    cells[draw.randrange(len(cells))] = cell
    return _damaged(draw, b",".join(cells).replace(b",\n,", b"\n"))


def _changed(draw: random.Random) -> tuple[str, bytes]:
    document: Any = copy.deepcopy(draw.choice((MODERN, MODERN, LEGACY)))
    for _ in range(draw.choice((0, 1, 1, 1, 2, 3))):
        _change(draw, document)
    text = json.dumps(document, ensure_ascii=draw.random() < 0.9)
    if draw.random() < 0.1:  # a duplicate key
        key = draw.choice(WORDS)
        text = text.replace("{", f'{{"{key}": 1, "{key}": 2, ', 1)
    return "schedule.json", _encoded(draw, text)


def _toml(draw: random.Random) -> tuple[str, bytes]:
    lines = TOML.decode().splitlines()
    for _ in range(draw.randint(1, 4)):
        lines.insert(
            draw.randrange(len(lines) + 1), draw.choice((*TOML_LINES, f"{draw.choice(WORDS)} = {_any(draw)!r}"))
        )
    content = _encoded(draw, "\n".join(lines))
    return "schedule.toml", content if draw.random() < 0.8 else _damaged(draw, content)


def _torn(draw: random.Random) -> tuple[str, bytes]:
    content = json.dumps(draw.choice((MODERN, LEGACY))).encode()
    return "schedule.json", _damaged(draw, content)


def _garbage(draw: random.Random) -> tuple[str, bytes]:
    size = draw.choice((0, 1, 2, 10, 100, 1000))
    signs = draw.choice((None, b'{}[]",:0123456789.eE+-truefalsn \n\\', b"[]", b'{"a":', b"[[events]]\n=. #'\""))
    content = draw.randbytes(size) if signs is None else bytes(draw.choices(signs, k=size))
    return f"schedule.{draw.choice(('json', 'toml'))}", content


def _long(draw: random.Random) -> tuple[str, bytes]:
    """Return a long repetition, of some dozen kilobytes."""
    count = draw.choice((100, 1000))
    chain = [{"id": f"i{at}", "after": f"i{at + 1}", "duration": 1, "cpu": 1} for at in range(count)]
    document = draw.choice((
        {"events": chain},
        {"events": [*chain, {"id": f"i{count}", "after": "i0", "duration": 1, "cpu": 1}]},
        {"events": [{"id": "a", "duration": 1, "cpu": 1}] * count},
        {"events": [{draw.choice(WORDS): _any(draw) for _ in range(5)} for _ in range(count)]},
        {"events": [{f"key{at}": 1 for at in range(count * 10)}]},
        {"events": [{"duration": 1, "cpu": 1, "repeat": {"every": 0, "count": 100_000}}, {"cpu": 1}]},
        {"events": [{"duration": 1, "replay": draw.choice(PATHS)}] * count},
        {"events": [{"duration": 1, "cpu": "0%", "stages": "1s:1%," * (count * 10) + "1s:x"}]},
        [{**LEGACY[0], "cmd": "cpu_stress.py " + "--procs 1 " * count + "x"}],
        LEGACY * count,
    ))  # fmt: skip
    return "schedule.json", json.dumps(document).encode()


def _deep(draw: random.Random) -> tuple[str, bytes]:
    depth = draw.choice((50, 500, 900, 5000, 20000))
    before, after = draw.choice(((b"[", b"]"), (b'{"events":', b"}"), (b'{"a":[', b"]}")))
    inside = before * depth + b"1" + (after * depth if draw.random() < 0.7 else b"")
    around = draw.choice((b"%s", b'{"events": [{"cpu": %s, "duration": 1}]}', b'{"events": [{"stop_when": %s}]}'))
    return "schedule.json", around % inside


_FORMS: list[Callable[[random.Random], tuple[str, bytes]]] = [
    *(_changed,) * 60, *(_toml,) * 12, *(_torn,) * 10, *(_garbage,) * 14, _long, *(_deep,) * 3,
]  # fmt: skip


def _any(draw: random.Random) -> Any:
    """Return a value that is invalid for every key."""
    single = (draw.choice(NUMBERS), draw.choice(TEXTS), draw.choice(SHELL), draw.choice(PATHS), None, True)
    one = draw.choice(single)
    return draw.choice(
        (one, one, one, [one], {draw.choice(WORDS): one}, [], {}, [[one, one]], {"every": one, "count": one})
    )


def _change(draw: random.Random, document: Any) -> None:
    """Change a random part of a document."""
    places = list(_containers(document))
    place = draw.choice(places)
    how = draw.randrange(6)
    if isinstance(place, list):
        if how < 2 or not place:
            place.insert(
                draw.randrange(len(place) + 1), draw.choice((_any(draw), dict(draw.choice(LOADS), duration=1)))
            )
        elif how < 4:
            place[draw.randrange(len(place))] = _any(draw)
        else:
            place.append(copy.deepcopy(place[0]))
        return
    keys = list(place)
    if how == 0 and keys:
        del place[draw.choice(keys)]
    elif how == 1 and keys:
        place[draw.choice((*WORDS, *TEXTS, *SHELL))] = place.pop(draw.choice(keys))
    elif how < 4 and keys:
        place[draw.choice(keys)] = _any(draw)
    else:
        place[draw.choice(WORDS)] = _any(draw)


def _containers(node: Any) -> Iterator[Any]:
    if isinstance(node, dict | list):
        yield node
        for inner in node.values() if isinstance(node, dict) else node:
            yield from _containers(inner)


def _encoded(draw: random.Random, text: str) -> bytes:
    how = draw.choice(("utf-8",) * 12 + ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "utf-7"))
    return text.encode(how, "surrogatepass" if "utf-" in how and how != "utf-7" else "replace")


def _damaged(draw: random.Random, content: bytes) -> bytes:
    """Change, cut, duplicate or insert bytes."""
    data = bytearray(content)
    for _ in range(draw.randint(1, 5)):
        at = draw.randrange(len(data) + 1)
        match draw.randrange(4):
            case 0:
                del data[at:]
            case 1:
                data[at:at] = draw.randbytes(draw.randint(1, 8))
            case 2:
                data[at : at + 1] = bytes([draw.randrange(256)])
            case _:
                data[at:at] = data[max(0, at - 40) : at]
    return bytes(data)
