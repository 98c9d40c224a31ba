"""Reload: a new configuration is accepted completely or refused completely; no request fails because of it."""

import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import threading

import pytest
from harness.gateway import binary
from harness.process import kill_group, popen, run
from messages import at_level, error_of, errors_of, logged, has_message
from peer import LIMIT, LISTENS, Client, clients_on_both, is_running, tcp_rows, wait
from ports import free_port
from test_supervision import MIB, begin_upload, finish_upload, wait_held, withhold

EX_OK, EX_USAGE, EX_OSERR, EX_CONFIG = 0, 64, 71, 78


def reload(*arguments):
    """Runs `thaw reload`. Returns (exit code, output)."""
    code, out, err, late = run([str(binary()), "reload", *map(str, arguments)], LIMIT)
    assert not late, "thaw reload did not end"
    assert bool(out) != bool(err), (out, err)
    return code, (out or err).decode()


def reloaded(gateway):
    code, output = reload(gateway.process.pid)
    assert code == EX_OK, output
    assert has_message(output, "reload-done"), output


def refused(gateway, *codes, key=None, part=""):
    """A reload is refused. codes: of messages that it gives as the reason; key: the setting at fault; part: a file or an address.
    Returns the output."""
    exit_code, output = reload(gateway.process.pid)
    assert exit_code == EX_CONFIG, output
    assert all(has_message(output, code) for code in codes) and str(part) in output, output
    assert key is None or [error.key for error in errors_of(output)] == [key], output
    wait("the message", lambda: logged(gateway, "reload-refused"))
    return output


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), LIMIT).close()
    except ConnectionRefusedError:
        return False
    return True


FILES = {
    "certificate": lambda text, fifo: re.sub(r"certificate: '.*'", f"certificate: '{fifo}'", text),
    "key": lambda text, fifo: re.sub(r" key: '.*'", f" key: '{fifo}'", text),
    "ca": lambda text, fifo: re.sub(r"ca: '.*', max", f"ca: '{fifo}', max", text),
    "crl": lambda text, fifo: text.replace("client_certificate: { ca:", f"client_certificate: {{ crl: '{fifo}', ca:"),
    "ticket_keys": lambda text, fifo: f"ticket_keys: '{fifo}'\n" + text,
    "file": lambda text, fifo: re.sub(r"( key: '.*')", rf"\1\n    key_passphrase: {{ file: '{fifo}' }}", text),
}


@pytest.mark.parametrize("key", FILES)
def test_a_pipe_in_place_of_a_file_does_not_hold_up_the_master(serve, settings, tmp_path, key):
    path = settings()
    gateway = serve("-c", path)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    path.write_text(FILES[key](path.read_text(), fifo))
    (error,) = errors_of(refused(gateway, "not-a-file", part=fifo))
    assert error.key.rpartition(".")[2] == key
    assert Client(gateway).get_json()["path"] == "/"


def test_a_pipe_in_place_of_the_configuration_does_not_hold_up_the_master(serve, settings):
    path = settings()
    gateway = serve("-c", path)
    path.unlink()
    os.mkfifo(path)
    refused(gateway, "not-a-file", part=path)
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.process.wait(LIMIT) == 0


# ---- under load


class Load(threading.Thread):
    """Repeats one action until stop(); `failures` has the errors."""

    def __init__(self, gateway, over):
        super().__init__(daemon=True)
        self.gateway, self.over = gateway, over
        self.done, self.failures = 0, []

    def run(self):
        while not self.over.is_set():
            try:
                self.once()
                self.done += 1
            except Exception as failure:  # noqa: BLE001 - any exception is a failed request
                self.failures.append(repr(failure))


class NewConnections(Load):
    def once(self):
        client = Client(self.gateway)
        assert client.get_json("/new")["path"] == "/new"
        client.close()


class KeptAlive(Load):
    """Uses a connection until a response says that it is the last one."""

    client = None

    def once(self):
        self.client = self.client or Client(self.gateway)
        assert self.client.get_json("/kept")["path"] == "/kept"
        if self.client.fields[b"connection"] == b"close":
            self.client.close()
            self.client = None


