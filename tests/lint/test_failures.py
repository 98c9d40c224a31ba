"""script/failures: the names of what failed, and what was said, whoever said it; few lines, however long the log is."""

import pathlib
import subprocess

import pytest

FAILURES = pathlib.Path(__file__).resolve().parents[2] / "script/failures"

# What the tools print, and which of its lines are told.
TOLD = {
    "pytest": (
        "    def test_crowd():\n>       assert set(statuses) == {200}\nE       AssertionError: 503\n\n"
        "FAILED tests/interop/test_crowd.py::test_crowd - AssertionError: 503\n",
        ["FAILED tests/interop/test_crowd.py::test_crowd - AssertionError: 503", "E       AssertionError: 503"],
    ),
    "ctest": (
        "  2/11 Test #2: loop ...***Failed\n\nThe following tests FAILED:\n\t  2 - loop (Failed)\n\t 11 - demo (Timeout)\nErrors\n",
        ["ctest 2 - loop (Failed)", "ctest 11 - demo (Timeout)"],
    ),
    "cmocka": (
        "[  ERROR   ] --- 1 != 2\n[   LINE   ] --- a.c:7: error: Failure!\n[  FAILED  ] test_a\n[  PASSED  ] 3 test(s).\n"
        "[  FAILED  ] 1 test(s), listed below:\n[  FAILED  ] test_a\n",
        ["[  FAILED  ] test_a", "[  ERROR   ] --- 1 != 2", "[   LINE   ] --- a.c:7: error: Failure!"],
    ),
    "simulation": ("FAILED seed 7: frozen\n  again: sim-run --seed 7\n", ["FAILED seed 7: frozen"]),
    "sanitizers": (
        "src/a.c:3:1: runtime error: overflow\n==1==ERROR\nSUMMARY: AddressSanitizer: heap-use-after-free a.c:1\n",
        ["src/a.c:3:1: runtime error: overflow", "SUMMARY: AddressSanitizer: heap-use-after-free a.c:1"],
    ),
    "a compiler": ("../a.c:3:1: error: unknown type\nninja: build stopped\n", ["../a.c:3:1: error: unknown type"]),
    "the lint": (
        "src/http/x.c: 7 own includes; at most 6\nformat: 2 s\nscript/lint: failed: script/lint-house\n",
        ["script/lint: failed: script/lint-house", "src/http/x.c: 7 own includes; at most 6"],
    ),
    "something else": ("one\ntwo\n", ["one", "two"]),
}


def failures(*logs):
    return subprocess.run([FAILURES, *logs], check=True, capture_output=True, text=True).stdout.splitlines()


@pytest.mark.parametrize("kind", TOLD)
def test_names_come_first_and_then_the_output(kind, tmp_path):
    text, report = TOLD[kind]
    log = tmp_path / "log"
    log.write_text(text)
    assert failures(log) == [f"== {log}", *(f"  {line}" for line in report)]


def test_long_logs_are_summarized_in_sixty_lines(tmp_path):
    logs = [tmp_path / name for name in ("one", "two", "three")]
    for log in logs:
        log.write_text("".join(f"E   {n} {'x' * 500}\nFAILED test_{n}\n" for n in range(1000)))
    report = failures(*logs)
    assert len(report) <= 60
    assert max(len(line) for line in report) < 220
    for log in logs:
        assert f"== {log}" in report
    assert report.count("  FAILED test_0") == 3


def test_of_a_log_without_a_known_line_the_end_is_printed(tmp_path):
    log = tmp_path / "log"
    log.write_text("".join(f"line {n}\n" for n in range(100)))
    assert failures(log) == [f"== {log}", *(f"  line {n}" for n in range(90, 100))]


def test_without_a_log_nothing_is_printed(tmp_path):
    (tmp_path / "empty").write_text("")
    assert failures(tmp_path / "empty", tmp_path / "none") == []
