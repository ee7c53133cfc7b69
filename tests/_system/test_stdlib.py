"""The standard library as it was before any test replaced a part of it."""

from __future__ import annotations

import json
import os
import sys

import pytest

from pytest_twin._system import stdlib

MODULES = ["json", "os", "select", "signal", "subprocess", "sys", "tempfile", "threading", "time"]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_its_names_and_values(name):
    copy, real = getattr(stdlib, name), sys.modules[name]
    assert vars(copy).keys() >= {each for each in vars(real) if not each.startswith("_")}
    assert copy is getattr(stdlib, name)


def test_what_a_test_puts_into_a_module_is_not_in_the_copy(monkeypatch):
    whole = stdlib.os.listdir
    monkeypatch.setattr(os, "listdir", lambda _: ["spam"])
    monkeypatch.setattr(sys, "platform", "spam")
    assert stdlib.os.listdir is whole
    assert stdlib.sys.platform != "spam"


def test_functions_in_python_find_the_names_of_their_module_in_the_copy(monkeypatch, tmp_path):
    _ = stdlib.json, stdlib.os
    for name in json.__all__:
        monkeypatch.setattr(json, name, None)
    monkeypatch.setattr(os, "mkdir", None)
    assert stdlib.json.loads(stdlib.json.dumps({"a": [1, object]}, default=str, indent=1)) == {"a": [1, str(object)]}
    stdlib.os.makedirs(tmp_path / "a" / "b")


def test_tools_that_look_for_modules_pass_over_the_copy():
    assert not any(type(copy) is type(os) for copy in (stdlib.os, stdlib.sys))


def test_what_is_no_module_is_no_name():
    with pytest.raises(ImportError):
        from pytest_twin._system.stdlib import spam  # noqa: F401
