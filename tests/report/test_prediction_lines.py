"""The prediction at the end of a pytest session."""

from __future__ import annotations

from made_profiles import profile_rows, profile_text

from pytest_twin.report.prediction.lines import prediction_lines


def test_the_prediction_is_printed_or_why_there_is_none(tmp_path):
    (tmp_path / "run").mkdir()
    rows = profile_rows("t", cpu=(1.0, 1.5, 2.0, 2.5, 3.0))
    (tmp_path / "run" / "profile.csv").write_text(profile_text(rows), encoding="utf-8")
    server = tmp_path / "server.csv"
    server.write_text("elapsed_s,cpu_percent\n" + "".join(f"{at},50\n" for at in range(1, 31)))
    lines = prediction_lines(tmp_path / "run", server, tmp_path)
    assert lines[0].startswith("1 test of run beside the CPU load of server.csv ")
    assert lines[lines.index("t") + 1].split()[2] == "x2.00"
    assert max(map(len, lines)) <= 80
    (tmp_path / "run" / "profile.csv").unlink()
    assert prediction_lines(tmp_path / "run", server, tmp_path) == [
        "warning: no prediction: run: has no profile of a test; run pytest --twin --twin-profile"
    ]
