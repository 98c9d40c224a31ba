"""`watch_files`: certificates, keys, CAs and CRLs are loaded when they change, while requests continue."""

import contextlib
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading

import pytest
from harness.pki import Authority, openssl
from messages import error_of, logged
from peer import wait
from test_admin import get, is_ready, metrics, status
from test_reload import EX_CONFIG, reload
from test_systemd import systemd  # noqa: F401: a fixture


class Certbot:
    """live/NAME.pem -> ../archive/NAMEn.pem; the links are replaced one after another."""

    def __init__(self, folder):
        self.folder, self.count = folder, 0
        (folder / "live").mkdir()
        (folder / "archive").mkdir()
        self.files = [str(folder / "live" / name) for name in ("fullchain.pem", "privkey.pem")]

    def put(self, certificate, key):
        self.count += 1
        for name, text in (("fullchain", certificate), ("privkey", key)):
            (self.folder / "archive" / f"{name}{self.count}.pem").write_text(text)
        for name in ("fullchain", "privkey"):
            swap(f"../archive/{name}{self.count}.pem", self.folder / "live" / f"{name}.pem")


class Kubernetes:
    """NAME -> ..data/NAME, and ..data -> a new folder for each version."""

    def __init__(self, folder):
        self.folder, self.count = folder, 0
        self.files = [str(folder / name) for name in ("tls.crt", "tls.key")]
        for name in ("tls.crt", "tls.key"):
            (folder / name).symlink_to(f"..data/{name}")

    def put(self, certificate, key):
        self.count += 1
        version = self.folder / f"..2026_{self.count}"
        version.mkdir()
        (version / "tls.crt").write_text(certificate)
        (version / "tls.key").write_text(key)
        swap(version.name, self.folder / "..data")


class Plain:
    """Writes both files in place, the certificate first."""

    def __init__(self, folder):
        self.files = [str(folder / name) for name in ("server.pem", "server.key")]

    def put(self, certificate, key):
        for file, text in zip(self.files, (certificate, key)):
            with open(file, "w", encoding="ascii") as out:
                out.write(text)


def swap(target, link):
    new = link.with_name(link.name + ".new")
    new.symlink_to(target)
    os.replace(new, link)


@pytest.fixture
def ca(tmp_path):
    """new(): the texts of another certificate for localhost and of its key."""

    class Ca:
        root = tmp_path / "own-ca.pem"
        made = 0

        def __init__(self):
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=own",
                    "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", self.root.with_suffix(".key"), "-out", self.root)  # fmt: skip

        def new(self):
            self.made += 1
            key, request, out, extensions = (tmp_path / f"new.{end}" for end in ("key", "csr", "pem", "ext"))
            extensions.write_text("subjectAltName=DNS:localhost\nauthorityKeyIdentifier=keyid\n")
            openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost", "-keyout", key,
                    "-out", request)  # fmt: skip
            openssl("x509", "-req", "-in", request, "-CA", self.root, "-CAkey", self.root.with_suffix(".key"), "-days", "2",
                    "-set_serial", str(1000 + self.made), "-extfile", extensions, "-out", out)  # fmt: skip
            return out.read_text(), key.read_text()

    return Ca()


def served(gateway, ca):
    """The serial number of the certificate that a new connection gets."""
    context = ssl.create_default_context(cafile=str(ca.root))
    with connect(gateway, context) as tls:
        return int(tls.getpeercert()["serialNumber"], 16)


@contextlib.contextmanager
def connect(gateway, context):
    with socket.create_connection(("127.0.0.1", gateway.port), 60) as raw, context.wrap_socket(raw, server_hostname="localhost") as tls:
        yield tls


class Requests:
    """Sends requests one after another, each on a new connection, until the block ends."""

    def __init__(self, gateway, ca):
        self.gateway, self.ca, self.count, self.failed, self._end = gateway, ca, 0, [], threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        context = ssl.create_default_context(cafile=str(self.ca.root))
        while not self._end.is_set():
            try:
                with connect(self.gateway, context) as tls:
                    tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    answer = b""
                    while more := tls.recv(65536):
                        answer += more
                    assert answer.startswith(b"HTTP/1.1 200 "), answer
                self.count += 1
            except Exception as fault:
                self.failed.append(fault)

    def __enter__(self):
        self._thread.start()
        wait("requests", lambda: self.count > 0 or self.failed)
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()


