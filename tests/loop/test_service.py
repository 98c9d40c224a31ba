"""The service's environment: the journal, the unit and its socket, logrotate, and arguments without their option."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest
from harness.gateway import binary
from harness.process import run
from messages import has_message
from peer import LIMIT, Client, wait
from ports import free_port
from test_systemd import Endpoint

PACKAGING = pathlib.Path(__file__).resolve().parents[2] / "packaging"
EX_USAGE, EX_CONFIG = 64, 78


def stream_of(path):
    info = path.stat()
    return f"{info.st_dev}:{info.st_ino}"


def run_in_journal(path, command, stream):
    """Runs a command whose standard error is the file `path`, and returns the lines that it wrote there."""
    path.touch()
    env = {**os.environ, "JOURNAL_STREAM": stream(path)}
    with path.open("w") as messages:
        code = subprocess.run([binary(), *map(str, command)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=messages, env=env, timeout=LIMIT, check=False).returncode  # fmt: skip
    return code, path.read_text().splitlines()


# ---- the journal


def test_an_error_has_its_priority_in_the_journal(tmp_path):
    code, lines = run_in_journal(tmp_path / "messages", ["serve", "-c", tmp_path / "none"], stream_of)
    assert code == EX_CONFIG
    assert lines and all(line.startswith("<3>thaw: error: ") for line in lines)


def test_without_the_journal_there_are_no_priorities(tmp_path):
    code, lines = run_in_journal(tmp_path / "messages", ["serve", "-c", tmp_path / "none"], lambda path: "1:" + stream_of(path))
    assert code == EX_CONFIG
    assert lines and all(line.startswith("thaw: error: ") for line in lines)


def test_each_message_of_a_service_has_the_priority_of_its_level(settings, pki, tmp_path):
    """Messages of the master and of a worker."""
    messages, port = tmp_path / "journal", free_port()
    messages.touch()
    path = settings(workers=1, listens=[f"127.0.0.1:{port}"],
                    routes="      - { path: /away, upstream: away }\n"
                           "upstreams: { away: { servers: [ 'http://127.0.0.1:1' ] } }\n")  # fmt: skip
    with messages.open("w") as to:
        process = subprocess.Popen([binary(), "serve", "-c", path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=to, env={**os.environ, "JOURNAL_STREAM": stream_of(messages)})  # fmt: skip
    try:
        wait("the start", lambda: has_message(messages.read_text(), "listening"))
        client = Client(Endpoint(pki, port))
        client.get("/away")
        wait("the worker's warning", lambda: has_message(messages.read_text(), "upstream-failed", "warning", name="away"))
    finally:
        process.terminate()
        process.wait(LIMIT)
    priorities = {"error": "<3>", "warning": "<4>", "info": "<6>", "debug": "<7>"}
    for line in messages.read_text().splitlines():
        level = re.match(r"<\d>thaw: (error|warning|info|debug): ", line)
        assert line.startswith((priorities[level[1]] if level else "<5>") + "thaw: "), line


# ---- the unit and its socket


def test_a_wrong_configuration_is_not_started_again_and_again():
    unit = (PACKAGING / "thaw.service").read_text()
    assert {str(EX_USAGE), str(EX_CONFIG)} <= set(re.search(r"^RestartPreventExitStatus=(.*)$", unit, re.M)[1].split())
    # RestartPreventExitStatus= applies to the main process, not to ExecStartPre=.
    assert not re.search(r"^ExecStartPre=", unit, re.M)


def test_the_socket_fits_the_configuration():
    """A socket of the unit without an entry in `listen` is an error."""
    sockets = re.findall(r"^ListenStream=(.*)$", (PACKAGING / "thaw.socket").read_text(), re.M)
    listens = re.findall(r"^  - address: (.*)$", (PACKAGING / "thaw.yaml").read_text(), re.M)
    assert sockets and sockets == listens


# ---- logrotate


@pytest.mark.skipif(not shutil.which("logrotate"), reason="there is no logrotate")
def test_logrotate_loses_no_record(serve, settings, tmp_path):
    folder, programs = tmp_path / "log", tmp_path / "bin"
    folder.mkdir(mode=0o750)
    programs.mkdir()
    gateway = serve("-c", settings(log=f"{{ access: '{folder}/access.log' }}"))
    log, old = folder / "access.log", folder / "access.log.1"
    assert Client(gateway).get_json("/before")["path"] == "/before"
    wait("the record", lambda: "/before" in log.read_text())
    inode = log.stat().st_ino

    systemctl = programs / "systemctl"  # records its arguments, and signals the master as the unit would
    systemctl.write_text(f'#!/bin/sh\necho "$@" >>"{tmp_path}/calls"\nkill -USR1 {gateway.process.pid}\n')
    systemctl.chmod(0o755)
    conf = tmp_path / "thaw.logrotate"
    text = (PACKAGING / "thaw.logrotate").read_text()
    conf.write_text(text.replace("/var/log/thaw", str(folder)).replace("/run/systemd/system", str(tmp_path)))
    conf.chmod(0o644)
    done = subprocess.run(["logrotate", "--force", "--state", tmp_path / "state", conf], capture_output=True, text=True,
                          env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}, timeout=LIMIT, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "calls").read_text() == "kill --kill-whom=main --signal=SIGUSR1 thaw.service\n"

    wait("the file", lambda: log.exists() and log.stat().st_ino != inode)
    assert Client(gateway).get_json("/after")["path"] == "/after"
    wait("the record", lambda: "/after" in log.read_text() + old.read_text())
    assert "/before" in old.read_text()
    gateway.stop()
    both = old.read_text() + log.read_text()
    assert both.count("/before") == both.count("/after") == 1


# ---- a configuration without -c


@pytest.mark.parametrize("command", ("serve", "check"))
def test_a_configuration_file_without_option_c_is_a_usage_error(command, tmp_path):
    code, out, err, _ = run([str(binary()), command, str(tmp_path / "thaw.yaml")], LIMIT)
    assert (code, out) == (EX_USAGE, b"")
    assert b"-c FILE" in err and b"thaw.yaml" in err
