"""Upgrade: the program is started again from its file beside the running process and takes over; or nothing changes."""

import os
import pathlib
import shutil
import signal
import socket
import threading

import pytest
from harness.gateway import binary
from harness.process import run
from messages import at_level, error_of, pattern, logged, has_message
from peer import LIMIT, Client, is_running, wait
from ports import free_port
from test_reload import EX_CONFIG, EX_OK, EX_OSERR, EX_USAGE, KeptAlive, LateUploads, NewConnections, reload
from test_supervision import MIB, assert_dismissed, begin_upload, finish_upload, wait_held
from test_systemd import Endpoint, drain, systemd  # noqa: F401 - a fixture


def upgrade(*arguments):
    """Runs `thaw upgrade`. Returns (exit code, output)."""
    code, out, err, late = run([str(binary()), "upgrade", *map(str, arguments)], 2 * LIMIT)
    assert not late, "thaw upgrade did not end"
    assert bool(out) != bool(err), (out, err)
    return code, (out or err).decode()


def upgraded(pid):
    """Upgrades the process, and returns the pid of the new one."""
    code, output = upgrade(pid)
    assert code == EX_OK, output
    assert has_message(output, "upgrade-done", old=pid), output
    return int(pattern("upgrade-done").search(output)["new"])


def end(*pids):
    for pid in pids:
        if is_running(pid):
            os.kill(pid, signal.SIGTERM)
    wait("the end", lambda: not [pid for pid in pids if is_running(pid)])


def test_no_request_fails_while_the_program_is_replaced(serve, settings):
    """The configuration says port 0, so only the same socket can keep the port."""
    gateway = serve("-c", settings(workers=2))
    over = threading.Event()
    loads = [kind(gateway, over) for kind in (NewConnections, KeptAlive, LateUploads)]
    for load in loads:
        load.start()
    pids = [gateway.process.pid]
    for _ in range(5):
        before = [load.done for load in loads]
        pids.append(upgraded(pids[-1]))
        wait("requests", lambda: all(now.done > then or now.failures for now, then in zip(loads, before)))
    over.set()
    for load in loads:
        load.join(LIMIT)
    assert [load.failures for load in loads] == [[], [], []]
    assert gateway.process.wait(LIMIT) == 0
    wait("the others to end", lambda: not [pid for pid in pids[:-1] if is_running(pid)])
    assert Client(gateway).get_json()["path"] == "/"
    assert not at_level(gateway, "error")
    end(pids[-1])


def test_what_is_under_way_ends_in_the_old_process(serve, settings):
    gateway = serve("-c", settings(workers=1))
    upload = begin_upload(gateway, "/late", 8 * MIB, MIB)
    wait_held(gateway, upload)
    new = upgraded(gateway.process.pid)
    assert Client(gateway).get_json("/new")["path"] == "/new"
    assert gateway.process.poll() is None
    status, body = finish_upload(upload, 8 * MIB, MIB)
    assert (status, body["body_bytes"]) == (200, 8 * MIB)
    upload.close()
    assert gateway.process.wait(LIMIT) == 0
    assert gateway.record("/late")["status"] == 200
    end(new)


def test_what_does_not_end_is_answered(serve, settings):
    gateway = serve("-c", settings(workers=1, more="stop_timeout: 1s\n"))
    upload = begin_upload(gateway, "/late", 8 * MIB, MIB)
    wait_held(gateway, upload)
    new = upgraded(gateway.process.pid)
    assert_dismissed(gateway, upload, "/late", MIB)
    assert gateway.process.wait(LIMIT) == 0
    end(new)


def stopped_in_an_upgrade(serve, settings, path):
    """Stops the new process while an upload keeps the old one. Returns (gateway, upload, new process)."""
    gateway = serve("-c", settings(workers=1))
    upload = begin_upload(gateway, path, 8 * MIB, MIB)
    wait_held(gateway, upload)
    new = upgraded(gateway.process.pid)
    os.kill(new, signal.SIGTERM)
    wait("the stop", lambda: logged(gateway, "stopping"))
    return gateway, upload, new


def test_a_stop_of_the_new_process_waits_for_the_old_one(serve, settings):
    """Otherwise a service manager would kill the rest of the service."""
    gateway, upload, new = stopped_in_an_upgrade(serve, settings, "/")
    status, body = finish_upload(upload, 8 * MIB, MIB)
    assert (status, body["body_bytes"]) == (200, 8 * MIB)
    upload.close()
    assert gateway.process.wait(LIMIT) == 0
    wait("the new one to end", lambda: not is_running(new))