WATCHED = "watch_files: true\n"


@pytest.mark.parametrize("layout", [Certbot, Kubernetes, Plain])
def test_a_renewed_certificate_is_served_and_no_request_fails(serve, settings, tmp_path, ca, layout):
    folder = tmp_path / "certificates"
    folder.mkdir()
    files = layout(folder)
    files.put(*ca.new())
    gateway = serve("-c", settings(certificate=files.files, more=WATCHED))
    assert served(gateway, ca) == 1001
    with Requests(gateway, ca) as requests:
        for _ in range(3):
            files.put(*ca.new())
            wait("the new certificate", lambda: served(gateway, ca) == 1000 + ca.made)
            so_far = requests.count
            wait("more requests", lambda: requests.count > so_far or requests.failed)
    assert requests.failed == []
    assert not logged(gateway, "files-not-loaded")
    assert not logged(gateway, "reload-refused")


def test_a_key_that_does_not_fit_is_not_loaded_and_warned_of_once(serve, settings, tmp_path, ca):
    folder = tmp_path / "certificates"
    folder.mkdir()
    files = Plain(folder)
    first, key = ca.new()
    files.put(first, key)
    gateway = serve("-c", settings(certificate=files.files, more=WATCHED))
    second, second_key = ca.new()
    files.put(second, key)
    wait("the warning", lambda: logged(gateway, "files-not-loaded", files.files[1]))
    assert served(gateway, ca) == 1001
    files.put(second, key)  # the same content again
    files.put(second, second_key)
    wait("the new certificate", lambda: served(gateway, ca) == 1002)
    assert len(logged(gateway, "files-not-loaded")) == 1


def test_files_that_would_make_the_master_wait_are_refused(serve, settings, tmp_path, ca):
    """Who may write in the folder of the certificates may not stop the master: it supervises the workers."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    files = Plain(folder)
    files.put(*ca.new())
    gateway = serve("-c", settings(certificate=files.files, more=WATCHED))
    for file, part in ((lambda new: os.mkfifo(new), "not a file"), (lambda new: new.symlink_to("/dev/zero"), "not a file"),
                       (lambda new: huge(new), "256 MiB")):  # fmt: skip
        file(folder / "new")
        os.replace(folder / "new", files.files[0])
        wait(f"the warning: {part}", lambda: logged(gateway, "files-not-loaded") and part in gateway.messages[-1])
        os.unlink(files.files[0])
        files.put(*ca.new())
        wait("the new certificate", lambda: served(gateway, ca) == 1000 + ca.made)


def huge(path):
    with open(path, "wb") as file:
        file.truncate(2**40)


STORM = """
import os, sys
while True:
    for i in range(1000):
        os.rename(sys.argv[1], sys.argv[2])
        os.rename(sys.argv[2], sys.argv[1])
