"""The configuration of a sampler, and that its room does not know who starts it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_twin import telemetry
from pytest_twin.telemetry.sampler_config import SamplerConfig

texts = st.text(st.characters() | st.characters(categories=["Cs"], min_codepoint=0xDC80, max_codepoint=0xDCFF))
numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.builds(
        SamplerConfig,
        numbers,
        has_tests=st.booleans(),
        per_core=st.booleans(),
        rotate_at=st.integers(0),
        path=texts,
        began=numbers,
        epoch=numbers,
        parent_pid=st.integers(0),
        workers_dir=texts,
        constraints_dir=texts,
        probes=st.lists(texts),
        import_paths=st.lists(texts),
    )
)
def test_a_configuration_survives_its_json(config):
    text = config.to_json()
    assert SamplerConfig.from_json(text) == config
    assert SamplerConfig(**json.loads(text)) == config
    assert text.isascii()


def test_it_is_read_without_an_import_of_more_than_the_scanner():
    """Each import costs time and memory in the process that should disturb least."""
    config = SamplerConfig(0.1, path="\N{SNOWMAN}\U0001f600\udc80", probes=["a", "b"])
    path = Path(telemetry.__file__).parent / "sampler_config.py"
    program = (
        "import sys, __future__; before = set(sys.modules)\n"
        f"names = {{'__name__': 'config'}}; exec(compile(open({str(path)!r}).read(), 'config', 'exec'), names)\n"
        "config = names['SamplerConfig'].from_json(sys.argv[1])\n"
        "print(ascii(config)); print(*set(sys.modules) - before)"
    )
    command = [sys.executable, "-I", "-S", "-c", program, config.to_json()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout in {f"{config!a}\n\n", f"{config!a}\n_json\n"}  # a module of its own, or built in


def test_it_is_frozen():
    with pytest.raises(AttributeError, match="frozen"):
        SamplerConfig(0.1).interval = 0.2
    changed = SamplerConfig(0.1, has_tests=True).replace(interval=0.2)
    assert (changed.interval, changed.has_tests) == (0.2, True)


def test_telemetry_does_not_name_the_recording_in_any_string():
    named = [
        (path.name, node.lineno)
        for path in Path(telemetry.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "pytest_twin.recording" in node.value
    ]
    assert named == []