class LateUploads(Load):
    """64 KiB; the client is asked for its certificate in the middle."""

    def once(self):
        client = begin_upload(self.gateway, "/late", 65536, 20000)
        status, body = finish_upload(client, 65536, 20000)
        client.close()
        assert (status, body["body_bytes"], body["certificate"]["subject"]) == (200, 65536, "CN=Thaw Demo Client")


def test_a_hundred_reloads_under_load_without_a_failed_request(serve, settings):
    gateway = serve("-c", settings(workers=2))
    over = threading.Event()
    loads = [kind(gateway, over) for kind in (NewConnections, KeptAlive, KeptAlive, LateUploads)]
    for load in loads:
        load.start()
    for number in range(100):
        before = [load.done for load in loads]
        settings(workers=2 + number % 2, routes=f"      - {{ path: /n{number}, upstream: builtin:sink }}\n")
        reloaded(gateway)
        wait("requests", lambda: all(now.done > then or now.failures for now, then in zip(loads, before)))
    over.set()
    for load in loads:
        load.join(LIMIT)
    assert [load.failures for load in loads] == [[], [], [], []]
    assert min(load.done for load in loads) >= 100
    wait("the old workers to end", lambda: len(gateway.workers()) == 3)
    assert not logged(gateway, "old-workers-ended-early")
    assert not at_level(gateway, "error")


# ---- accepted


def test_workers_and_routes_change(serve, settings):
    gateway = serve("-c", settings(workers=2))
    first = set(gateway.workers())
    assert len(first) == 2
    settings(workers=3, routes="      - { path: /gone, methods: [ PUT ], upstream: builtin:sink }\n")
    reloaded(gateway)
    wait("three new workers", lambda: len(gateway.workers()) == 3 and not first & set(gateway.workers()))
    settings(workers=1, routes="      - { path: /new, client_certificate: { when: request }, upstream: builtin:inspect }\n")
    reloaded(gateway)
    wait("one worker", lambda: len(gateway.workers()) == 1)
    client = Client(gateway)
    assert client.get_json("/new")["certificate"]["subject"] == "CN=Thaw Demo Client"
    assert gateway.process.poll() is None


def self_signed(folder):
    pem, key = folder / "other.pem", folder / "other.key"
    argv = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=other -keyout {key} -out {pem}"
    subprocess.run(argv.split(), check=True, capture_output=True)
    return pem, key


def served_certificate(gateway):
    context = ssl._create_unverified_context()
    with socket.create_connection(("127.0.0.1", gateway.port), LIMIT) as raw:
        with context.wrap_socket(raw, server_hostname="localhost") as tls:
            return ssl.DER_cert_to_PEM_cert(tls.getpeercert(True))


def test_a_changed_certificate(serve, settings, tmp_path):
    pem, key = self_signed(tmp_path)
    gateway = serve("-c", settings())
    assert served_certificate(gateway) not in pem.read_text()
    settings(certificate=(pem, key))
    reloaded(gateway)
    assert served_certificate(gateway) in pem.read_text()


def test_a_certificate_that_was_replaced_in_its_place(serve, settings, tmp_path, pki):
    pem, key = self_signed(tmp_path)
    mine = tmp_path / "mine.pem", tmp_path / "mine.key"
    for to, source in zip(mine, ("server.pem", "server.key")):
        to.write_bytes((pathlib.Path(pki) / source).read_bytes())
    gateway = serve("-c", settings(certificate=mine))
    mine[0].write_bytes(pem.read_bytes())
    refused(gateway, part=tmp_path / "mine.")  # the key is still the old one
    mine[1].write_bytes(key.read_bytes())
    reloaded(gateway)
    assert served_certificate(gateway) in pem.read_text()


