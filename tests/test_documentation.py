"""What the documentation says is what the code does."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from contextlib import suppress

import click
import jsonschema
import pytest
from documentation_pages import DOCS, LINK, PAGES, README, ROOT, blocks_of, headings_of
from made_runs import MadeRun

import pytest_twin
from pytest_twin.analysis.budgets.parser import KEYWORDS as BUDGET_KEYWORDS
from pytest_twin.analysis.budgets.rules import parse_rules
from pytest_twin.analysis.fidelity.gates import limit_declarations, parse_gates
from pytest_twin.cli import main
from pytest_twin.loads.constraint import KEYWORDS as CONSTRAINT_KEYWORDS
from pytest_twin.loads.modifiers import MODIFIERS
from pytest_twin.loads.schedule import schema
from pytest_twin.loads.schedule.parser import parse_schedule
from pytest_twin.model import attempt_row, event, flaky_row, profile_row
from pytest_twin.model.machine_formats.parser import parse_text
from pytest_twin.plugin import marks
from pytest_twin.run_folder import layout
from pytest_twin.settings import options
from pytest_twin.stressors import find_kinds
from pytest_twin.telemetry import probes

yaml = pytest.importorskip("yaml")

RECORDING = (ROOT / "benchmarks" / "recordings" / "web.csv").read_text(encoding="utf-8")


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def in_language(*languages):
    return pytest.mark.parametrize("block", [each for each in BLOCKS if each.language in languages], ids=str)


@pytest.fixture(scope="module")
def generated():
    """What writes the parts of the documentation that the code declares."""
    return runpy.run_path(str(DOCS / "generate.py"))


@pytest.fixture(scope="module")
def samples():
    return runpy.run_path(str(DOCS / "samples.py"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tables_within_a_page_are_those_of_the_code(page, generated):
    text = page.read_text(encoding="utf-8")
    assert generated["with_tables"](text) == text


@pytest.mark.parametrize("page", ["columns.md", "metrics.md", "schedule.schema.json", "run.schema.json"])
def test_pages_that_the_code_declares_are_up_to_date(page, generated):
    assert (DOCS / "reference" / page).read_text(encoding="utf-8") == generated["PAGES"][f"reference/{page}"]()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page):
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        path = page.parent / target if target else page
        assert path.exists(), target
        assert not anchor or anchor in headings_of(path), f"{target}#{anchor}"


def test_the_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150


def test_every_block_has_a_language_that_is_checked_here():
    checked = {"python", "sh", "json", "toml", "yaml", "text", "promql"}
    assert [str(block) for block in BLOCKS if block.language not in checked] == []


@in_language("python")
def test_python_can_be_compiled(block):
    if block.text.startswith("    "):  # a field of a class
        return
    compile(block.text, str(block), "exec")


def is_test(block):
    return block.language == "python" and re.search(r"^\s*def test_", block.text, re.MULTILINE)


def test_marks_and_fixtures_of_all_tests_are_accepted(pytester):
    shown = [block for block in BLOCKS if is_test(block) and not block.page.startswith("CONTRIBUTING")]
    assert len(shown) > 5
    pytester.path.joinpath("schedule.json").write_text((ROOT / "examples" / "schedule.json").read_text())
    pytester.makeconftest("import pytest\n@pytest.fixture\ndef thumbnails(): pass\n")
    for number, block in enumerate(shown):
        text = block.text if "import pytest" in block.text else f"import pytest\n{block.text}"
        pytester.makepyfile(**{f"test_block_{number}": text})
    result = pytester.runpytest_subprocess("--setup-plan", "--strict-markers", "-p", "no:cacheprovider", "-W", "ignore")
    assert result.ret in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}, result.stdout.str()
    result.stdout.no_fnmatch_line("*error*")


def test_the_tests_of_the_tutorial_on_budgets_pass(pytester):
    (block,) = [each for each in BLOCKS if is_test(each) and each.page == "docs/tutorials/ci-budget.md"]
    pytester.makepyfile(block.text)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_python_that_reads_a_run_can_be_executed(tmp_path, monkeypatch):
    made = MadeRun(tmp_path / "twin-report").sampled(2).test("test_shop.py::test_order", 0.2, 1.8)
    made.load("cpu", "50%", 0.5, 1.0).write()
    monkeypatch.chdir(tmp_path)
    shown = [
        each
        for each in BLOCKS
        if each.language == "python" and "pytest_twin.load(" in each.text and "click" not in each.text
    ]
    assert len(shown) == 3
    for block in shown:
        exec(compile(block.text, str(block), "exec"), {})  # noqa: S102 - our own pages


@pytest.mark.skipif(sys.platform != "linux", reason="the probe reads a file of Linux")
def test_the_extensions_of_the_page_on_them_work():
    shown = [each.text for each in BLOCKS if each.language == "python" and each.page == "docs/how-to/extend.md"]
    names = {}
    for text in shown:
        exec(compile(text, "extend.md", "exec"), names)  # noqa: S102 - our own pages
    assert names["probe"](pytest_twin.ProbeContext(os.getpid())).read(0.0)[0] > 0
    assert names["BEGINNING"] == "TAP version 14\n"


def commands_of(text):
    """Yield the words of each command of pytest and pytest-twin in lines of a shell."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;<>")
        lexer.whitespace_split = True
        words = []
        for word in [*lexer, ";"]:
            if word and set(word) <= set("&|;<>"):
                while words and re.match(r"\w+=|nohup$", words[0]):
                    words = words[1:]
                if words and words[0] in {"pytest", "pytest-twin"}:
                    yield words
                words = []
            else:
                words.append(word)


