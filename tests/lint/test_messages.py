"""script/messages: each message of the source has its row in docs/TROUBLESHOOTING.md, and each row its message. And the words
of messages in tests/messages.py are those of the source: otherwise a test that expects no message could not fail."""

import os
import pathlib
import re
import subprocess

import pytest
from messages import MESSAGES, VALUE, pattern, has_message

TOP = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = TOP / "script/messages"
SOURCE = r"""
	log_say(log, CONFIG_LOG_INFO, "worker %d: %zu of " /* so (many */ "%s", pid, n, words("("));
	return error_set(err, THAW_ERR_CONFIG, "%s:%u: more than \"%d\" keys", name, line, MAX);
	return error_set(err, THAW_ERR_SYSTEM, "out of memory");
	say(log, "%s", text);
	log_say(log, CONFIG_LOG_INFO, "%" PRIu64 " bytes", n);
"""
ROWS = ['worker …: … of …', '…:…: more than "…" keys', '… bytes']


def check(tree, rows, source=SOURCE, shared=()):
    """shared: what SHARED of the script's copy names."""
    (tree / "script").mkdir()
    (tree / "docs").mkdir()
    (tree / "src/loop").mkdir(parents=True)
    named = "SHARED = {" + "".join(f"{text!r}: 'one cause', " for text in shared) + "}\n"
    copy, count = re.subn(r"^SHARED = \{.*?^\}\n", lambda _: named, SCRIPT.read_text(), flags=re.M | re.S)
    assert count == 1
    (tree / "script/messages").write_text(copy)
    (tree / "script/messages").chmod(0o755)
    (tree / "src/loop/x.c").write_text(source)
    (tree / "docs/TROUBLESHOOTING.md").write_text("".join(f"| `` {row} `` | what to do |\n" for row in rows))
    return subprocess.run([tree / "script/messages", "--check"], capture_output=True, text=True)


def test_each_message_of_thaw_has_its_row():
    done = subprocess.run([SCRIPT, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_page_with_all_rows_passes(tmp_path):
    done = check(tmp_path, ROWS)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("missing", ROWS)
def test_a_message_without_a_row_fails(tmp_path, missing):
    done = check(tmp_path, [row for row in ROWS if row != missing])
    assert done.returncode == 1
    assert "src/loop/x.c:" in done.stderr and f"| `` {missing} `` |" in done.stderr


@pytest.mark.parametrize("rows", [[*ROWS, "gone"], [*ROWS, ROWS[0]]])
def test_a_row_too_many_fails(tmp_path, rows):
    done = check(tmp_path, rows)
    assert done.returncode == 1
    assert rows[-1] in done.stderr


def test_an_error_of_a_command_needs_its_row(tmp_path):
    (tmp_path / "src/cli").mkdir(parents=True)
    (tmp_path / "src/cli/y.c").write_text('\treturn cli_bad_usage("send", "no %s given", what);\n')
    done = check(tmp_path, ROWS)
    assert done.returncode == 1
    assert "src/cli/y.c:1:" in done.stderr and "| `` no … given `` |" in done.stderr


TWICE = SOURCE + '\n\tlog_say(log, CONFIG_LOG_ERROR, "%zu bytes", n);\n'


def test_two_causes_with_one_message_fail(tmp_path):
    done = check(tmp_path, ROWS, TWICE)
    assert done.returncode == 1
    assert "src/loop/x.c:6, src/loop/x.c:8: one message at 2 places" in done.stderr and "… bytes" in done.stderr


def test_two_places_with_one_cause_are_named(tmp_path):
    done = check(tmp_path, ROWS, TWICE, ["… bytes"])
    assert (done.returncode, done.stderr) == (0, "")


def test_a_named_message_that_is_not_shared_any_more_fails(tmp_path):
    done = check(tmp_path, ROWS, SOURCE, ["… bytes"])
    assert done.returncode == 1
    assert "SHARED" in done.stderr and "… bytes" in done.stderr


# ---- tests/messages.py


def literals():
    """The string literals of the programs, one a line; adjacent ones are joined."""
    source = "\n".join(path.read_text() for folder in ("src", "examples") for path in sorted((TOP / folder).rglob("*.[ch]")))
    groups = re.findall(r'"(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*', source)
    return "\n".join(re.sub(r'"\s*"', "", group) for group in groups)


def test_the_words_of_each_code_are_in_the_source():
    source, of_the_system = literals(), {os.strerror(number) for number in range(1, 134)}
    parts = [(code, part) for code, words in MESSAGES.items() for text in VALUE.split(words)[::2] for part in text.split(": ")]
    assert [(code, part) for code, part in parts if part not in source and part not in of_the_system] == []


def test_each_code_is_used():
    tests = "".join(path.read_text() for path in TOP.glob("tests/*/**/*.py"))
    assert [code for code in MESSAGES if f'"{code}"' not in tests] == []


def test_a_code_with_its_values():
    line = "thaw: warning: worker 12 was killed by signal 9 (Killed)"
    assert has_message(f"other\n{line}\n".encode(), "worker-killed", "warning", pid=12, signal=9)
    assert pattern("worker-killed", signal=9).search(line)["pid"] == "12"
    assert not has_message(line, "worker-killed", pid=1) and not has_message(line, "worker-killed", pid=2)
    assert not has_message(line, "worker-killed", "error") and not has_message(line, "worker-stuck")
    assert not has_message("worker 12\nwas killed by signal 9", "worker-killed")
    with pytest.raises(AssertionError):
        has_message(line, "worker-killed", number=12)
