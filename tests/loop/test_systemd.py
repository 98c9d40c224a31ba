"""systemd: the notifications that it gets, and the sockets that it passes. The tests replace systemd."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest
from harness.gateway import binary
from harness.process import kill_group, run
from messages import error_of, has_message
from peer import LIMIT, Client, wait
from ports import free_port
from test_reload import EX_CONFIG, listens, reload, socket_inode

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Systemd:
    """Starts the gateway as a service manager does, and receives its notifications."""

    def __init__(self, folder):
        self.path = folder / "notify"
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.path))
        self.notify.settimeout(LIMIT)
        self.process = None
        self.messages = folder / "messages"

    def start(self, path, *arguments, sockets=(), **environment):
        """Passes the sockets as descriptors 3 and up."""
        shell = 'export LISTEN_PID=$$; exec "$0" "$@"' if sockets else 'exec "$0" "$@"'
        if "WATCHDOG_USEC" in environment:
            shell = "export WATCHDOG_PID=$$; " + shell
        env = {**os.environ, "NOTIFY_SOCKET": str(self.path), **environment}
        if sockets:
            env["LISTEN_FDS"] = str(len(sockets))
        with self.messages.open("w") as messages:
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", shell, str(binary()), "serve", "-c", str(path), *map(str, arguments)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=messages, env=env,
                preexec_fn=lambda: pass_descriptors(sockets), close_fds=False, start_new_session=True,
            )  # fmt: skip
        return self

    def next_notification(self):
        """The next notification, as a dict."""
        data, ancillary, _, _ = self.notify.recvmsg(4096, 256)
        report = dict(line.split("=", 1) for line in data.decode().splitlines())
        return report

    def until(self, key, value="1"):
        """The first notification with that key and value; discards those before it."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            notification = self.next_notification()
            if notification.get(key) == value:
                return notification
        raise AssertionError(f"no {key}={value}")

    def count(self, code):
        """How many messages of that code there are."""
        return len([line for line in self.messages.read_text().splitlines() if has_message(line, code)])

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(LIMIT)
            finally:
                kill_group(self.process)
        self.notify.close()


def pass_descriptors(sockets):
    # In the child: moves the descriptors away, then to 3 and up, inheritable.
    spare = [os.dup(s.fileno()) for s in sockets]
    high = [os.dup2(fd, 100 + i) for i, fd in enumerate(spare)]
    os.closerange(3, 100)
    for i, fd in enumerate(high):
        os.dup2(fd, 3 + i, inheritable=True)
        os.close(fd)


@pytest.fixture
def systemd(tmp_path):
    one = Systemd(tmp_path)
    yield one
    one.stop()