def check_command(words):
    """Fail if an option of a command does not exist."""
    if words[0] == "pytest":
        known = {options.flag(name) for name in options.OPTIONS}
        used = {word.partition("=")[0] for word in words if word.startswith("--twin")}
        assert used <= known, words
    elif not words[1:2] or words[1].startswith("-"):
        return
    else:
        command = main.get_command(click.Context(main), words[1])
        assert command is not None, words
        parser = command.make_parser(click.Context(command, info_name=words[1]))
        with suppress(click.BadOptionUsage):  # a text may name an option without its value
            parser.parse_args(words[2:])  # raises `NoSuchOption`


@in_language("sh")
def test_every_command_has_the_options_that_are_shown(block):
    for words in commands_of(block.text):
        check_command(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_within_a_line_has_the_options_that_are_shown(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for code in re.findall(r"(?<!`)`(pytest(?:-twin)? [^`]+)`(?!`)", text):
        for words in commands_of(code.replace("\n", " ")):
            check_command(words)


@in_language("json")
def test_json_is_valid_and_a_schedule_can_be_read(block):
    document = json.loads(block.text)
    events = document.get("events", [document]) if isinstance(document, dict) else document
    assert all(isinstance(each, dict) for each in events)
    text = json.dumps({"events": events} if "events" not in document else document)
    assert parse_schedule(text, str(block), find_kinds(), lambda _: parse_text(RECORDING)).events
    jsonschema.validate(json.loads(text), schema.json_schema(find_kinds()))


@in_language("toml")
def test_toml_has_settings_that_exist(block):
    document = tomllib.loads(block.text)
    if "events" in document:
        jsonschema.validate(document, schema.json_schema(find_kinds()))
        return
    if "tool" in document:
        options.parse_pyproject(document)
        own = document["tool"]["pytest-twin"]
        assert parse_rules(own.get("budgets", []), lambda raw: raw) or parse_gates(own["gates"])
    else:
        assert document["project"]["entry-points"].keys() == {
            "pytest_twin.probes", "pytest_twin.stressors", "pytest_twin.exporters"
        }  # fmt: skip


@in_language("yaml")
def test_yaml_can_be_read_and_its_commands_exist(block):
    assert yaml.safe_load(block.text)
    for line in re.findall(r"(?:run:|script:|-) (pytest.*)", block.text):
        for words in commands_of(line):
            check_command(words)


@pytest.mark.parametrize("name", ["schedule.json", "rush_hour.json"])
def test_the_examples_of_schedules_fit_the_published_schema(name):
    document = json.loads((ROOT / "examples" / name).read_text())
    jsonschema.validate(document, json.loads((DOCS / "reference" / "schedule.schema.json").read_text()))


def without_numbers(text):
    return re.sub(r"\d+(?:\.\d+)?|=+", "#", text)


@pytest.mark.parametrize(
    "name", ["budget", pytest.param("flaky", marks=[pytest.mark.slow, pytest.mark.skipif("sys.platform != 'linux'")])]
)
def test_a_sample_of_output_is_what_is_printed(name, samples):
    made = without_numbers(samples["make"](name))
    shown = [
        found
        for page in samples["pages"]()
        for found in samples["SAMPLE"].finditer(page.read_text())
        if found[2] == name
    ]
    assert shown
    for found in shown:
        assert without_numbers(found[3]) == f"```text\n{made}```\n"


def test_every_sample_is_one_that_is_made(samples):
    names = {found[2] for page in PAGES for found in samples["SAMPLE"].finditer(page.read_text(encoding="utf-8"))}
    assert names == samples["SAMPLES"].keys()


def page(name):
    return (DOCS / "reference" / f"{name}.md").read_text(encoding="utf-8")


def names_in_code(text):
    return {name for code in re.findall(r"`([^`\n]+)`", text) for name in re.findall(r"[$\w-]+", code)}


def all_columns():
    tables = (attempt_row.COLUMNS, event.COLUMNS, event.AMOUNTS, profile_row.COLUMNS, flaky_row.COLUMNS)
    dataset = probes.all_columns(probes.find_modules())
    return {column.name for table in (*tables, dataset) for column in table}


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("options", {options.flag(name) for name in options.OPTIONS}),
        ("marks", {mark.partition("(")[0] for mark in marks.MARKERS}),
        ("fixtures", marks.FIXTURES),
        ("loads", {*find_kinds(), *MODIFIERS, *CONSTRAINT_KEYWORDS, "engine", "shared"}),
        ("budgets", BUDGET_KEYWORDS),
        ("schedules", {*schema.SCHEDULE_FIELDS, *schema.EVENT_FIELDS}),
        ("columns", all_columns()),
        ("run-folder", json.loads((DOCS / "reference" / "run.schema.json").read_text())["properties"]),
        ("exit-codes", {"compare", "run", "stress", "validate", "fit", "predict", "calibrate", "export", "constrain"}),
    ],
)
def test_the_reference_has_everything_that_is_declared(name, declared):
    assert set(declared) - names_in_code(page(name)) == set()


