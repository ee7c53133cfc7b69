"""CSV records that stay one line each."""

from pathlib import PurePosixPath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_twin.model.csv_text import header, record, records, rows

CELLS = st.lists(st.text(max_size=20), min_size=1, max_size=5)
TABLE = st.text(alphabet='ab,"\n\r\0 =\u2028', max_size=40)


def written(text):
    """A cell as a reader finds it: line ends and other control characters as escapes, no formula."""
    special = {*map(chr, range(32)), "\x7f", "\x85", "\u2028", "\u2029"}
    escaped = "".join(repr(one)[1:-1] if one in special or "\ud800" <= one <= "\udfff" else one for one in text)
    return f"'{escaped}" if escaped[:1] in {"=", "+", "-", "@"} else escaped


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        (["a", "b"], "a,b\n"),
        (["a", None, ""], "a,,\n"),
        ([1, 2.5, True], "1,2.5,True\n"),
        (["a,b", 'say "x"'], '"a,b","say ""x"""\n'),
        (["two\nlines", "a\r\nb", "tab\t", "nul\0"], "two\\nlines,a\\r\\nb,tab\\t,nul\\x00\n"),
        (["\x85", "\u2028", "\u2029", "\x7f", "\x1c"], "\\x85,\\u2028,\\u2029,\\x7f,\\x1c\n"),
        (["\udc80"], "\\udc80\n"),
        (["Zürich", "日本"], "Zürich,日本\n"),
        ([""], '""\n'),
    ],
)
def test_a_record_is_one_line_whatever_stands_in_it(cells, line):
    assert record(cells) == line


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1+1", "-A1", "@SUM(A1)", "=cmd|' /C calc'!A0"])
def test_a_text_that_looks_like_a_formula_gets_an_apostrophe(formula):
    assert record([formula]) == f"'{formula}\n"


@pytest.mark.parametrize("cells", [("a", "-0.0065"), ("-7", "a"), ('"', "-1.5"), ("-A1", "-2")])
def test_a_number_below_zero_is_a_number(cells):
    (read,) = rows(record(cells))
    assert [cell for cell in read if cell.startswith("-")] == [cell for cell in cells if cell[1:2].isdigit()]


def test_a_number_below_0_is_no_formula():
    assert record([-5, -0.5]) == "-5,-0.5\n"


def test_the_header_is_the_names_with_a_line_end():
    assert header(["a", "b"]) == "a,b\n"


def test_rows_are_read_by_column():
    assert records("a,b\n1,2\n,4\n") == [{"a": "1", "b": "2"}, {"a": "", "b": "4"}]


@pytest.mark.parametrize("text", ["", "a,b", "a,b\n", "a,b\n1", "a,b\n1,2"])
def test_a_last_line_without_an_end_is_left_out(text):
    assert records(text) == []


def test_rows_with_windows_line_ends_are_read():
    assert records("a,b\r\n1,2\r\n") == [{"a": "1", "b": "2"}]


@given(CELLS)
@settings(max_examples=150, deadline=None)
def test_cells_are_read_back_up_to_the_escapes(cells):
    names = [f"c{at}" for at in range(len(cells))]
    (row,) = records(header(names) + record(cells))
    assert row == dict(zip(names, map(written, cells), strict=True))


@given(CELLS)
@settings(max_examples=100, deadline=None)
def test_a_record_of_texts_is_one_line_of_utf_8(cells):
    line = record(cells)
    assert line.splitlines(keepends=True) == [line]
    line.encode("utf-8")


@given(st.lists(CELLS, max_size=4), st.data())
@settings(max_examples=60, deadline=None)
def test_a_table_cut_anywhere_keeps_every_row_but_the_last(rows, data):
    whole = header(["a"]) + "".join(record(row[:1]) for row in rows)
    cut = data.draw(st.integers(0, len(whole)))
    assert records(whole[:cut]) == records(whole)[: max(0, whole[:cut].count("\n") - 1)]


def test_a_cell_that_is_no_text_stays_on_the_line_too():
    assert record([PurePosixPath("two\nlines")]) == "two\\nlines\n"


def test_a_long_cell_is_read_back():
    assert records(header(["a"]) + record(["x" * 200_000])) == [{"a": "x" * 200_000}]


@example("a\nb\rc\n")
@given(TABLE)
@settings(max_examples=200, deadline=None)
def test_whatever_stands_in_a_file_is_rows_or_a_value_error(text):
    try:
        rows = records(text)
    except ValueError:
        return
    assert len(rows) <= text.count("\n") + text.count("\r")