def test_listeners_come_and_go(serve, settings, tmp_path):
    kept, removed, new = free_port(), free_port(), free_port()
    old_path, new_path = tmp_path / "old.sock", tmp_path / "new.sock"
    gateway = serve("-c", settings(listens=[f"127.0.0.1:{kept}", f"127.0.0.1:{removed}", f"unix:{old_path}"]), listeners=2)
    inode = socket_inode(kept)
    settings(listens=[f"unix:{new_path}", f"127.0.0.1:{new}", f"127.0.0.1:{kept}"])
    reloaded(gateway)
    assert socket_inode(kept) == inode  # the same socket, with the connections that wait to be accepted
    assert Client(gateway, new).get_json()["path"] == "/"
    assert Client(gateway, kept).get_json()["path"] == "/"
    assert Client(gateway, family=socket.AF_UNIX, address=str(new_path)).get_json()["path"] == "/"
    wait("the old address to be refused", lambda: not listens(removed))
    assert not old_path.exists()
    assert gateway.wait_messages("listening", address=f"127.0.0.1:{new}")
    assert gateway.wait_messages("no-longer-listening", address=f"127.0.0.1:{removed}")
    assert len(logged(gateway, "listening", address=f"127.0.0.1:{kept}")) == 1
    gateway.stop()
    assert not new_path.exists()


def socket_inode(port):
    def look():
        return [row.inode for row in tcp_rows() if row.ends[0] == f"{port:04X}" and row.state == LISTENS]

    return wait(f"a listener on {port}", look)[0]


def test_a_unix_socket_stays_the_same_file(serve, settings, tmp_path):
    path = tmp_path / "thaw.sock"
    gateway = serve("-c", settings(listens=["127.0.0.1:0", f"unix:{path}"]))
    before = path.stat().st_ino
    waiting = Client(gateway, family=socket.AF_UNIX, address=str(path))
    reloaded(gateway)
    assert path.stat().st_ino == before
    assert waiting.get_json()["path"] == "/"
    assert Client(gateway, family=socket.AF_UNIX, address=str(path)).get_json()["path"] == "/"


def test_free_ports_are_kept(serve, settings):
    gateway = serve("-c", settings(listens=["127.0.0.1:0", "127.0.0.1:0"]), listeners=2)
    ports = list(gateway.ports)
    reloaded(gateway)
    for port in ports:
        assert Client(gateway, port).get_json()["path"] == "/"
    settings(listens=["127.0.0.1:0"])
    reloaded(gateway)
    wait("the second to be closed", lambda: not listens(ports[1]))
    assert Client(gateway, ports[0]).get_json()["path"] == "/"


def test_addresses_of_the_command_line_stay(serve, settings):
    gateway = serve("-c", settings(listens=[f"127.0.0.1:{free_port()}"]), "--listen", "127.0.0.1:0")
    settings(listens=[f"127.0.0.1:{free_port()}"])
    reloaded(gateway)
    assert len(logged(gateway, "listening")) == 1
    assert Client(gateway).get_json()["path"] == "/"


def test_the_access_log_moves(serve, settings, tmp_path):
    first, second = tmp_path / "first.log", tmp_path / "second.log"
    gateway = serve("-c", settings(log=f"{{ access: '{first}' }}"))
    Client(gateway).get_json("/?1")
    settings(log=f"{{ access: '{second}' }}")
    reloaded(gateway)

    def in_the_second():
        """An old worker that does not know of the reload yet may still accept a connection or two."""
        Client(gateway).get_json("/?2")
        return second.exists() and "/?2" in second.read_text()

    wait("a request of a new worker", in_the_second)
    gateway.stop()
    assert "/?1" in first.read_text()
    assert "/?1" not in second.read_text()


# ---- requests during a reload


def test_an_upload_goes_on_with_its_worker(serve, settings):
    gateway = serve("-c", settings(workers=1))
    (old,) = gateway.workers()
    length, part = 8 * MIB, MIB
    upload = begin_upload(gateway, "/late", length, part)
    wait_held(gateway, upload)
    reloaded(gateway)
    assert is_running(old)
    assert Client(gateway).worker(gateway) != old
    status, body = finish_upload(upload, length, part)
    assert (status, body["body_bytes"], body["certificate"]["subject"]) == (200, length, "CN=Thaw Demo Client")
    assert upload.fields[b"connection"] == b"close"
    assert upload.response() is None
    wait("the old worker to end", lambda: not is_running(old))


