"""Connections: who is held to TLS 1.2, renegotiation by the client, resumption, HTTP/2."""

import ssl
import subprocess

import pytest
from harness.rawtls import Raw, context
from server import PROGRAM

BASE = "listen 127.0.0.1:{port} ssl; thaw_certificate_authority {pki}/ca.pem;"
LATE = "location /late {{ thaw_client_certificate request; proxy_pass http://app; }} location / {{ proxy_pass http://app; }}"


def test_client_without_post_handshake_is_held_to_tls12_where_a_location_asks(nginx):
    one = nginx(BASE + "server_name localhost;" + LATE, "listen 127.0.0.1:{port} ssl; server_name handshake.localhost; location / {{ return 204; }}")
    with Raw(one, pha=False) as client:
        assert client.tls.version() == "TLSv1.2"
        assert client.ask("GET", "/late").json()["fields"]["x-means"] == "renegotiation"
    with Raw(one, pha=False, host="handshake.localhost") as client:
        assert client.tls.version() == "TLSv1.3"
    with Raw(one, pha=True) as client:
        assert client.tls.version() == "TLSv1.3"


def test_client_is_not_held_where_tls12_is_off(nginx):
    one = nginx(BASE + "ssl_protocols TLSv1.3; server_name localhost;" + LATE)
    with Raw(one, pha=False) as client:
        assert client.tls.version() == "TLSv1.3"
        assert client.ask("GET", "/late").status == 403