def test_a_stop_of_all_processes_lets_the_requests_of_both_end(serve, settings):
    """As systemd does it with KillMode=control-group: the old and the new process, and the workers of both, get
    SIGTERM."""
    gateway = serve("-c", settings(workers=1))
    uploads = [begin_upload(gateway, "/old", 8 * MIB, MIB)]
    wait_held(gateway, uploads[0])
    new = upgraded(gateway.process.pid)
    assert Client(gateway).get_json("/new")["path"] == "/new"
    uploads.append(begin_upload(gateway, "/new", 8 * MIB, MIB))
    wait_held(gateway, uploads[1])
    os.killpg(gateway.process.pid, signal.SIGTERM)
    wait("the stop", lambda: logged(gateway, "stopping"))
    for upload in uploads:
        status, body = finish_upload(upload, 8 * MIB, MIB)
        assert (status, body["body_bytes"]) == (200, 8 * MIB)
        upload.close()
    assert gateway.process.wait(LIMIT) == 0
    wait("the new one to end", lambda: not is_running(new))


def test_a_second_stop_of_the_new_process_ends_the_old_one_too(serve, settings):
    gateway, upload, new = stopped_in_an_upgrade(serve, settings, "/late")
    os.kill(new, signal.SIGTERM)
    assert_dismissed(gateway, upload, "/late", MIB)
    assert gateway.process.wait(LIMIT) == 0
    wait("the new one to end", lambda: not is_running(new))