def test_old_workers_have_the_time_that_their_own_configuration_gives(serve, settings):
    gateway = serve("-c", settings(workers=1, more="stop_timeout: 1s\n"))
    upload = begin_upload(gateway, "/late", 8 * MIB, MIB)
    wait_held(gateway, upload)
    settings(workers=1, more="stop_timeout: 1h\n")
    reloaded(gateway)
    wait("the message", lambda: logged(gateway, "stop-timeout", " 1 s ", "stop_timeout", connections=1))
    assert upload.response()[0] == 503
    assert Client(gateway).get_json()["path"] == "/"


def test_an_idle_connection_may_ask_once_more(serve, settings):
    gateway = serve("-c", settings(workers=1))
    busy, idle = Client(gateway), Client(gateway)
    busy.get_json()
    idle.get_json()
    assert busy.fields[b"connection"] == idle.fields[b"connection"] == b"keep-alive"
    reloaded(gateway)
    assert busy.get_json("/once-more")["path"] == "/once-more"
    assert busy.fields[b"connection"] == b"close"
    assert busy.response() is None
    assert idle.response() is None  # the old worker closes it soon


def test_budgets_hold_for_old_and_new_workers_together(serve, settings):
    """One of two bodies is refused: the new one, or the old one after it has waited long enough. If a worker gets no
    CPU time for a while, the other one does not wait for it, and both are refused."""
    spool = "{ memory: 4MiB, per_client: 100% }"
    gateway = serve("-c", settings(workers=1, spool=spool))
    length = 3 * MIB
    holder = withhold(gateway, length)
    wait_held(gateway, holder)
    reloaded(gateway)
    if withhold(gateway, length).response()[0] == 200:
        assert holder.response()[0] == 503
    else:
        gateway.wait_records(lambda r: r["status"] in (413, 503) and r["body_in"] <= length)
    settings(workers=1, spool="{ memory: 8MiB, per_client: 100% }")
    reloaded(gateway)  # a reload with other budgets starts a new count
    honest = begin_upload(gateway, "/late", length, MIB)
    assert finish_upload(honest, length, MIB)[0] == 200
    holder.close()


def test_of_too_many_old_configurations_the_oldest_answers_and_ends(serve, settings):
    """Each generation has an upload that does not end."""
    gateway = serve("-c", settings(workers=1))
    held = []
    for _ in range(8):
        upload = begin_upload(gateway, "/", 8 * MIB, 1000)
        wait_held(gateway, upload)
        held.append(upload)
        reloaded(gateway)
    wait("the message", lambda: logged(gateway, "old-workers-ended-early", number=1))
    assert held[0].response()[0] == 503
    assert gateway.wait_records(lambda r: r["status"] == 503 and r["body_in"] == 1000)
    wait("its worker to end", lambda: len(gateway.workers()) <= 8)
    status, body = finish_upload(held[-1], 8 * MIB, 1000)
    assert (status, body["body_bytes"]) == (200, 8 * MIB)


def test_a_stop_ends_old_workers_too(serve, settings):
    gateway = serve("-c", settings(workers=1))
    upload = begin_upload(gateway, "/", 4 * MIB, 1000)
    wait_held(gateway, upload)
    reloaded(gateway)
    gateway.process.send_signal(signal.SIGTERM)
    wait("the stop", lambda: logged(gateway, "stopping"))
    assert finish_upload(upload, 4 * MIB, 1000)[0] == 200
    upload.close()
    assert gateway.process.wait(LIMIT) == 0


# ---- refused


@pytest.mark.parametrize(
    "wrong, key, value",
    [
        (dict(workers="many"), "workers", "many"),
        (dict(certificate=("/none.pem", "/none.key")), "hosts[0].certificate", "/none.pem"),
        (dict(log="{ access: /nonexistent/access.log }"), "log.access", "/nonexistent/access.log"),
        (dict(spool="{ memory: 16MiB, disk: 1GiB, directory: /nonexistent/thaw }"), "spool.directory", "/nonexistent/thaw"),
    ],
)
def test_a_wrong_configuration_changes_nothing(serve, settings, wrong, key, value):
    gateway = serve("-c", settings(workers=2))
    workers = sorted(gateway.workers())
    client = Client(gateway)
    client.get_json()
    settings(**wrong)
    refused(gateway, key=key, part=value)
    assert sorted(gateway.workers()) == workers
    assert client.get_json()["path"] == "/"
    assert client.fields[b"connection"] == b"keep-alive"
    settings(workers=2)
    reloaded(gateway)