"""


def test_the_master_goes_on_in_a_storm_of_events(serve, settings, tmp_path, ca):
    folder = tmp_path / "certificates"
    folder.mkdir()
    files = Plain(folder)
    files.put(*ca.new())
    gateway = serve("-c", settings(certificate=files.files, more=WATCHED))
    with contextlib.ExitStack() as storms:
        for i in range(3):
            (folder / f"a{i}").touch()
            storm = subprocess.Popen([sys.executable, "-c", STORM, folder / f"a{i}", folder / f"b{i}"])
            storms.callback(storm.wait)
            storms.callback(storm.kill)
        for _ in range(3):
            files.put(*ca.new())
            wait("the new certificate", lambda: served(gateway, ca) == 1000 + ca.made)
    assert not logged(gateway, "worker-unresponsive")


def test_a_new_crl_counts(serve, settings, tmp_path):
    authority = Authority(tmp_path, "revoking")
    authority.client("someone")
    crl = tmp_path / "crl.pem"
    crl.write_text(authority.crl(authority.issuing) + authority.crl(authority.root))
    route = f"      - {{ path: /asks, client_certificate: {{ when: request, ca: '{authority.root}', crl: '{crl}' }}, upstream: builtin:sink }}\n"
    gateway = serve("-c", settings(routes=route, more=WATCHED))

    def status():
        context = ssl.create_default_context(cafile=str(gateway.pki / "ca.pem"))
        context.load_cert_chain(tmp_path / "someone.pem", tmp_path / "someone.key")
        context.post_handshake_auth = True
        with connect(gateway, context) as tls:
            tls.sendall(b"GET /asks HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b""
            while more := tls.recv(65536):
                answer += more
            return int(answer.split()[1])

    assert status() == 200
    new = tmp_path / "crl.new"
    new.write_text(authority.crl(authority.issuing, tmp_path / "someone.pem") + authority.crl(authority.root))
    os.replace(new, crl)
    wait("the revocation", lambda: status() == 403)


def test_a_configuration_that_has_changed_is_not_taken_along(serve, settings, tmp_path, ca):
    folder = tmp_path / "certificates"
    folder.mkdir()
    files = Plain(folder)
    files.put(*ca.new())
    path = settings(certificate=files.files, more=WATCHED)
    gateway = serve("-c", path)
    path.write_text(path.read_text().replace("workers: 2", "workers: 1"))
    files.put(*ca.new())
    wait("the warning", lambda: logged(gateway, "configuration-has-changed"))
    assert served(gateway, ca) == 1001


def test_what_changes_is_watched_after_a_reload_too(serve, settings, tmp_path, ca):
    """From the setting's addition to its removal."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    files = Plain(folder)
    files.put(*ca.new())
    path = settings(certificate=files.files)
    gateway = serve("-c", path)
    text = path.read_text()
    path.write_text(WATCHED + text)
    gateway.process.send_signal(signal.SIGHUP)
    wait("the reload", lambda: logged(gateway, "reload-done", number=2))
    files.put(*ca.new())
    wait("the new certificate", lambda: served(gateway, ca) == 1002)


def held(path):
    """Why changed files are not loaded, by /status.json; the metric must say the same."""
    now = status(path)["files_not_loaded"]
    assert metrics(path)["thaw_files_not_loaded"] == (now is not None)
    return now and now["why"]


def test_files_that_are_not_loaded_are_shown_until_they_fit(systemd, settings, tmp_path, ca):  # noqa: F811
    folder = tmp_path / "certificates"
    folder.mkdir()
    files = Plain(folder)
    first, first_key = ca.new()
    files.put(first, first_key)
    admin = tmp_path / "admin"
    path = settings(certificate=files.files, more=WATCHED + f"admin: unix:{admin}\n")
    systemd.start(path)
    assert re.findall(r"\d+", systemd.next_notification()["STATUS"]) == ["1", "2"]  # configuration, workers
    wait("it to be ready", lambda: is_ready(admin))
    assert held(admin) is None and 'id="held"' in get(admin, "/")[1]

    second, second_key = ca.new()
    files.put(second, first_key)
    shown = systemd.next_notification()["STATUS"]
    assert error_of(shown).file == str(path) and files.files[1] in shown
    wait("the status", lambda: held(admin) == shown.partition("not loaded: ")[2])
    assert status(admin)["reload_refused"] is None and get(admin, "/readyz")[0] == 200

    # A reload is refused for the same cause; both are shown.
    assert reload(systemd.process.pid)[0] == EX_CONFIG
    shown = systemd.until("READY")["STATUS"]
    assert shown.count(f"{path}:") == 2

    files.put(second, second_key)
    assert re.findall(r"\d+", systemd.until("READY")["STATUS"]) == ["2", "2"]
    wait("the new admin process", lambda: is_ready(admin) and status(admin)["configuration"] == 2)
    assert held(admin) is None and status(admin)["reload_refused"] is None
