"""--help, the manual page and the completions name exactly the options that the commands take."""

import os
import pathlib
import re
import subprocess

import pytest
from harness.gateway import binary
from harness.process import run

TOP = pathlib.Path(__file__).resolve().parents[2]
CLI = TOP / "src" / "cli"
COMPLETIONS = TOP / "packaging" / "completions"
SHARED = ("identity.h", "route.h")  # of all commands that connect to a server
SOURCES = {"serve": ("serve.c",), "check": ("check.c",), "reload": ("reload.c",), "upgrade": ("reload.c",), "demo": ("demo.c",),
           "version": ("version.c",), "probe": ("probe.c", *SHARED), "send": ("send_options.c", *SHARED)}
EVERY = pytest.mark.parametrize("command", SOURCES)


def taken(command):
    """The options of a command, from its tables for getopt_long()."""
    text = "".join((CLI / name).read_text() for name in SOURCES[command])
    return set(re.findall(r'"([a-z0-9-]+)",\s*(?:no|required)_argument', text))


def help_of(command):
    code, out, err, _ = run([str(binary()), command, "--help"], 30)
    assert (code, err) == (0, b""), err
    return out.decode()


def options_in(text, indent="  "):
    return set(re.findall(rf"--([a-z0-9-]+)", "\n".join(re.findall(rf"^{indent}(-.*?)(?:  .*)?$", text, re.M))))


def test_no_command_is_left_out():
    commands = re.findall(r'^\t\{"([a-z]+)", ', (CLI / "main.c").read_text(), re.M)
    assert set(commands) == set(SOURCES)


@EVERY
def test_help_has_each_option_and_no_other(command):
    assert options_in(help_of(command)) == taken(command) | {"help"}


@EVERY
def test_what_help_names_is_taken(command):
    """An option takes a value if and only if the help shows one."""
    for option, value in re.findall(r"^  (?:-[a-z], )?--([a-z0-9-]+)(?:, -[a-z])?( \S)?", help_of(command), re.M):
        code, _, err, _ = run([str(binary()), command, f"--{option}=", "--no-such-option"], 30)
        assert (b"takes no" in err or b"no argument" in err or b"does not take" in err) == (not value), (option, err)


@EVERY
def test_help_fits_a_page(command):
    assert max(map(len, help_of(command).splitlines())) <= 114


def test_the_manual_says_what_help_says():
    done = subprocess.run([TOP / "script" / "man1", "--check"], env={**os.environ, "THAW": str(binary())}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (TOP / "packaging" / "thaw.1").read_text()
    assert set(re.findall(r'^\.\\" options ([a-z]+)$', page, re.M)) == set(SOURCES)


@EVERY
def test_bash_completes_each_option(command):
    line = re.search(rf"^\t+(?:[a-z]+ \| )*{command}(?: \| [a-z]+)*\)\s+options=['\"](.*)['\"]", (COMPLETIONS / "thaw.bash").read_text(), re.M)
    assert set(re.findall(r"--([a-z0-9-]+)", line[1])) == taken(command) | {"help"}


@EVERY
def test_zsh_completes_each_option(command):
    part = re.search(rf"^(?:[a-z]+ \| )*{command}(?: \| [a-z]+)*\)\n(.*?);;", (COMPLETIONS / "_thaw").read_text(), re.M | re.S)
    assert set(re.findall(r"(?<![\w-])--([a-z0-9-]+)", part[1])) == taken(command) | {"help"}


@EVERY
def test_fish_completes_each_option(command):
    named = set()
    for line in (COMPLETIONS / "thaw.fish").read_text().splitlines():
        of = re.search(r"__fish_seen_subcommand_from ([a-z ]+)'", line)
        option = re.search(r" -l ([a-z0-9-]+)", line)
        if option and (of is None or command in of[1].split()):
            named.add(option[1])
    assert named == taken(command) | {"help"}
