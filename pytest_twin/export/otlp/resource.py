"""The resource that everything of one host is exported with: the host, its software, and the CI pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_twin.export.otlp.run_rows import OWN, RunRows
from pytest_twin.model.version import __version__

SERVICE = "pytest"
ARCHITECTURES = {  # of uname(2) and of Windows, by the semantic conventions
    "x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64", "armv7l": "arm32", "i386": "x86",
    "i686": "x86", "ppc64le": "ppc64", "ppc64": "ppc64", "s390x": "s390x",
}  # fmt: skip


def resource_of(run: RunRows, host: str, own_name: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return the attributes of the resource of a host.

    Args:
        run: The run.
        host: The host; empty for that of pytest.
        own_name: The name of the host of pytest; empty if it is unknown.
        given: Attributes from the environment, which take precedence.
    """
    fingerprint = run.fingerprints.get(host, {})
    cpu, system, python = (_mapping(fingerprint.get(name)) for name in ("cpu", "os", "python"))
    machine = str(system.get("machine", ""))
    found = {
        "telemetry.distro.name": "pytest-twin",  # first: by it a file of ours is recognized
        "telemetry.distro.version": __version__,
        "telemetry.sdk.name": "pytest-twin",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.version": __version__,
        "service.name": SERVICE,
        "host.name": own_name if host == OWN else run.host_names.get(host, host),
        "host.arch": ARCHITECTURES.get(machine.lower(), machine),
        "host.cpu.model.name": cpu.get("model"),
        "os.type": str(system.get("system", "")).lower(),
        "os.name": system.get("name"),
        "os.version": system.get("release"),
        "process.runtime.name": str(python.get("implementation", "")).lower(),
        "process.runtime.version": python.get("version"),
        **given,
    }
    return {name: str(value) for name, value in found.items() if value}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
