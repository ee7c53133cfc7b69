"""Each option once, read from the command line, from pytest's configuration and from pyproject.toml."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from pytest_twin.settings import options
from pytest_twin.settings.options import Settings, SettingsError, parse_pyproject, read_pyproject
from pytest_twin.settings.requests import ReportRequest

VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)
RAW = st.dictionaries(st.sampled_from(list(options.OPTIONS)), VALUES)


def error(**raw):
    with pytest.raises(SettingsError) as caught:
        Settings.of(raw)
    return str(caught.value)


def test_where_nothing_is_said_everything_has_its_default():
    settings = Settings.of()
    assert (settings.enabled, settings.schedule, settings.interval, settings.per_test) == (False, None, 0.1, "marked")
    assert (settings.report_dir, settings.report, settings.budgets) == (Path("twin-report"), (), ())
    assert {name: getattr(settings, name) for name in options.OPTIONS} == {
        name: option.default for name, option in options.OPTIONS.items()
    }


def test_the_option_for_the_json_document_is_an_alias_of_a_report():
    alias = Settings.of({"json": "run.json"})
    assert alias.report == Settings.of({"report": "json=run.json"}).report == (ReportRequest("json", Path("run.json")),)
    assert alias.enabled
    both = Settings.of({"report": "json=run.json,html"}, {"json": "run.json"})
    assert both.report == (ReportRequest("json", Path("run.json")), ReportRequest("html"))


def test_settings_are_frozen():
    settings = Settings()
    with pytest.raises(AttributeError, match="interval cannot be set"):
        settings.interval = 5
    assert (settings.replace(interval=5).interval, settings.interval) == (5, 0.1)


def test_the_first_source_that_has_a_value_wins():
    settings = Settings.of({"interval": None}, {"interval": "2"}, {"interval": "3", "per_test": "all"})
    assert (settings.interval, settings.per_test) == (2.0, "all")


def test_an_empty_text_is_no_value():
    assert Settings.of({"schedule": ""}, {"schedule": "s.json"}).schedule == Path("s.json")


def test_false_is_a_value():
    assert not Settings.of({"enabled": False}, {"enabled": True}).enabled


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("enabled", "true", True),
        ("enabled", " ON ", True),
        ("enabled", 1, True),
        ("enabled", "no", False),
        ("dry_run", "0", False),
        ("per_core", "yes", True),
        ("interval", "0.001", 0.001),
        ("interval", 3600, 3600.0),
        ("schedule_speed", "100", 100.0),
        ("schedule", " s.json ", Path("s.json")),
        ("report_dir", Path("out"), Path("out")),
        ("per_test", "failed", "failed"),
        ("report", "html, json,html", (ReportRequest("html"), ReportRequest("json"))),
        ("report", "html,json=out/run.json", (ReportRequest("html"), ReportRequest("json", Path("out/run.json")))),
        ("report", ["md", "json= a, b.json"], (ReportRequest("md"), ReportRequest("json", Path("a, b.json")))),
    ],
)
def test_a_value_is_read(name, raw, value):
    assert getattr(Settings.of({name: raw}), name) == value


@pytest.mark.parametrize(
    ("name", "raw", "message"),
    [
        ("interval", "soon", "twin_interval: 'soon' is not a number above 0; write one such as 0.1"),
        ("interval", 0, "twin_interval: '0' is not a number above 0; write one such as 0.1"),
        ("interval", "-1", "twin_interval: '-1' is not a number above 0; write one such as 0.1"),
        ("interval", "nan", "twin_interval: 'nan' is not a number above 0; write one such as 0.1"),
        ("interval", True, "twin_interval: 'True' is not a number above 0; write one such as 0.1"),
        ("interval", "0.0001", "twin_interval: '0.0001' is not from 0.001 to 3600 seconds"),
        ("interval", 3601, "twin_interval: '3601' is not from 0.001 to 3600 seconds"),
        ("schedule_speed", "inf", "twin_schedule_speed: 'inf' is not a number above 0; write one such as 0.1"),
        ("enabled", "maybe", "twin: 'maybe' is neither true nor false"),
        ("dry_run", 2, "twin_dry_run: '2' is neither true nor false"),
        ("report_dir", " ", "twin_report_dir: ' ' is not a path"),
        ("schedule", "a\0b", "twin_schedule: 'a\\x00b' is not a path"),
        (
            "host_timeout",
            "1s",
            "twin_host_timeout: '1s' is below 2 s; a busy host can take longer to respond",
        ),
        (
            "profile_time",
            "-3",
            "twin_profile_time: '-3' is not a duration; write seconds, or text such as 90s or 1m30s",
        ),
        ("profile_time", 0, "twin_profile_time: '0' is not longer than 0 s"),
        ("per_test", "nobody", "twin_per_test: 'nobody' is not one of marked, all, failed, none"),
        (
            "per_test",
            "mraked",
            "twin_per_test: 'mraked' is not one of marked, all, failed, none; did you mean \"marked\"?",
        ),
        ("report", "htlm=x", "twin_report: 'htlm=x' is not one of html, md, json; did you mean \"html\"?"),
        ("report", "html=page.html", "twin_report: 'html=page.html' names a file; only json takes one"),
        (
            "report",
            "html,md=x.md",
            "twin_report: 'html,md=x.md' has 'md=x.md', which names a file; only json takes one",
        ),
        ("report", "json=", "twin_report: 'json=' names no file; write json or json=PATH"),
        ("report", ",", "twin_report: ',' names none of html, md, json"),
        ("per_test", [], "twin_per_test: '[]' is not one of marked, all, failed, none"),
    ],
)
def test_a_value_that_cannot_be_read_says_where_and_what(name, raw, message):
    assert error(**{name: raw}) == message


def test_a_long_value_is_cut_in_the_message():
    assert error(interval="x" * 500) == f"twin_interval: '{'x' * 99} is not a number above 0; write one such as 0.1"


@pytest.mark.parametrize(
    ("name", "word", "flag"),
    [
        ("enabled", "twin", "--twin"),
        ("interval", "twin_interval", "--twin-interval"),
        ("report_dir", "twin_report_dir", "--twin-report-dir"),
    ],
)
def test_an_option_has_one_name_for_the_ini_file_and_one_for_the_command_line(name, word, flag):
    assert (options.ini_name(name), options.flag(name)) == (word, flag)


def test_every_option_has_a_help_and_a_type_of_pytests_ini_options():
    for name, option in options.OPTIONS.items():
        assert option.help, name
        assert option.type in {"bool", "float", "string"}, name
        assert bool(option.metavar) == (option.type != "bool"), name


def test_a_default_is_read_as_itself():
    for name, option in options.OPTIONS.items():
        default = option.default
        assert default is None or options.parse(name, option, default) == default


def test_the_table_of_pyproject_names_the_fields():
    assert parse_pyproject({"tool": {"pytest-twin": {"twin": True, "interval": 2}}}) == {"enabled": True, "interval": 2}


def test_pytests_own_keys_of_pyproject_win_over_the_table():
    document = {
        "tool": {"pytest-twin": {"interval": 2, "per_test": "all"}, "pytest": {"ini_options": {"twin_interval": "3"}}}
    }
    assert parse_pyproject(document) == {"interval": "3", "per_test": "all"}


def test_pytests_native_table_wins_over_its_ini_options():
    document = {"tool": {"pytest": {"ini_options": {"twin_interval": "3"}, "twin_interval": 4, "testpaths": ["tests"]}}}
    assert parse_pyproject(document) == {"interval": 4}


def test_other_tools_are_left_alone():
    assert parse_pyproject({"tool": {"ruff": {"interval": 5}}, "project": {"name": "x"}}) == {}


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("intervall", 'did you mean "interval"?'),
        ("xyz", f"known are {', '.join(sorted({'twin', *options.TABLES, *options.OPTIONS} - {'enabled'}))}"),
    ],
)
def test_an_unknown_key_of_the_table_says_what_it_may_be(key, hint):
    with pytest.raises(SettingsError) as caught:
        parse_pyproject({"tool": {"pytest-twin": {key: 1}}})
    assert str(caught.value) == f'pyproject.toml: [tool.pytest-twin]: unknown key "{key}"; {hint}'


@pytest.mark.parametrize("tool", [{"pytest-twin": 5}, {"pytest-twin": [{"interval": 1}]}, {"pytest": 5}])
def test_a_table_that_is_none_is_a_settings_error(tool):
    with pytest.raises(SettingsError):
        parse_pyproject({"tool": tool})


def test_a_pyproject_that_is_not_there_says_nothing(tmp_path):
    assert read_pyproject(tmp_path / "pyproject.toml") == {}


def test_a_pyproject_that_does_not_name_us_is_not_even_parsed(tmp_path):
    path = tmp_path / "pyproject.toml"
    path.write_text("this is no TOML")
    assert read_pyproject(path) == {}


def test_a_pyproject_is_read(tmp_path):
    path = tmp_path / "pyproject.toml"
    path.write_text('[tool.pytest-twin]\nper_test = "all"\n')
    assert read_pyproject(path) == {"per_test": "all"}


def test_a_pyproject_that_is_no_toml_says_where(tmp_path):
    path = tmp_path / "pyproject.toml"
    path.write_text("[tool.pytest-twin]\ninterval =\n")
    with pytest.raises(SettingsError) as caught:
        read_pyproject(path)
    assert str(caught.value) == "pyproject.toml: Invalid value (at line 2, column 11)"


def test_a_pyproject_with_an_unknown_key_is_named_once(tmp_path):
    path = tmp_path / "pyproject.toml"
    path.write_text("[tool.pytest-twin]\nintervall = 1\n")
    with pytest.raises(SettingsError) as caught:
        read_pyproject(path)
    assert str(caught.value) == 'pyproject.toml: [tool.pytest-twin]: unknown key "intervall"; did you mean "interval"?'


@pytest.mark.parametrize("raw", ["cpu_seconds>10%, read>1MiB", ["cpu_seconds>10%", "read>1MiB"]])
def test_limits_are_a_text_or_a_list(raw):
    assert [str(each) for each in Settings.of({"fail_on": raw}).fail_on] == ["cpu_seconds>10%", "read>1MiB"]


@given(RAW, RAW)
@examples(max_examples=150, deadline=None)
def test_whatever_the_sources_hold_it_is_settings_or_a_settings_error_of_one_line(first, second):
    try:
        read = Settings.of(first, second)
    except SettingsError as error:
        lines = str(error).splitlines()
    else:
        lines = ["twin"]
        assert 0.001 <= read.interval <= 3600
        assert read.per_test in options.PER_TEST
    assert [line[:4] for line in lines] == ["twin"]