@pytest.mark.parametrize("asked", (False, True))
def test_client_may_not_renegotiate(shared, asked):
    """Not before an ask, and not after it: s_client renegotiates where a line is 'R'."""
    path = "/late" if asked else "/"
    argv = ["openssl", "s_client", "-tls1_2", "-connect", f"127.0.0.1:{shared.port}", "-servername", "localhost"]
    argv += ["-cert", f"{shared.pki}/client.pem", "-key", f"{shared.pki}/client.key", "-CAfile", f"{shared.pki}/ca.pem"]
    client = subprocess.Popen(["timeout", "40", *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    client.stdin.write(f"GET {path}?reneg-{asked} HTTP/1.1\r\nHost: localhost:{shared.port}\r\n\r\n".encode())
    client.stdin.flush()
    shared.record(f"?reneg-{asked}")
    client.stdin.write(b"R\n")
    client.stdin.flush()
    output = client.stdout.read()  # until the server has ended it
    client.stdin.close()
    client.wait()
    assert b"RENEGOTIATING" in output and b"no renegotiation" in output, output[-2000:]


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
def test_resumed_session_has_its_certificate_under_the_same_server_block_only(nginx, tls):
    other = "server_name handshake.localhost; thaw_client_certificate request; thaw_require off; location / {{ proxy_pass http://app; }}"
    one = nginx(BASE + "server_name localhost;" + LATE, BASE + other)
    ctx = context(one.pki, tls)
    with Raw(one, ctx=ctx) as client:
        assert client.ask("GET", "/late?1").status == 200
        assert client.ask("GET", "/?ticket").status == 200
        session = client.tls.session
    with Raw(one, ctx=ctx, session=session, host="handshake.localhost") as client:
        client.ask("GET", "/?2")
        assert not client.tls.session_reused
    if tls == "1.3":  # over TLS 1.2 a renegotiation's session is not resumed
        with Raw(one, ctx=ctx, session=session) as client:
            answer = client.ask("GET", "/late?3").json()
            assert client.tls.session_reused
        assert (answer["fields"]["x-verdict"], answer["fields"]["x-means"]) == ("accepted", "handshake")


def test_session_is_not_resumed_once_the_trust_has_changed(nginx):
    keys = "ssl_session_ticket_key {folder}/ticket.key;"
    one = nginx(BASE + "server_name localhost;" + LATE, http="", start=False)
    (one.folder / "ticket.key").write_bytes(b"k" * 80)
    one.configure(BASE + keys + "server_name localhost;" + LATE)
    one.start()
    ctx = context(one.pki, "1.3")
    with Raw(one, ctx=ctx) as client:
        assert client.ask("GET", "/late?1").status == 200
        session = client.tls.session
    one.stop()
    one.configure(BASE.replace("{pki}/ca.pem", "{pki}/stranger-ca.pem") + keys + "server_name localhost;" + LATE)
    one.start()
    with Raw(one, ctx=ctx, session=session) as client:
        assert client.ask("GET", "/late?2").status == 403
        assert not client.tls.session_reused


def test_http2_stream_is_refused_and_others_go_on(nginx):
    one = nginx(BASE.replace(" ssl;", " ssl http2;") + "server_name localhost;" + LATE)
    curl = ["curl", "-sS", "--http2", "--cacert", f"{one.pki}/ca.pem", "--cert", f"{one.pki}/client.pem", "--key", f"{one.pki}/client.key"]
    done = subprocess.run([*curl, "-w", "%{http_version} %{http_code}", "-o", "/dev/null", one.url("/plain")], capture_output=True, text=True, timeout=60)
    assert done.stdout == "2 200", done
    done = subprocess.run([*curl, "-w", "%{http_version} %{http_code}", "-o", "/dev/null", one.url("/late")], capture_output=True, text=True, timeout=60)
    # curl itself repeats a GET over HTTP/1.1 when its stream was reset with HTTP_1_1_REQUIRED.
    assert done.stdout == "1.1 200", (done, one.errors()[-2000:])
    first, second = one.wait(lambda: [each for each in one.records() if each["target"] == "/late"][1:] and [each for each in one.records() if each["target"] == "/late"], "both records")
    assert (first["verdict"], first["reason"]) == ("impossible", "http2") and second["verdict"] == "accepted"
    assert ssl.HAS_TLSv1_3


def test_early_data_is_425(nginx, tmp_path):
    """Early data may be a replay, and its client cannot be asked before the handshake is over (RFC 8470 5.2)."""
    one = nginx(BASE + "ssl_early_data on; server_name localhost;" + LATE)
    s_client = ["timeout", "40", "openssl", "s_client", "-quiet", "-tls1_3", "-enable_pha", "-connect", f"127.0.0.1:{one.port}", "-servername", "localhost", "-CAfile", f"{one.pki}/ca.pem"]
    session = tmp_path / "session"

    def request(target):
        return f"GET {target} HTTP/1.1\r\nHost: localhost:{one.port}\r\nConnection: close\r\n\r\n".encode()

    def early(target):
        (tmp_path / "early").write_bytes(request(target))
        done = subprocess.run([*s_client, "-sess_in", session, "-early_data", tmp_path / "early"], stdin=subprocess.DEVNULL, capture_output=True)
        return done.stdout

    subprocess.run([*s_client, "-sess_out", session], input=request("/?ticket"), capture_output=True, check=True)
    assert early("/?not-asked").startswith(b"HTTP/1.1 200 ")
    assert one.record("/?not-asked")["reused"] == "r"
    early("/late?asked")
    record = one.record("/late?asked")
    # Where the client's Finished has come before nginx looks at the request, it may be asked: it has no certificate.
    assert (record["status"], record["verdict"]) in ((425, ""), (403, "declined"))


def _has_http3():
    built = subprocess.run([PROGRAM, "-V"], capture_output=True, text=True).stderr
    curl = subprocess.run(["curl", "-V"], capture_output=True, text=True).stdout
    return "--with-http_v3_module" in built and "HTTP3" in curl


@pytest.mark.skipif(not _has_http3(), reason="needs nginx and curl with HTTP/3, as Debian 13 has them")
def test_http3_is_refused_readably(nginx):
    quic = BASE.replace("ssl;", "ssl; listen 127.0.0.1:{port} quic;", 1)
    elsewhere = "location /elsewhere {{ thaw_client_certificate request; thaw_elsewhere https://certauth.example.com; proxy_pass http://app; }}"
    one = nginx(quic + "server_name localhost;" + LATE + elsewhere)
    curl = ["curl", "-sS", "-m", "60", "--http3-only", "--cacert", f"{one.pki}/ca.pem", "--cert", f"{one.pki}/client.pem", "--key", f"{one.pki}/client.key"]
    for path, answer in (("/plain", "3 200 "), ("/late", "3 403 "), ("/elsewhere?q", "3 307 https://certauth.example.com/elsewhere?q")):
        done = subprocess.run([*curl, "-w", "%{http_version} %{http_code} %{redirect_url}", "-o", "/dev/null", one.url(path)], capture_output=True, text=True)
        assert done.stdout == answer, done
        record = one.record(path)
        assert (record["verdict"], record["reason"]) == (("", "") if path == "/plain" else ("impossible", "no-post-handshake-auth"))
    with Raw(one, "1.3") as client:
        assert client.ask("GET", "/late?over-tcp").status == 200