def workers(systemd):
    pid = systemd.process.pid
    return [int(c) for c in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Endpoint:
    """What Client needs of a gateway."""

    def __init__(self, pki, port):
        self.pki, self.port = pathlib.Path(pki), port


# ---- notifications


def test_systemd_is_notified_of_ready_reload_and_stop(systemd, settings):
    path = settings(workers=2)
    systemd.start(path)
    notification = systemd.next_notification()
    assert notification["READY"] == "1"
    assert notification["MAINPID"] == str(systemd.process.pid)
    assert re.findall(r"\d+", notification["STATUS"]) == ["1", "2"]  # configuration, workers
    assert len(workers(systemd)) == 2

    settings(workers=1)
    before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert reload(systemd.process.pid)[0] == 0
    notification = systemd.next_notification()
    assert notification["RELOADING"] == "1"
    assert int(notification["MONOTONIC_USEC"]) >= before_us
    notification = systemd.next_notification()
    assert notification["READY"] == "1"
    assert re.findall(r"\d+", notification["STATUS"]) == ["2", "1"]

    settings(workers="many")
    assert reload(systemd.process.pid)[0] == EX_CONFIG
    assert systemd.next_notification()["RELOADING"] == "1"
    notification = systemd.next_notification()
    assert notification["READY"] == "1"
    assert re.findall(r"\d+", notification["STATUS"])[:2] == ["2", "1"]
    assert error_of(notification["STATUS"])[:3] == (str(path), 1, "workers")

    systemd.process.terminate()
    notification = systemd.next_notification()
    assert notification["STOPPING"] == "1"
    assert int(notification["EXTEND_TIMEOUT_USEC"]) > 0
    assert systemd.process.wait(LIMIT) == 0


def test_nothing_is_ready_before_the_workers_are(systemd, settings):
    systemd.start(settings(workers="many"))
    assert systemd.process.wait(LIMIT) == EX_CONFIG
    systemd.notify.setblocking(False)
    with pytest.raises(BlockingIOError):
        systemd.next_notification()


def test_workers_do_not_get_the_sockets_and_variables(systemd, settings):
    """The workers do not get the environment variables and descriptors that are only for the master."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as handed:
        systemd.start(settings(workers=1, listens=[f"127.0.0.1:{port}"]), sockets=[handed])
        systemd.until("READY")
        inode = socket_inode(port)
        (worker,) = workers(systemd)
        links = [os.readlink(fd) for fd in pathlib.Path(f"/proc/{worker}/fd").iterdir()]
        assert links.count(f"socket:[{inode}]") == 1


# ---- watchdog


def test_watchdog_pings_stop_while_a_worker_is_stuck(systemd, settings):
    """If worker_timeout does not end stuck workers, the systemd watchdog must."""
    systemd.start(settings(workers=2, more="worker_timeout: off\n"), WATCHDOG_USEC="400000")
    for _ in range(5):
        systemd.until("WATCHDOG")
    stuck = workers(systemd)[0]
    os.kill(stuck, signal.SIGSTOP)
    wait("the master to notice", lambda: has_message(systemd.messages.read_text(), "worker-unresponsive", pid=stuck))
    drain(systemd)
    before = systemd.count("worker-unresponsive")
    wait("more of it", lambda: systemd.count("worker-unresponsive") >= before + 3)
    assert drain(systemd) == []  # no more notifications
    os.kill(stuck, signal.SIGCONT)
    systemd.until("WATCHDOG")


def test_without_a_watchdog_there_are_no_pings(systemd, settings):
    systemd.start(settings(workers=1))
    systemd.until("READY")
    assert reload(systemd.process.pid)[0] == 0
    systemd.until("READY")
    assert drain(systemd) == []


def drain(systemd):
    report = []
    systemd.notify.setblocking(False)
    try:
        while True:
            report.append(systemd.next_notification())
    except BlockingIOError:
        return report
    finally:
        systemd.notify.settimeout(LIMIT)


# ---- sockets


def test_sockets_are_matched_by_their_addresses(systemd, settings, pki, tmp_path):
    """The order differs from the configuration's, and the gateway itself opens one of its addresses."""
    path = tmp_path / "handed.sock"
    own = free_port()
    v4 = socket.create_server(("127.0.0.1", 0))
    v6 = socket.create_server(("::1", 0), family=socket.AF_INET6)
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(path))
    unix.listen()
    ports = v4.getsockname()[1], v6.getsockname()[1]
    config = settings(
        workers=1,
        listens=[f"unix:{path}", f"127.0.0.1:{own}", f"[0:0:0:0:0:0:0:1]:{ports[1]}", f"127.0.0.1:{ports[0]}"],
    )
    systemd.start(config, sockets=[v4, v6, unix])
    systemd.until("READY")
    for one in (v4, v6, unix):
        one.close()
    there = Endpoint(pki, ports[0])
    assert Client(there).get_json()["path"] == "/"
    assert Client(there, own).get_json()["path"] == "/"
    assert Client(there, ports[1], socket.AF_INET6).get_json()["path"] == "/"
    assert Client(there, family=socket.AF_UNIX, address=str(path)).get_json()["path"] == "/"
    assert reload(systemd.process.pid)[0] == 0
    assert Client(there).get_json()["path"] == "/"
    assert Client(there, family=socket.AF_UNIX, address=str(path)).get_json()["path"] == "/"
    systemd.process.terminate()
    assert systemd.process.wait(LIMIT) == 0
    assert path.exists()  # it belongs to the service manager