def test_an_address_in_use_opens_none_of_the_others(serve, settings, tmp_path):
    gateway = serve("-c", settings())
    new, path = free_port(), tmp_path / "new.sock"
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        settings(listens=["127.0.0.1:0", f"127.0.0.1:{new}", f"unix:{path}", f"127.0.0.1:{taken}"])
        refused(gateway, "address-in-use", key="listen[3].address", part=taken)
    assert not listens(new)
    assert not path.exists()
    assert Client(gateway).get_json()["path"] == "/"
    reloaded(gateway)
    assert listens(new)


def test_a_file_that_is_gone(serve, settings):
    path = settings()
    gateway = serve("-c", path)
    path.unlink()
    refused(gateway, part=path)
    assert Client(gateway).get_json()["path"] == "/"


def test_the_throwaway_setup_has_nothing_to_read_again(serve):
    gateway = serve()
    code, output = reload(gateway.process.pid)
    assert code == EX_CONFIG
    assert has_message(output, "reload-no-file"), output
    assert Client(gateway).get_json()["path"] == "/"


def test_new_workers_that_die_before_they_are_ready(serve, settings):
    """Kills the first new process as soon as it is seen. If that was too late, tries again."""
    gateway = serve("-c", settings(workers=2))
    settings(workers=32)

    def attempt():
        old = wait("all to be as before", lambda: len(gateway.workers()) == 2 and set(gateway.workers()))
        process = popen(
            [str(binary()), "reload", str(gateway.process.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        new = wait("a new worker", lambda: set(gateway.workers()) - old)
        os.kill(new.pop(), signal.SIGKILL)
        _, err = process.communicate(timeout=LIMIT)
        if process.returncode == EX_OK:  # too late: restores the old number of workers, and tries again
            settings(workers=2)
            reloaded(gateway)
            settings(workers=32)
            return False
        assert process.returncode == EX_CONFIG
        assert has_message(err, "worker-not-ready"), err
        wait("the new ones to be gone", lambda: set(gateway.workers()) == old)
        return True

    wait("a reload that failed", attempt)
    assert Client(gateway).get_json()["path"] == "/"
    reloaded(gateway)
    wait("all workers", lambda: len(gateway.workers()) == 32)


# ---- one at a time


class Gate:
    """Stops the master in the middle of a reload: it opens its configuration only when the gate opens."""

    def __init__(self, settings, gateway, path):
        self.settings, self.gateway, self.gate = settings, gateway, path.with_name(path.name + ".gate")
        os.mkfifo(self.gate)

    def ask(self):
        return popen(
            [str(binary()), "reload", str(self.gateway.process.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def let_through(self, **changes):
        self.settings(**changes)
        self.gate.write_text("x")

    def wait_until_held(self):
        """Waits until the master opens the pipe, where it waits for a writer."""
        syscall = pathlib.Path(f"/proc/{self.gateway.process.pid}/syscall")
        wait("the master to come to the gate", lambda: opens(syscall))


@pytest.fixture
def gated(serve, settings, tmp_path, monkeypatch):
    """gated(workers): starts a gateway with a gate before its configuration."""
    library = tmp_path / "gate.so"
    source = pathlib.Path(__file__).with_name("gate.c")
    subprocess.run(["cc", "-D_GNU_SOURCE", "-Wall", "-shared", "-fPIC", "-o", library, source], check=True)
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("ASAN_OPTIONS", os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")

    def start(workers):
        path = settings(workers=workers)
        gateway = serve("-c", path)
        return gateway, Gate(settings, gateway, path)

    return start


def opens(syscall):
    """Whether the process is in openat(2), which is 257 on x86-64 and 56 elsewhere."""
    return syscall.read_text().split()[0] in ("257", "56")


def answer(process):
    out, err = process.communicate(timeout=LIMIT)
    return process.returncode, (out or err).decode()


def test_a_worker_that_dies_during_a_reload(gated):
    gateway, gate = gated(workers=2)
    held = clients_on_both(gateway)
    asked = gate.ask()
    gate.wait_until_held()
    victim, survivor = held
    os.kill(victim, signal.SIGKILL)
    gate.let_through(workers=2)
    assert answer(asked)[0] == EX_OK
    assert held[survivor].get_json()["path"] == "/"
    wait("two workers, both new", lambda: len(gateway.workers()) == 2 and not set(held) & set(gateway.workers()))
    for client in clients_on_both(gateway).values():
        assert client.get_json()["path"] == "/"


def test_requests_during_a_reload_are_answered_by_the_next_reload(gated):
    gateway, gate = gated(workers=1)
    first = gate.ask()
    gate.wait_until_held()
    later = [gate.ask() for _ in range(2)]
    gateway.process.send_signal(signal.SIGHUP)
    wait("all to have asked", lambda: askers(gateway) == 3)
    gate.let_through(workers=1)
    code, output = answer(first)
    assert code == EX_OK and has_message(output, "reload-done", number=2, workers=1), output
    gate.let_through(workers="many")
    for process in later:
        code, output = answer(process)
        assert code == EX_CONFIG
        assert error_of(output).key == "workers"
    assert Client(gateway).get_json()["path"] == "/"
    assert len(gateway.wait_messages("reload-refused")) == 1


def askers(gateway):
    """The number of connections to the master's socket, accepted or not."""
    name = f"@thaw-reload/{gateway.process.pid}/"
    lines = [line for line in pathlib.Path("/proc/net/unix").read_text().splitlines() if name in line]
    return len([line for line in lines if line.split()[5] != "01"])  # 01 is the listening socket


# ---- finding the master


def test_sighup_does_the_same(serve, settings):
    gateway = serve("-c", settings(workers=1))
    settings(workers=2)
    os.killpg(gateway.process.pid, signal.SIGHUP)  # as a terminal does: the workers ignore it
    wait("the message", lambda: logged(gateway, "reload-done", number=2))
    wait("two workers", lambda: len(gateway.workers()) == 2)


def test_by_the_configuration(serve, settings, tmp_path):
    path = settings(workers=1)
    gateway = serve("-c", path)
    assert reload("-c", path)[0] == EX_OK
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    assert reload("-c", link)[0] == EX_OK
    wait("the message", lambda: logged(gateway, "reload-done", number=3))
    other = settings(path=tmp_path / "other.yaml")
    code, output = reload("-c", other)
    assert code == EX_OSERR and has_message(output, "control-none", file=other), output
    second = serve("-c", path)
    code, output = reload("-c", path)
    assert code == EX_USAGE and has_message(output, "control-several", file=path), output
    second.stop()
    assert reload("-c", path)[0] == EX_OK
    assert reload("-c", tmp_path / "none.yaml")[0] == EX_OSERR


def test_by_the_pid_file(serve, settings, tmp_path):
    pid_file = tmp_path / "thaw.pid"
    gateway = serve("-c", settings(workers=1), "--pid-file", pid_file)
    wait("the file", pid_file.exists)
    assert pid_file.read_text() == f"{gateway.process.pid}\n"
    assert reload("--pid-file", pid_file)[0] == EX_OK
    gateway.stop()
    assert not pid_file.exists()
    assert reload("--pid-file", pid_file)[0] == EX_OSERR
    pid_file.write_text("one\n")
    assert reload("--pid-file", pid_file)[0] == EX_USAGE


def test_a_process_that_is_not_thaw():
    code, output = reload(os.getpid())
    assert code == EX_OSERR and has_message(output, "control-not-thaw", pid=os.getpid()), output


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_other_users_may_not_reload(serve, settings):
    gateway = serve("-c", settings(workers=1))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asker:
        os.seteuid(65534)
        try:
            asker.connect(control_name(gateway))
        finally:
            os.seteuid(0)
        asker.settimeout(LIMIT)
        assert asker.recv(1000).startswith(b"-")
    assert not logged(gateway, "reload-done")


def control_name(gateway):
    for line in pathlib.Path("/proc/net/unix").read_text().splitlines():
        name = line.split()[-1]
        if name.startswith(f"@thaw-reload/{gateway.process.pid}/"):
            return "\0" + name[1:]
    raise AssertionError("it does not listen")


def test_a_master_that_ends_meanwhile(gated):
    gateway, gate = gated(workers=1)
    asked = gate.ask()
    gate.wait_until_held()
    kill_group(gateway.process)
    code, output = answer(asked)
    assert code == EX_OSERR and has_message(output, "control-ended", pid=gateway.process.pid), output


# ---- logs


def test_sigusr1_opens_the_log_anew(serve, settings, tmp_path):
    """The log is opened again by workers of an old configuration, too."""
    log, aside = tmp_path / "access.log", tmp_path / "access.log.1"
    gateway = serve("-c", settings(workers=2, log=f"{{ access: '{log}' }}"))
    upload = begin_upload(gateway, "/?old", MIB, 1000)
    wait_held(gateway, upload)
    reloaded(gateway)
    held = clients_on_both(gateway)
    for client in held.values():
        client.get_json("/?1")
    wait("both records", lambda: log.read_text().count("/?1") == 2)
    log.rename(aside)
    os.killpg(gateway.process.pid, signal.SIGUSR1)
    wait("the new file", log.exists)
    wait("all to have it open", lambda: all(has_open(pid, log) for pid in gateway.workers()))
    for client in held.values():
        client.get_json("/?2")
    assert finish_upload(upload, MIB, 1000)[0] == 200
    gateway.stop()
    assert aside.read_text().count("/?1") == 2 and "/?2" not in aside.read_text()
    assert log.read_text().count("/?2") == 2 and log.read_text().count("/?old") == 1


def has_open(pid, path):
    def read(fd):
        try:
            return os.readlink(fd)
        except OSError:
            return None

    return str(path) in [read(fd) for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir()]


def test_a_log_that_cannot_be_opened_anew_goes_on_as_it_was(serve, settings, tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    log = folder / "access.log"
    gateway = serve("-c", settings(workers=1, log=f"{{ access: '{log}' }}"))
    aside = tmp_path / "aside"
    folder.rename(aside)
    gateway.process.send_signal(signal.SIGUSR1)
    wait("the message", lambda: logged(gateway, "cannot-open-log", log=log))
    Client(gateway).get_json("/?1")
    gateway.stop()
    assert "/?1" in (aside / "access.log").read_text()


# ---- names that other users take


class Squatter:
    """A user that listens on socket names of masters, in its own process."""

    def __init__(self, name):
        code = (
            "import os, socket, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
            "s.bind(chr(0) + sys.argv[1].replace('SELF', str(os.getpid()))); s.listen(0); print('on', flush=True)\n"
            "sys.stdin.read()"
        )
        self.process = popen(["/usr/bin/python3", "-c", code, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"on\n"

    def end(self):
        self.process.stdin.close()
        kill_group(self.process)


def socket_name(gateway):
    """The socket name of the master, with the random number at its end."""
    beginning = f"@thaw-reload/{gateway.process.pid}/"
    (name,) = [word[1:] for word in pathlib.Path("/proc/net/unix").read_text().split() if word.startswith(beginning)]
    return name


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("pid", ["SELF", None], ids=["its own process id", "the master's"])
def test_a_user_who_takes_a_masters_name_does_not_block_a_reload(serve, settings, pid):
    path = settings(workers=1)
    gateway = serve("-c", path)
    head, master, file, unforeseen = socket_name(gateway).split("/")
    assert len(unforeseen) == 16
    squatters = [Squatter("/".join([head, pid or master, file, other])) for other in ("0" * 16, "f" * 16)]
    try:
        assert reload("-c", path)[0] == EX_OK
        assert reload(gateway.process.pid)[0] == EX_OK
    finally:
        for squatter in squatters:
            squatter.end()


def test_names_of_masters_cannot_be_foreseen(serve, settings):
    path = settings(workers=1)
    names = {socket_name(serve("-c", path)).rpartition("/")[2] for _ in range(2)}
    assert len(names) == 2