# ---- failures: the old process continues


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A copy of the program that tests may replace."""
    path = tmp_path / "bin" / "thaw"
    path.parent.mkdir()
    shutil.copy(binary(), path)
    monkeypatch.setenv("THAW", str(path))
    return path


def replace(program, text):
    new = program.with_suffix(".new")
    new.write_text(text)
    new.chmod(0o755)
    new.rename(program)


def assert_goes_on(gateway, code, **values):
    exit_code, output = upgrade_by(gateway)
    assert exit_code == EX_CONFIG and has_message(output, code, **values), output
    assert gateway.process.poll() is None
    assert Client(gateway).get_json()["path"] == "/"
    assert gateway.wait_messages("upgrade-failed")


def upgrade_by(gateway):
    os.environ["THAW"], kept = gateway.asks_with, os.environ["THAW"]
    try:
        return upgrade(gateway.process.pid)
    finally:
        os.environ["THAW"] = kept


@pytest.mark.parametrize(
    "text, code, values",
    [
        ("#!/bin/sh\nexit 3\n", "upgrade-exited", dict(status=3)),
        ("#!/bin/sh\nkill -9 $$\n", "upgrade-killed", dict(signal=9)),
        ("not a program\n", "upgrade-no-program", {}),
    ],
)
def test_a_program_that_cannot_serve_changes_nothing(serve, settings, program, text, code, values):
    asks_with = str(pathlib.Path(shutil.copy(program, program.with_name("ask"))))
    gateway = serve("-c", settings(workers=1))
    gateway.asks_with = asks_with
    upload = begin_upload(gateway, "/late", 8 * MIB, MIB)
    wait_held(gateway, upload)
    worker = gateway.workers()
    replace(program, text)
    assert_goes_on(gateway, code, **values)
    assert gateway.workers() == worker
    assert finish_upload(upload, 8 * MIB, MIB)[0] == 200
    upload.close()
    replace(program, f'#!/bin/sh\nexec {asks_with} "$@"\n')
    code, output = upgrade_by(gateway)  # a correct program then takes over
    assert code == EX_OK, output
    assert gateway.process.wait(LIMIT) == 0
    assert Client(gateway).get_json()["path"] == "/"


def test_a_configuration_that_is_wrong_by_now_changes_nothing(serve, settings, tmp_path):
    path = tmp_path / "thaw.sock"
    gateway = serve("-c", settings(workers=1, listens=["127.0.0.1:0", f"unix:{path}"]))
    settings(workers="many", listens=["127.0.0.1:0", f"unix:{path}"])
    code, output = upgrade(gateway.process.pid)
    assert code == EX_CONFIG and error_of(output).key == "workers"
    settings(workers=1, listens=["127.0.0.1:0", f"unix:{path}"], log="{ access: /nonexistent/log }")
    code, output = upgrade(gateway.process.pid)
    assert code == EX_CONFIG and error_of(output).key == "log.access"
    assert Client(gateway).get_json()["path"] == "/"
    assert Client(gateway, family=socket.AF_UNIX, address=str(path)).get_json()["path"] == "/"
    settings(workers=1)
    assert reload(gateway.process.pid)[0] == EX_OK


def test_an_upgrade_without_a_running_thaw_fails(serve, settings, tmp_path):
    assert upgrade(os.getpid())[0] == EX_OSERR
    assert upgrade("many")[0] == EX_USAGE
    assert upgrade("-c", tmp_path / "none.yaml")[0] == EX_OSERR


# ---- sockets, files, and how commands find the process


def test_sockets_of_all_kinds_go_on(serve, settings, tmp_path):
    kept, gone = tmp_path / "kept.sock", tmp_path / "gone.sock"
    listens = ["127.0.0.1:0", "127.0.0.1:0", f"unix:{kept}"]
    admin = tmp_path / "admin.sock"
    gateway = serve("-c", settings(workers=1, listens=[*listens, f"unix:{gone}"], more=f"admin: 'unix:{admin}'\n"),
                    listeners=2)  # fmt: skip
    inodes = kept.stat().st_ino, admin.stat().st_ino
    ports = list(gateway.ports)
    path = settings(workers=1, listens=listens, more=f"admin: 'unix:{admin}'\n")
    first = upgraded(gateway.process.pid)
    assert gateway.process.wait(LIMIT) == 0
    assert (kept.stat().st_ino, admin.stat().st_ino) == inodes
    assert not gone.exists()
    for port in ports:
        assert Client(gateway, port).get_json()["path"] == "/"
    assert Client(gateway, family=socket.AF_UNIX, address=str(kept)).get_json()["path"] == "/"
    code, output = reload("-c", path)  # only the new process is found
    assert code == EX_OK, output
    code, output = upgrade("-c", path)
    assert code == EX_OK, output
    wait("the first to end", lambda: not is_running(first))
    second = int(pattern("upgrade-done").search(output)["new"])
    assert Client(gateway, family=socket.AF_UNIX, address=str(kept)).get_json()["path"] == "/"
    end(second)
    assert not kept.exists() and not admin.exists()


def test_the_throwaway_setup_and_the_pid_file(serve, tmp_path):
    pid_file = tmp_path / "thaw.pid"
    gateway = serve("--pid-file", pid_file)
    wait("the pid file", pid_file.exists)
    code, output = upgrade("--pid-file", pid_file)
    assert code == EX_OK, output
    assert gateway.process.wait(LIMIT) == 0
    new = int(pid_file.read_text())
    assert has_message(output, "upgrade-done", new=new), output
    assert Client(gateway).get_json()["path"] == "/"
    end(new)
    assert not pid_file.exists()


# ---- systemd


def test_systemd_gets_the_new_main_pid_before_the_new_process_notifies(systemd, settings, pki):  # noqa: F811
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as handed:
        path = settings(workers=1, listens=[f"127.0.0.1:{port}"])
        systemd.start(path, sockets=[handed], WATCHDOG_USEC="3600000000")
        systemd.until("READY")
        drain(systemd)
        new = upgraded(systemd.process.pid)
        notification = systemd.next_notification()
        assert notification == {"MAINPID": str(new)}
        notification = systemd.next_notification()
        assert (notification["READY"], notification["MAINPID"]) == ("1", str(new))
        # At once: the interval goes on from the last ping of the process before, which may nearly have used it up.
        assert systemd.next_notification() == {"WATCHDOG": "1"}
        assert systemd.process.wait(LIMIT) == 0
        assert "STOPPING" not in str(drain(systemd))
        environment = pathlib.Path(f"/proc/{new}/environ").read_bytes().split(b"\0")
        assert f"WATCHDOG_PID={new}".encode() in environment
        assert Client(Endpoint(pki, port)).get_json()["path"] == "/"
        assert reload(new)[0] == EX_OK  # the sockets still belong to the service manager
        assert Client(Endpoint(pki, port)).get_json()["path"] == "/"
        systemd.until("READY")
        end(new)