def test_a_connection_made_before_the_start_is_served(systemd, settings, pki):
    """This is the purpose of socket activation."""
    with socket.create_server(("127.0.0.1", 0)) as handed:
        port = handed.getsockname()[1]
        config = settings(workers=2, listens=[f"127.0.0.1:{port}"])
        early = socket.create_connection(("127.0.0.1", port), LIMIT)
        systemd.start(config, sockets=[handed])
        systemd.until("READY")
    early.close()
    assert Client(Endpoint(pki, port)).get_json()["path"] == "/"


def test_a_passed_socket_without_a_listen_entry_is_an_error(systemd, settings):
    with socket.create_server(("127.0.0.1", 0)) as handed:
        port = handed.getsockname()[1]
        systemd.start(settings(listens=[f"127.0.0.1:{free_port()}"]), sockets=[handed])
        assert systemd.process.wait(LIMIT) == EX_CONFIG
    assert has_message(systemd.messages.read_text(), "socket-not-listed", address=f"127.0.0.1:{port}")


def test_a_reload_without_a_passed_socket_is_refused(systemd, settings, pki):
    with socket.create_server(("127.0.0.1", 0)) as handed:
        port = handed.getsockname()[1]
        systemd.start(settings(listens=[f"127.0.0.1:{port}"]), sockets=[handed])
        systemd.until("READY")
    settings(listens=[f"127.0.0.1:{free_port()}"])
    code, output = reload(systemd.process.pid)
    assert code == EX_CONFIG and has_message(output, "socket-not-listed", address=f"127.0.0.1:{port}"), output
    assert Client(Endpoint(pki, port)).get_json()["path"] == "/"


@pytest.mark.parametrize("kind", ["datagrams", "not listening"])
def test_a_socket_of_the_wrong_kind(systemd, settings, kind):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "datagrams" else socket.SOCK_STREAM) as handed:
        handed.bind(("127.0.0.1", 0))
        port = handed.getsockname()[1]
        systemd.start(settings(listens=[f"127.0.0.1:{port}"]), sockets=[handed])
        assert systemd.process.wait(LIMIT) == EX_CONFIG
    assert has_message(systemd.messages.read_text(), "socket-wrong-kind", address=f"127.0.0.1:{port}")


def test_sockets_for_another_process_are_left_alone(systemd, settings, pki):
    """As after a fork by a process that did not clear its environment."""
    port = free_port()
    systemd.start(settings(listens=[f"127.0.0.1:{port}"]), LISTEN_FDS="1", LISTEN_PID="1")
    systemd.until("READY")
    assert Client(Endpoint(pki, port)).get_json()["path"] == "/"
    assert listens(port)


# ---- the unit files


def analyze(*arguments):
    try:
        return run(["systemd-analyze", *map(str, arguments)], LIMIT)
    except FileNotFoundError:
        pytest.skip("there is no systemd-analyze")


@pytest.mark.parametrize("name", ["thaw.service", "thaw.socket"])
def test_the_unit_is_well_formed(name, tmp_path):
    """Checks a copy whose program exists, because /usr/bin/thaw may not be installed."""
    for unit in ("thaw.service", "thaw.socket"):
        text = (ROOT / "packaging" / unit).read_text()
        (tmp_path / unit).write_text(text.replace("/usr/bin/thaw", str(binary().resolve())))
    code, out, err, late = analyze("verify", "--man=no", tmp_path / name)
    report = [line for line in (out + err).decode().splitlines() if "thaw" in line]
    assert (code, report, late) == (0, [], False)


def test_a_stop_after_an_upgrade_is_not_a_kill():
    """systemd waits for a main process that is not its child only if it signals the whole control group."""
    unit = (ROOT / "packaging" / "thaw.service").read_text()
    assert re.findall(r"^KillMode=(.*)$", unit, re.M) == ["control-group"]


def test_the_unit_is_hardened():
    """The exposure that systemd computes, from 0 (none) to 10."""
    code, out, err, _ = analyze("security", "--offline=true", "--no-pager", ROOT / "packaging" / "thaw.service")
    assert code == 0, err
    level = re.search(r"Overall exposure level for thaw\.service: ([\d.]+)", out.decode())
    assert level is not None, out
    assert float(level.group(1)) < 3.0  # "OK"
