"""The handshake on demand with real browsers: they get HTTP/2 on a host that asks late; their late request is reset
with HTTP_1_1_REQUIRED, and repeated over HTTP/1.1 on a connection that is asked in its TLS 1.3 handshake. The browsers
have no certificate here, so that no dialog appears: the test checks that they were asked in the handshake, and that no
byte of the body arrived before."""

import hashlib
import os
import shutil
import ssl
import subprocess

import pytest

from harness import process

ASKS = {"when": "request"}
SIZE = 300_000
PAGE = """<!doctype html><script>
(async () => {{
  const how = {{mode: "no-cors", credentials: "include"}};
  await fetch("{url}/plain", how);
  try {{ await fetch("{url}/late", {{...how, method: "POST", body: "x".repeat({size})}}); }} catch (e) {{ }}
}})();
</script>"""


def chromium(profile, page, _gateway):
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    return [
        "chromium", *root, "--headless", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        f"--user-data-dir={profile}", "--ignore-certificate-errors", page.as_uri(),
    ]  # fmt: skip


def firefox(profile, page, gateway):
    """Its profile has the exception for the server's certificate that a user's click would add."""
    der = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", gateway.port)))
    sha256 = hashlib.sha256(der).hexdigest().upper()
    fingerprint = ":".join(sha256[at : at + 2] for at in range(0, len(sha256), 2))
    line = f"localhost:{gateway.port}:\tOID.2.16.840.1.101.3.4.2.1\t{fingerprint}\t\n"
    (profile / "cert_override.txt").write_text(line)
    return ["firefox-esr", "--headless", "--no-remote", "--profile", str(profile), page.as_uri()]


@pytest.mark.parametrize("browser", (chromium, firefox), ids=lambda browser: browser.__name__)
def test_a_browser_is_asked_in_the_handshake(browser, serve, tmp_path):
    profile = tmp_path / "profile"
    profile.mkdir()
    gateway = serve(certificate=ASKS, routes=(("/late", ASKS), ("/plain", {"when": "never"})))
    page = tmp_path / "page.html"
    page.write_text(PAGE.format(url=gateway.url(""), size=SIZE))
    command = browser(profile, page, gateway)
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} here")
    with open(tmp_path / "browser.log", "w") as log:
        running = process.popen(command, stdout=log, stderr=log)
        try:
            came = gateway.wait_records(lambda record: record["target"] == "/late" and record["ask"])
        finally:
            process.kill_group(running)
    assert came, (tmp_path / "browser.log").read_text()
    plain, away, late = (record for record in gateway.records if record["target"] in ("/plain", "/late"))
    assert (plain["protocol"], plain["tls"], plain["status"]) == ("HTTP/2.0", "TLSv1.3", 200)
    assert (away["protocol"], away["target"], away["status"], away["body_in"]) == ("HTTP/2.0", "/late", 0, 0)
    assert (late["protocol"], late["tls"], late["status"], late["resumed"]) == ("HTTP/1.1", "TLSv1.3", 403, False)
    ask = late["ask"]
    assert (ask["means"], ask["moment"], ask["on_demand"]) == ("handshake", "handshake", True)
    assert (ask["verdict"], ask["reason"]) == ("declined", "no-certificate")


def test_others_do_not_get_http2_where_they_may_be_asked(serve):
    gateway = serve(certificate=ASKS, routes=(("/late", ASKS), ("/plain", {"when": "never"})))
    subprocess.run(["curl", "-sk", "--http2", gateway.url("/plain?curl")], check=True, capture_output=True)
    assert gateway.record("/plain?curl")["protocol"] == "HTTP/1.1"