def test_the_reference_has_every_file_of_a_run():
    assert [name for name in layout.FILES if f"`{name}`" not in page("run-folder")] == []


def test_the_reference_has_every_public_name():
    found = re.findall(r"^\.\. auto\w+:: pytest_twin\.(\w+)", page("python"), re.MULTILINE)
    assert sorted(found) == sorted(pytest_twin.__all__)


def test_the_reference_has_every_command():
    commands = set(main.list_commands(click.Context(main)))
    shown = re.findall(r"^\| `pytest-twin ([a-z]+)", page("command-line"), re.MULTILINE)
    assert set(shown) == commands


def test_the_page_on_replays_has_every_gate_with_its_option():
    text = (DOCS / "how-to" / "replay.md").read_text(encoding="utf-8")
    assert set(re.findall(r"--(m(?:in|ax)-[a-z-]+)", text)) == {name.replace("_", "-") for name in limit_declarations()}


def test_the_site_is_built_without_a_warning(tmp_path):
    pytest.importorskip("sphinx")
    pytest.importorskip("furo")
    bare = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-d",
        tmp_path / "doctrees",
        DOCS,
        tmp_path / "html",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=bare)
    assert done.returncode == 0, done.stderr
    names = {path.stem for path in PAGES if DOCS in path.parents}
    assert names <= {path.stem for path in (tmp_path / "html").rglob("*.html")}
    python = (tmp_path / "html" / "reference" / "python.html").read_text(encoding="utf-8")
    assert all(f'id="pytest_twin.{name}"' in python for name in pytest_twin.__all__)
    commands = (tmp_path / "html" / "reference" / "command-line.html").read_text(encoding="utf-8")
    assert all(f'id="pytest-twin-{name}"' in commands for name in main.list_commands(click.Context(main)))


def test_code_of_pages_that_is_no_test_defines_what_it_uses():
    """A page for people may leave out the program under test, but not an import of ours."""
    for block in BLOCKS:
        if block.language == "python" and not block.text.startswith("    ") and "pytest_twin." in block.text:
            imported = {
                alias.name
                for node in ast.walk(ast.parse(block.text))
                if isinstance(node, ast.Import)
                for alias in node.names
            }
            assert "pytest_twin" in imported or "from pytest_twin" in block.text, str(block)
