"""Hosts whose key is on a token: only the signer process has access to it."""

import concurrent.futures
import contextlib
import errno
import http.client
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import ssl
import subprocess

import pytest
from harness.gateway import binary, children
from harness.process import run
from harness.token import MODULE, PIN, SlowToken, Token, slow_module  # noqa: F401
from messages import error_of, logged, has_message
from peer import LIMIT, Client, is_running, wait
from test_pass_phrases import line_of, with_pass_phrase
from test_privileges import USER, as_root, is_the_user, open_folder  # noqa: F401
from test_reload import EX_CONFIG, reload, reloaded
from test_upgrade import upgraded

MINE = f"?module-path={MODULE}"


def command(*argv):
    subprocess.run([*map(str, argv)], check=True, capture_output=True)


@pytest.fixture
def token(settings, pki, tmp_path, monkeypatch):
    """A token with the throwaway PKI's server key, and its PIN in a file."""
    settings()
    (tmp_path / "token").mkdir()
    made = Token(tmp_path / "token")
    made.new()
    made.key(pki / "server.key", label="server", ident="01")
    for name, value in made.env.items():
        monkeypatch.setenv(name, value)
    made.pin = tmp_path / "pin"
    made.pin.write_text(PIN + "\n")
    made.pin.chmod(0o600)
    return made


@pytest.fixture
def with_token(settings, pki, token):
    """with_token(**changes): writes a configuration whose host has its key on the token."""

    def write(certificate=None, label="server", query=MINE, **changes):
        uri = f"pkcs11:token=thaw;object={label}{query}"
        path = settings(certificate=(certificate or str(pki / "server.pem").replace("'", "''"), uri), **changes)
        return with_pass_phrase(path, token.pin)

    return write


def name_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def signers(gateway):
    return [pid for pid in gateway.workers() if name_of(pid) == "thaw-signer"]


def workers(gateway):
    return [pid for pid in gateway.workers() if name_of(pid) == "thaw-worker"]


def handshake(gateway, tls):
    """The server's certificate in PEM; None: the handshake failed."""
    context = ssl._create_unverified_context()
    context.minimum_version = context.maximum_version = tls
    with socket.create_connection(("127.0.0.1", gateway.port), LIMIT) as raw:
        try:
            with context.wrap_socket(raw, server_hostname="localhost") as one:
                return ssl.DER_cert_to_PEM_cert(one.getpeercert(True))
        except (ssl.SSLError, ConnectionError):
            return None


