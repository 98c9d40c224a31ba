"""Real browsers without windows. Each has its own profile and certificate store."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

from .pki import openssl

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "browser"))
from chromium import LIMIT, Chromium  # noqa: E402


def make_store(store, pki, identity):
    """Makes NSS databases in the folder `store`: the gateway's CA, and the certificate of `identity` (None: no
    certificate)."""
    store.mkdir(parents=True)
    run = lambda *words: subprocess.run([*map(str, words)], check=True, capture_output=True)  # noqa: E731
    run("certutil", "-N", "-d", f"sql:{store}", "--empty-password")
    run("certutil", "-A", "-d", f"sql:{store}", "-n", "thaw", "-t", "C,,", "-i", pki / "ca.pem")
    if identity is None:
        return
    file = store / "identity.p12"
    openssl(
        "pkcs12", "-export", "-in", pki / f"{identity}.pem", "-inkey", pki / f"{identity}.key", "-name", "identity",
        "-passout", "pass:thaw", "-out", file,
    )  # fmt: skip
    run("pk12util", "-i", file, "-d", f"sql:{store}", "-W", "thaw", "-K", "")


class ChromiumWithStore(Chromium):
    """Chooses a certificate issued by the server's CAs, without a prompt."""

    SETTINGS = {"profile": {"managed_auto_select_certificate_for_urls": [json.dumps({"pattern": "*", "filter": {}})]}}

    def __init__(self, folder, pki, identity):
        make_store(folder / ".pki" / "nssdb", pki, identity)
        profile = folder / "profile" / "Default"
        profile.mkdir(parents=True)
        (profile / "Preferences").write_text(json.dumps(self.SETTINGS))
        super().__init__(folder / "profile", arguments=("--ignore-certificate-errors",), home=folder)
        self.call("Network.disable")  # otherwise each body is also reported as an event, which delays a large upload


class ChromiumThatAsks(ChromiumWithStore):
    """Prompts its user, who does not answer."""

    SETTINGS = {}


class Firefox:
    """Controlled by its own protocol, Marionette: JSON preceded by its length, on a loopback port."""

    ARGUMENTS = ()

    def __init__(self, folder, pki, identity):
        profile = folder / "profile"
        make_store(profile, pki, identity)
        settings = {
            "security.default_personal_cert": "Select Automatically",
            "devtools.jsonview.enabled": False,  # its content security policy forbids scripts to make requests
            "marionette.port": 0,
            "app.update.enabled": False,
            "browser.startup.page": 0,
            "datareporting.policy.dataSubmissionEnabled": False,
            "network.captive-portal-service.enabled": False,
            "network.connectivity-service.enabled": False,
            "network.dns.native-is-localhost": True,
        }
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in settings.items()]
        (profile / "user.js").write_text("\n".join(lines) + "\n")
        program = shutil.which("firefox-esr") or shutil.which("firefox")
        assert program, "no Firefox: script/setup installs it"
        self.process = subprocess.Popen(
            [program, "--headless", "--no-remote", "--marionette", "--profile", str(profile), *self.ARGUMENTS, "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, "HOME": str(folder), "MOZ_CRASHREPORTER_DISABLE": "1"},
        )  # fmt: skip
        self._number, self._buffer = 0, b""
        try:
            self._connect(profile / "MarionetteActivePort")
            self.call("WebDriver:NewSession", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
            self.call("WebDriver:SetTimeouts", script=int(LIMIT * 1000), pageLoad=int(LIMIT * 1000))
        except BaseException:
            self.close()
            raise

    def _connect(self, file):
        end = time.monotonic() + LIMIT
        while True:  # the file exists once the port listens
            text = file.read_text() if file.exists() else ""
            if text.strip().isdigit():
                break
            assert time.monotonic() < end and self.process.poll() is None, "Firefox did not start"
            time.sleep(0.05)
        self._socket = socket.create_connection(("127.0.0.1", int(text)), LIMIT)
        self._receive()

    def _receive(self):
        while b":" not in self._buffer or len(self._buffer.partition(b":")[2]) < int(self._buffer.partition(b":")[0]):
            more = self._socket.recv(1 << 16)
            assert more, "Firefox has ended"
            self._buffer += more
        size, _, rest = self._buffer.partition(b":")
        self._buffer = rest[int(size) :]
        return json.loads(rest[: int(size)])

    def call(self, command, **parameters):
        self._number += 1
        message = json.dumps([0, self._number, command, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self._receive()
        assert error is None, (command, error)
        return result

    def evaluate(self, script):
        """The value of a JavaScript expression in the page; of a promise, the value that it resolves to."""
        wrapped = "const done = arguments[arguments.length - 1]; Promise.resolve(%s).then(done, e => done(String(e)));" % script
        return self.call("WebDriver:ExecuteAsyncScript", script=wrapped, args=[])["value"]

    def wait(self, script):
        end = time.monotonic() + LIMIT
        while not (value := self.evaluate(script)):
            assert time.monotonic() < end, f"waited {LIMIT:.0f} s for {script}"
            time.sleep(0.05)
        return value

    def open(self, url):
        self.call("WebDriver:Navigate", url=url)

    def close(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(LIMIT)


BROWSERS = {"chromium": ChromiumWithStore, "firefox": Firefox}
