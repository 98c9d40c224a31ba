"""`thaw send` under test: one upload and its report (--json)."""

import json
import os
import subprocess
from dataclasses import dataclass

from .gateway import binary
from .process import run

LIMIT = 90.0  # a watchdog against freezes, not a measure of speed


@dataclass
class Sent:
    code: int  # the exit code
    report: dict  # the JSON; {}: none
    error: str  # standard error

    @property
    def status(self):
        return self.report.get("status")

    @property
    def asks(self):
        """The (means, "priming" or "upload") of each ask."""
        return [(ask["means"], "priming" if ask["priming"] else "upload") for ask in self.report.get("asks", ())]

    def body(self):
        """The response's body as JSON."""
        return json.loads(self.report["body"])


def identity(pki, name="client"):
    return ("--ca", str(pki / "ca.pem"), "--cert", str(pki / f"{name}.pem"), "--key", str(pki / f"{name}.key"))


def send(pki, file, url, *options, who="client", stdin=subprocess.DEVNULL, env=None):
    """file: a path, '-', or None for a form. who: the name of the client certificate; None: no certificate."""
    trust = identity(pki, who) if who else ("--ca", str(pki / "ca.pem"))
    named = [] if file is None else [str(file)]
    argv = [str(binary()), "send", *named, url, "--json", *trust, *options]
    code, out, err, late = run(argv, LIMIT, stdin=stdin, env={**os.environ, **(env or {})})
    words = err.decode("utf-8", "replace")
    assert not late, f"frozen: {' '.join(argv)}: {words}"
    return Sent(code, json.loads(out) if out else {}, words)
