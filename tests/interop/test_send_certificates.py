"""`thaw send` and its own certificate: problems with it are reported first, and each cause of a refusal has one exit
code."""

import pytest
from harness.pki import Authority, Issuer
from harness.scripted import after_head
from harness.servers import Server
from messages import has_message
from ports import free_port
from harness.upload import send


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = Authority(tmp_path_factory.mktemp("authority"), "own")
    made.client("good")
    expired = Issuer(made.folder).new("expired", by=made.issuing, validity=("20200101000000Z", "20210101000000Z"))
    expired.write_text(expired.read_text() + made.issuing.read_text())
    made.client("weak", key=("rsa:1024",))
    return made


@pytest.fixture
def at_the_handshake(pki, tmp_path):
    """at_the_handshake(trusted, *options): the port of a server that refuses certificates that it does not trust."""
    running = []

    def start(trusted, *options):
        port = free_port()
        running.append(Server(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", str(pki / "server.pem"),
                               "-key", str(pki / "server.key"), "-Verify", "3", "-verify_return_error",
                               "-CAfile", str(trusted), "-quiet", *options], tmp_path, port))  # fmt: skip
        return port

    yield start
    for one in running:
        one.stop()


def who(folder, name):
    return ("--cert", str(folder / f"{name}.pem"), "--key", str(folder / f"{name}.key"))


def check_refused(sent, alert):
    assert (sent.code, sent.report["outcome"], sent.status, sent.report["attempts"]) == (77, "certificate-refused", 0, 1), sent
    assert f"({alert})" in sent.report["text"]
    assert not has_message(sent.error, "server-of-another-name")


@pytest.mark.parametrize("prime", ("auto", "always", "never"))
@pytest.mark.parametrize("tls", ("1.2", "1.3"))
def test_a_refusal_at_the_handshake(tls, prime, at_the_handshake, pki, payloads):
    port = at_the_handshake(pki / "ca.pem")
    options = ("--tls", tls, "--retry", "3", "--prime", prime)
    check_refused(send(pki, payloads["1m"].path, f"https://localhost:{port}/x", *options, who="stranger"), "unknown_ca")


@pytest.mark.parametrize("prime", ("auto", "always", "never"))
def test_a_refusal_of_a_late_answer(prime, scripted, pki, payloads):
    def serve(visit, server):
        server.take(visit)
        visit.ask()
        server.take(visit)

    sent = send(pki, payloads["1m"].path, scripted(serve).url("/x"), "--retry", "3", "--prime", prime, who="stranger")
    check_refused(sent, "unknown_ca")


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
def test_an_expired_certificate(tls, at_the_handshake, authority, pki, payloads):
    """The report blames the client's certificate, not the server."""
    port = at_the_handshake(authority.root)
    url = f"https://localhost:{port}/x"
    sent = send(pki, payloads["1k"].path, url, "--tls", tls, *who(authority.folder, "expired"), who=None)
    check_refused(sent, "certificate_expired")
    assert has_message(sent.report["hint"], "expired", "2021-01-01") and has_message(sent.error, "expired", "warning: "), sent


def test_an_expired_certificate_that_is_refused_by_a_status(scripted, authority, pki, payloads):
    def serve(visit, fields, server):
        visit.body(int(fields["content-length"]))
        visit.answer(403, b"no")

    url = scripted(after_head(serve)).url("/x")
    sent = send(pki, payloads["1k"].path, url, "--expect", "never", *who(authority.folder, "expired"), who=None)
    assert (sent.code, sent.status) == (77, 403)
    assert has_message(sent.error, "expired", "warning: "), sent


@pytest.mark.parametrize("prime", ("auto", "always", "never"))
def test_a_weak_key(prime, scripted, authority, pki, payloads):
    """OpenSSL does not use the key: the report blames no server, and there is no second attempt."""
    server = scripted(lambda visit, server: server.take(visit))
    sent = send(pki, payloads["1k"].path, server.url("/x"), "--prime", prime, *who(authority.folder, "weak"), who=None)
    assert (sent.code, sent.report["outcome"], server.log) == (66, "file", []), sent
    assert "weak.pem: " in sent.report["text"] and "RSA, 1024 bits" in sent.report["text"]


def test_a_good_certificate_is_not_warned_of(at_the_handshake, authority, pki, payloads):
    port = at_the_handshake(pki / "ca.pem")
    sent = send(pki, payloads["1k"].path, f"https://localhost:{port}/x", *who(authority.folder, "good"), who=None)
    check_refused(sent, "unknown_ca")
    assert "warning" not in sent.error
