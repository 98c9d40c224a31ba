"""A real Chromium without a window, driven over the DevTools protocol through a pipe: no port, no WebSocket."""

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import time

LIMIT = 60.0  # after which a wait has failed


def binary():
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert found, "no Chromium: script/setup installs it"
    return found


class Chromium:
    """One browser with one page. `requests` are the addresses that it has asked for, `complaints` what its console says."""

    def __init__(self, profile, width=1280, height=1400, arguments=(), home=None):
        """home: of which Chromium takes the certificate store; None: this process's."""
        self._in, theirs_out = os.pipe()
        theirs_in, self._out = os.pipe()
        command = [
            binary(), "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={profile}", "--disable-gpu",
            "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", f"--window-size={width},{height}", "--hide-scrollbars", *arguments,
            "about:blank",
        ]  # fmt: skip
        if os.geteuid() == 0:
            command.insert(1, "--no-sandbox")  # which is not for root

        def give_pipes():
            for to, given in ((3, os.dup(theirs_in)), (4, os.dup(theirs_out))):
                os.dup2(given, to, inheritable=True)

        # The protocol wants descriptors 3 (to read) and 4; the copies that lie above are closed by exec.
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=give_pipes, close_fds=False, start_new_session=True,
            env=None if home is None else {**os.environ, "HOME": str(home)},
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self._buffer = b""
        self._number = 0
        self._session = None
        self._loaded = False
        self.requests, self.complaints = [], []
        target = self.call("Target.createTarget", url="about:blank", newWindow=True, width=width, height=height)["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "Accessibility"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + LIMIT
        while True:
            answer = self._receive(end, method)
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]

    def _receive(self, end, what):
        while b"\0" not in self._buffer:
            left = end - time.monotonic()
            assert left > 0 and select.select([self._in], [], [], left)[0], f"waited {LIMIT:.0f} s for {what}"
            more = os.read(self._in, 1 << 16)
            assert more, "Chromium has ended"
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(line)
        self._note(message.get("method"), message.get("params", {}))
        return message

    def _note(self, event, report):
        if event == "Page.loadEventFired":
            self._loaded = True
        elif event == "Network.requestWillBeSent":
            self.requests.append(report["request"]["url"])
        elif event == "Log.entryAdded" and report["entry"]["level"] in ("error", "warning"):
            self.complaints.append(report["entry"]["text"])
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(report["exceptionDetails"]["text"])
        elif event == "Runtime.consoleAPICalled" and report["type"] in ("error", "warning"):
            self.complaints.append(str(report["args"]))

    def evaluate(self, script):
        """The value of an expression in the page."""
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, (script, done["exceptionDetails"])
        return done["result"].get("value")

    def wait(self, script):
        """Until that expression in the page is true; its value. Chromium itself looks, at every turn of its clock."""
        return self.evaluate(
            "new Promise((found, failed) => { const end = performance.now() + %d; (function look() {"
            "const value = %s; if (value) found(value);"
            "else if (performance.now() > end) failed(new Error('waited for ' + %s));"
            "else setTimeout(look, 20); })(); })" % (LIMIT * 1000 - 5000, script, json.dumps(script))
        )

    def open(self, url):
        self._loaded = False
        self.call("Page.navigate", url=url)
        end = time.monotonic() + LIMIT
        while not self._loaded:
            self._receive(end, url)

    def text(self, selector):
        return self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")

    def rows(self, table):
        """The cells of a table's body, as text."""
        return self.evaluate(f"[...document.getElementById('{table}').tBodies[0].rows].map(r => [...r.cells].map(c => c.innerText))")

    def picture(self):
        """The whole page, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"])

    def close(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(LIMIT)
        os.close(self._in)
        os.close(self._out)