def packet_sockets(pid):
    """The inodes of the SOCK_SEQPACKET sockets of a process."""
    rows = [line.split() for line in pathlib.Path("/proc/net/unix").read_text().splitlines()[1:]]
    all_of_them = {row[6] for row in rows if row[4] == "0005"}
    links = [os.readlink(fd) for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
    return {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")} & all_of_them


VERSIONS = pytest.mark.parametrize("tls", (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3), ids=("1.2", "1.3"))


@VERSIONS
@pytest.mark.parametrize("kind", (("rsa:2048",), ("ec", "-pkeyopt", "ec_paramgen_curve:P-384")), ids=("rsa", "ec"))
def test_handshakes_with_a_key_on_a_token(serve, with_token, token, tmp_path, kind, tls):
    pem, key = tmp_path / "own.pem", tmp_path / "own.key"
    command("openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-days", 2, "-subj", "/CN=own", "-keyout", key, "-out", pem)
    token.key(key, label="own", ident="02")
    key.unlink()
    gateway = serve("-c", with_token(certificate=pem, label="own", workers=2))
    for _ in range(4):
        assert handshake(gateway, tls) in pem.read_text()


@VERSIONS
def test_a_late_ask_with_a_key_on_a_token(serve, with_token, tls):
    """Over TLS 1.2 the renegotiation needs another signature."""
    gateway = serve("-c", with_token(workers=1))
    client = Client(gateway, tls=tls)
    assert client.get_json()["path"] == "/"
    assert client.get_json("/late")["certificate"]["subject"] == "CN=Thaw Demo Client"


def test_only_the_signer_opens_the_token(serve, with_token):
    gateway = serve("-c", with_token(workers=2))
    assert Client(gateway).get_json()["path"] == "/"
    (signer,) = signers(gateway)
    assert "softhsm" in pathlib.Path(f"/proc/{signer}/maps").read_text()
    assert len(workers(gateway)) == 2
    for pid in [gateway.process.pid, *workers(gateway)]:
        assert "softhsm" not in pathlib.Path(f"/proc/{pid}/maps").read_text()
    # No worker has a socket of another one, or the signer's end of its own.
    one, other, signers_own = (packet_sockets(pid) for pid in [*workers(gateway), signer])
    assert one and other and signers_own
    assert not one & other and not (one | other) & signers_own


def test_a_signer_or_a_worker_that_dies_is_replaced(serve, with_token):
    gateway = serve("-c", with_token(workers=1))
    for which in (signers, workers, signers):
        (victim,) = which(gateway)
        os.kill(victim, signal.SIGKILL)
        wait("another one", lambda: which(gateway) not in ([], [victim]))
        wait("a handshake", lambda: handshake(gateway, ssl.TLSVersion.TLSv1_3))
    assert Client(gateway).get_json()["path"] == "/"


def test_a_stuck_signer_is_replaced(serve, with_token):
    gateway = serve("-c", with_token(workers=1, more="worker_timeout: 1s\n"))
    (victim,) = signers(gateway)
    os.kill(victim, signal.SIGSTOP)
    assert gateway.wait_messages("signer-stuck", pid=victim)
    wait("a handshake", lambda: handshake(gateway, ssl.TLSVersion.TLSv1_3))


def test_a_reload_and_a_stop_leave_no_signer(serve, with_token):
    gateway = serve("-c", with_token(workers=1))
    (before,) = signers(gateway)
    reloaded(gateway)
    assert Client(gateway).get_json()["path"] == "/"
    wait("the old signer to end", lambda: not is_running(before))
    (after,) = signers(gateway)
    gateway.stop()
    assert gateway.process.returncode == 0
    assert not is_running(after)


def test_an_upgrade_has_a_signer_of_its_own(serve, with_token):
    gateway = serve("-c", with_token(workers=1))
    (before,) = signers(gateway)
    new = upgraded(gateway.process.pid)
    try:
        wait("the old signer to end", lambda: not is_running(before))
        assert [name_of(pid) for pid in children(new)].count("thaw-signer") == 1
        assert Client(gateway).get_json()["path"] == "/"
    finally:
        os.kill(new, signal.SIGTERM)
        wait("the new process to end", lambda: not is_running(new))


def test_from_a_file_to_a_token_and_back(serve, settings, with_token):
    gateway = serve("-c", settings(workers=1))
    assert signers(gateway) == []
    with_token(workers=1)
    reloaded(gateway)
    assert Client(gateway).get_json()["path"] == "/"
    settings(workers=1)
    reloaded(gateway)
    assert Client(gateway).get_json()["path"] == "/"
    wait("the signer to end", lambda: not signers(gateway))


def broken(token, path, what):
    """Breaks the configuration, and returns the code of the message."""
    if what == "wrong PIN":
        token.pin.write_text("0000\n")
        return "pin-wrong"
    if what == "no PIN":
        token.pin.unlink()
        return "no-such-file"
    if what == "several":
        token.key(pathlib.Path(path).parent / "another.key", label="server", ident="03")
        return "several-keys"
    path.write_text(path.read_text().replace("object=server", "object=nobody"))
    return "no-such-key"


WRONG = pytest.mark.parametrize("what", ("wrong PIN", "no PIN", "several", "no key"))


@WRONG
@pytest.mark.parametrize("verb", ("check", "serve"))
def test_a_key_that_cannot_be_opened_is_refused_with_its_place(with_token, token, pki, tmp_path, verb, what):
    (tmp_path / "another.key").write_bytes((pki / "client.key").read_bytes())
    path = with_token(workers=1)
    assert run([str(binary()), "check", "-c", str(path)], LIMIT)[0] == 0
    message = broken(token, path, what)
    code, _, err, late = run([str(binary()), verb, "-c", str(path)], LIMIT)
    assert (code, late) == (EX_CONFIG, False), err
    assert error_of(err)[:3] == (str(path), line_of(path, "key:"), "hosts[0].key") and has_message(err, message), err
    assert PIN.encode() not in err and b"0000" not in err


def test_a_wrong_pin_is_refused_at_a_reload(serve, with_token, token):
    gateway = serve("-c", with_token(workers=1))
    token.pin.write_text("0000\n")
    code, output = reload(gateway.process.pid)
    assert code == EX_CONFIG and has_message(output, "signer-not-ready"), output
    assert gateway.wait_messages("pin-wrong", "key 'hosts[0].key': ")
    assert Client(gateway).get_json()["path"] == "/"


def test_a_pin_that_has_become_wrong_is_tried_once(serve, with_token, token):
    """A third attempt may lock the token."""
    gateway = serve("-c", with_token(workers=1))
    token.pin.write_text("0000\n")
    os.kill(signers(gateway)[0], signal.SIGKILL)
    assert gateway.wait_messages("signer-not-restarted")
    assert handshake(gateway, ssl.TLSVersion.TLSv1_3) is None
    assert gateway.wait_messages("signer-silent")
    assert len(logged(gateway, "pin-wrong")) == 1
    token.pin.write_text(PIN + "\n")
    reloaded(gateway)
    assert Client(gateway).get_json()["path"] == "/"


@pytest.fixture
def slow(slow_module, tmp_path, monkeypatch):  # noqa: F811
    """slow(SIGN_MS=...): a SlowToken; processes started from now on use it."""

    def start(**how):
        (tmp_path / "slow").mkdir()
        made = SlowToken(slow_module, {}, tmp_path / "slow")
        for name, value in made.env(**how).items():
            monkeypatch.setenv(name, value)
        return made

    return start


def status_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


@pytest.mark.parametrize("sandbox", ("on", "off"))
def test_a_token_s_module_can_start_no_process(serve, with_token, slow, monkeypatch, tmp_path, sandbox):
    """Nor trace one, nor mount; a module may need files, sockets and threads."""
    tries = tmp_path / "tries"
    monkeypatch.setenv("THAW_TEST_SIGN_TRIES", str(tries))
    query = f"?module-path={slow(SIGN_MS=0).module}"
    gateway = serve("-c", with_token(query=query, workers=1, more=f"sandbox: {sandbox}\n"))
    assert Client(gateway).get_json()["path"] == "/"
    (signer,) = signers(gateway)
    found = {name: int(number) for name, number in (line.split() for line in tries.read_text().splitlines())}
    status = status_of(signer)
    if sandbox == "off" or gateway.sanitized():
        assert (status["Seccomp"], found["fork"], found["execve"]) == ("0", 0, errno.ENOENT)
        return
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    refused = {"fork", "execve", "ptrace", "mount"}
    assert found == {**dict.fromkeys(refused, errno.EPERM), "thread": 0, "socket": 0}


def client_hello(name):
    ours, theirs = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl._create_unverified_context().wrap_bio(theirs, ours, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return ours.read()


@pytest.fixture
def held(slow, tmp_path):
    """A token that makes no signature while the file `hold` exists, which does exist at first."""
    hold = tmp_path / "hold"
    hold.touch()
    made = slow(SIGN_HOLD=hold)
    made.hold = hold
    yield made
    hold.unlink(missing_ok=True)


def begin(gateway, name="localhost"):
    """A connection that has sent its ClientHello."""
    one = socket.create_connection(("127.0.0.1", gateway.port), LIMIT)
    one.sendall(client_hello(name))
    return one


def is_waiting(one):
    """The server has sent nothing, and has not closed."""
    return not select.select([one], [], [], 0)[0]


def begin_signature(gateway, token):
    """A connection whose signature the token is asked for."""
    before = token.signatures()
    one = wait("a signature", lambda: begins_one(gateway, token, before))
    return one


def begins_one(gateway, token, before):
    """None: the worker does not ask the token, because it did not answer a moment ago."""
    one = begin(gateway)
    wait("an outcome", lambda: token.signatures() > before or not is_waiting(one))
    if token.signatures() > before:
        return one
    one.close()
    return None


def during_a_signature(gateway, token, act):
    """Calls act() while a signature is outstanding from its beginning to its end: its client still waits for the
    ServerHello. A busy machine may take longer than the worker waits for a signature, so there are some attempts."""
    for _ in range(5):
        waiting = begin_signature(gateway, token)
        act()
        if is_waiting(waiting):
            return waiting
        waiting.close()
        token.hold.unlink()
        wait("the token", lambda: handshake(gateway, ssl.TLSVersion.TLSv1_3))
        token.hold.touch()
    raise AssertionError("the signature was never outstanding: this worker waits for it")


def with_another_host(path, pki):
    """The same, and a host of another name with its key in a file."""
    folder = str(pki).replace("'", "''")
    path.write_text(
        path.read_text()
        + f"  - name: other.example\n    certificate: '{folder}/server.pem'\n    key: '{folder}/server.key'\n"
        + "    routes: [ { path: /, upstream: builtin:inspect } ]\n")
    return path


def handshake_with(gateway, name):
    context = ssl._create_unverified_context()
    with socket.create_connection(("127.0.0.1", gateway.port), LIMIT) as raw, context.wrap_socket(raw, server_hostname=name) as one:
        return one.version()


@pytest.fixture
def waiting_host(serve, with_token, held, slow_module, pki):  # noqa: F811
    """A gateway with one worker whose token holds its signatures, and a connection to it that is open."""
    held.hold.unlink()
    path = with_another_host(with_token(workers=1, query=f"?module-path={slow_module}"), pki)
    gateway = serve("-c", path)
    client = Client(gateway)
    assert client.get_json()["path"] == "/"
    held.hold.touch()
    return gateway, client


def test_a_worker_serves_others_while_a_signature_is_outstanding(waiting_host, held):
    gateway, client = waiting_host

    def act():
        assert client.get_json()["path"] == "/"
        assert handshake_with(gateway, "other.example")

    waiting = during_a_signature(gateway, held, act)
    held.hold.unlink()
    assert waiting.recv(1)  # its ServerHello
    waiting.close()


def test_many_clients_wait_for_their_signatures_at_once(waiting_host, held):
    gateway, client = waiting_host
    crowd = []

    def act():
        crowd.extend(begin(gateway) for _ in range(20))
        assert client.get_json()["path"] == "/"
        assert handshake_with(gateway, "other.example")

    waiting = during_a_signature(gateway, held, act)
    assert client.get_json()["path"] == "/"
    held.hold.unlink()
    assert waiting.recv(1)
    # Each of the last 20 gets its signature when it is its turn: no two at the token, and none is left out.
    for one in crowd[-20:]:
        assert one.recv(1)
    for one in [waiting, *crowd]:
        one.close()
    wait("the connections to end", lambda: client.get_json()["path"] == "/")


def test_a_client_that_leaves_while_its_signature_is_outstanding(waiting_host, held):
    gateway, client = waiting_host
    (worker,) = workers(gateway)

    def act():
        for _ in range(5):
            begin(gateway).close()
        assert client.get_json()["path"] == "/"

    during_a_signature(gateway, held, act).close()
    held.hold.unlink()
    wait("a handshake", lambda: handshake(gateway, ssl.TLSVersion.TLSv1_3))
    assert client.get_json()["path"] == "/"
    assert workers(gateway) == [worker]


def test_a_token_that_does_not_answer_ends_handshakes_and_nothing_else(waiting_host, held):
    gateway, client = waiting_host
    (worker,) = workers(gateway)
    before = held.signatures()
    assert handshake(gateway, ssl.TLSVersion.TLSv1_3) is None
    assert gateway.wait_messages("signer-silent")
    assert handshake(gateway, ssl.TLSVersion.TLSv1_2) is None  # in line behind it, or at once
    assert held.signatures() - before == 1  # the token is still busy with the first one
    assert client.get_json()["path"] == "/"
    assert workers(gateway) == [worker]
    held.hold.unlink()
    wait("a handshake", lambda: handshake(gateway, ssl.TLSVersion.TLSv1_3))


@pytest.mark.parametrize("how", ("reload", "worker", "stop"))
def test_a_worker_ends_while_signatures_are_outstanding(waiting_host, held, how):
    gateway, client = waiting_host
    (worker,) = workers(gateway)
    waiting = [begin_signature(gateway, held), *(begin(gateway) for _ in range(5))]
    client.close()
    if how == "reload":
        reloaded(gateway)
    elif how == "worker":
        os.kill(worker, signal.SIGTERM)
    else:
        gateway.process.send_signal(signal.SIGTERM)
    for one in waiting:
        with contextlib.suppress(ConnectionError):
            one.recv(1)  # an alert, the end, or a ServerHello: it does not wait for ever
        one.close()
    wait("the worker to end", lambda: not is_running(worker))
    held.hold.unlink()
    if how == "stop":
        assert gateway.process.wait(LIMIT) == 0
    else:
        wait("a handshake", lambda: handshake(gateway, ssl.TLSVersion.TLSv1_3))
    assert not logged(gateway, "worker-killed"), gateway.messages


def test_a_renegotiation_does_not_block_either(waiting_host, held):
    """Over TLS 1.2 a late ask needs another signature, in the middle of the connection."""
    gateway, client = waiting_host
    for _ in range(5):
        held.hold.unlink(missing_ok=True)
        asked = wait("a handshake", lambda: tls12_client(gateway))
        assert asked.get_json()["path"] == "/"
        held.hold.touch()
        before = held.signatures()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            late = pool.submit(asked.get, "/late")
            wait("its signature", lambda: held.signatures() > before or late.done())
            assert client.get_json()["path"] == "/"
            assert handshake_with(gateway, "other.example")
            in_time = not late.done()
            held.hold.unlink()
            got = late.result()
        asked.close()
        if in_time and got is not None and got[0] == 200:
            assert json.loads(got[1])["certificate"]["subject"] == "CN=Thaw Demo Client"
            return
    raise AssertionError("the renegotiation was never outstanding")


def tls12_client(gateway):
    try:
        return Client(gateway, tls=ssl.TLSVersion.TLSv1_2)
    except (ssl.SSLError, ConnectionError):
        return None


def test_a_renegotiation_without_a_signature_ends_its_connection_only(waiting_host, held):
    gateway, client = waiting_host
    held.hold.unlink()
    asked = tls12_client(gateway)
    assert asked.get_json()["path"] == "/"
    held.hold.touch()
    assert asked.get("/late") is None
    assert client.get_json()["path"] == "/"
    held.hold.unlink()
    wait("a handshake", lambda: handshake(gateway, ssl.TLSVersion.TLSv1_3))


def test_a_watched_certificate_is_taken_and_the_uri_is_no_file(serve, with_token, token, tmp_path):
    pem, key = tmp_path / "own.pem", tmp_path / "own.key"
    new = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 2)
    command(*new, "-subj", "/CN=own", "-keyout", key, "-out", pem)
    token.key(key, label="own", ident="02")
    gateway = serve("-c", with_token(certificate=pem, label="own", workers=1, more="watch_files: true\n"))
    before = handshake(gateway, ssl.TLSVersion.TLSv1_3)
    command("openssl", "req", "-x509", "-key", key, "-days", 3, "-subj", "/CN=own", "-out", tmp_path / "next.pem")
    (tmp_path / "next.pem").rename(pem)
    wait("the new one", lambda: handshake(gateway, ssl.TLSVersion.TLSv1_3) not in (None, before))
    assert not [m for m in gateway.messages if "pkcs11:" in m], gateway.messages


@as_root
def test_the_signer_is_the_user_and_the_pin_is_roots(serve, with_token, token, open_folder, monkeypatch):  # noqa: F811
    """Only that user can read the token's files."""
    shutil.copytree(token.folder, open_folder / "token")
    conf = open_folder / "token" / "conf"
    conf.write_text(conf.read_text().replace(str(token.folder), str(open_folder / "token")))
    subprocess.run(["chown", "-R", USER, str(open_folder / "token")], check=True)
    monkeypatch.setenv("SOFTHSM2_CONF", str(conf))
    path = with_token(workers=1, more=f"user: {USER}\n")
    assert run([str(binary()), "check", "-c", str(path)], LIMIT)[0] == 0
    gateway = serve("-c", path)
    assert Client(gateway).get_json()["path"] == "/"
    (signer,) = signers(gateway)
    is_the_user(signer)


# ---- Thaw's own keys for upstreams ----


@pytest.fixture
def asking(serve, settings, pki, tmp_path):
    """A service that asks for a certificate in the handshake, and reports the one that it got."""
    path = settings(workers=1, path=tmp_path / "asking.yaml")
    path.write_text(path.read_text().replace("{ path: /, ", "{ path: /, client_certificate: { when: handshake, require: false }, "))
    return serve("-c", path)


@pytest.fixture
def to_asking(asking, settings, pki, token, tmp_path):
    """to_asking(...): writes a configuration whose upstream is that service. Thaw's own key for it is on the token."""
    token.key(pki / "client.key", label="client", ident="05")

    def write(query=MINE, **changes):
        folder = str(pki).replace("'", "''")
        own = f"certificate: '{folder}/client.pem', key: 'pkcs11:token=thaw;object=client{query}', key_passphrase: {{ file: '{token.pin}' }}"
        more = changes.pop("more", "") + (
            f"upstreams:\n  app: {{ servers: [ 'https://localhost:{asking.port}' ], tls: {{ ca: '{folder}/ca.pem', {own} }} }}\n")
        path = settings(more=more, **changes)
        path.write_text(path.read_text().replace("{ path: /, upstream: builtin:inspect }", "{ path: /, upstream: app }"))
        return path

    return write


def subject(gateway):
    """The subject of Thaw's certificate as the service saw it; None: the service was not reached."""
    status, body = fetch(gateway)
    return json.loads(body)["certificate"]["subject"] if status == 200 else None


def fetch(gateway):
    context = ssl._create_unverified_context()
    connection = http.client.HTTPSConnection("127.0.0.1", gateway.port, context=context, timeout=LIMIT)
    connection.request("GET", "/")
    response = connection.getresponse()
    return response.status, response.read()


def test_an_upstream_s_client_key_on_a_token(serve, to_asking):
    gateway = serve("-c", to_asking(workers=2))
    assert subject(gateway) == "CN=Thaw Demo Client"
    (signer,) = signers(gateway)
    assert "softhsm" in pathlib.Path(f"/proc/{signer}/maps").read_text()
    for pid in [gateway.process.pid, *workers(gateway)]:
        assert "softhsm" not in pathlib.Path(f"/proc/{pid}/maps").read_text()


def test_an_upstream_is_reached_again_once_the_signer_is_replaced(serve, to_asking):
    gateway = serve("-c", to_asking(workers=1))
    (victim,) = signers(gateway)
    os.kill(victim, signal.SIGKILL)
    wait("another one", lambda: signers(gateway) not in ([], [victim]))
    wait("a response", lambda: subject(gateway) == "CN=Thaw Demo Client")


@pytest.mark.parametrize("verb", ("check", "serve"))
def test_an_upstream_s_key_that_cannot_be_opened_is_refused_with_its_place(to_asking, token, verb):
    path = to_asking(workers=1)
    assert run([str(binary()), "check", "-c", str(path)], LIMIT)[0] == 0
    token.pin.write_text("0000\n")
    code, _, err, late = run([str(binary()), verb, "-c", str(path)], LIMIT)
    assert (code, late) == (EX_CONFIG, False), err
    assert error_of(err).key == "upstreams.app.tls.key" and has_message(err, "pin-wrong"), err


def test_a_token_that_does_not_answer_does_not_mark_the_upstream_down(serve, to_asking, held, slow_module):  # noqa: F811
    """The server is not at fault: it is not marked down, and the log has the reason."""
    gateway = serve("-c", to_asking(workers=1, query=f"?module-path={slow_module}"))
    assert fetch(gateway)[0] in (502, 503, 504)
    assert wait("the message", lambda: logged(gateway, "signer-silent") or logged(gateway, "upstream-unsigned"))
    assert not logged(gateway, "marked-down"), gateway.messages
    held.hold.unlink()
    wait("a response", lambda: subject(gateway) == "CN=Thaw Demo Client")


def upstream_waits(gateway, held, act):
    """Whether act() has run from beginning to end while a request waits for Thaw's own signature."""
    before = held.signatures()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        late = pool.submit(fetch, gateway)
        wait("its signature", lambda: held.signatures() > before or late.done())
        act()
        in_time = not late.done()
        held.hold.unlink()
        status, body = late.result()
    held.hold.touch()
    return in_time and status == 200 and json.loads(body)["certificate"]["subject"] == "CN=Thaw Demo Client"


@pytest.mark.parametrize("asks", ("in the handshake", "late, by a renegotiation"))
def test_a_worker_serves_others_while_an_upstream_waits_for_a_signature(serve, asking, to_asking, held, slow_module, tmp_path, asks):  # noqa: F811
    if asks != "in the handshake":
        path = tmp_path / "asking.yaml"
        path.write_text(
            path.read_text().replace("when: handshake, require: false", "when: request") + "tls: { versions: [ 1.2 ] }\n")
        reloaded(asking)
    path = to_asking(workers=1, query=f"?module-path={slow_module}")
    path.write_text(path.read_text() + "      - { path: /own, upstream: builtin:inspect }\n")
    gateway = serve("-c", path)
    client = Client(gateway)
    assert client.get_json("/own")["path"] == "/own"

    def act():
        assert client.get_json("/own")["path"] == "/own"
        assert handshake(gateway, ssl.TLSVersion.TLSv1_3)

    for _ in range(5):
        if upstream_waits(gateway, held, act):
            return
    raise AssertionError("the signature was never outstanding")
