"""A request for a load, on its way between processes."""

from __future__ import annotations

import json

import pytest

from pytest_twin.stressors.spec.request import LoadRequest

MESSAGE = {
    "id": "l1",
    "module": "pytest_twin.stressors.kinds.disk",
    "unit": "bytes/s",
    "profile": [[0.0, 0.0], [2.0, 1e6]],
    "options": {"block": 4096},
    "stop_when": [["ram_used_percent", ">", 95]],
    "start": 12.5,
    "duration": 3.0,
    "seed": 7,
}


def test_a_request_is_the_same_after_its_way_as_json():
    sent = LoadRequest.from_json({"op": "apply", **MESSAGE}).to_json()
    assert sent == MESSAGE
    assert LoadRequest.from_json(json.loads(json.dumps(sent))).to_json() == MESSAGE


def test_only_unit_and_profile_are_required():
    request = LoadRequest.from_json({"unit": "count", "profile": [[0, 1]]})
    assert request.to_json() == {
        "id": "", "module": "", "unit": "count", "profile": [[0, 1]], "options": {}, "stop_when": (), "start": None,
        "duration": None, "seed": 0,
    }  # fmt: skip
    with pytest.raises(KeyError, match="profile"):
        LoadRequest.from_json({"unit": "count"})


def test_a_request_is_frozen():
    request = LoadRequest.from_json(MESSAGE)
    with pytest.raises(AttributeError, match="LoadRequest is frozen: seed cannot be set"):
        request.seed = 8
