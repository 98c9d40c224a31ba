"""Features of newer OpenSSL releases in the handshake, together with a late request: key exchange groups, large
ClientHellos, certificate compression. Features that the installed release lacks are skipped."""

import socket
import ssl
import subprocess

import pytest

from harness.rawtls import context

BODY = b"x" * 65536


def tls_groups():
    listed = subprocess.run(["openssl", "list", "-tls-groups"], capture_output=True, text=True)
    known = listed.stdout.strip().split(":") if listed.returncode == 0 else []
    return ["X25519", "P-256", "P-384", "P-521"] + [name for name in known if "MLKEM" in name and name.startswith("X")]


def s_client(thaw, *options):
    request = f"PUT /late HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(BODY)}\r\n\r\n"
    argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{thaw.port}", "-servername", "localhost", "-nocommands"]
    argv += ["-ign_eof", "-verify_return_error", "-CAfile", str(thaw.pki / "ca.pem"), "-cert", str(thaw.pki / "client.pem")]
    argv += ["-key", str(thaw.pki / "client.key"), "-enable_pha", *options]
    done = subprocess.run(argv, input=request.encode() + BODY, capture_output=True, timeout=60)
    return (done.stdout + done.stderr).decode("latin-1")


@pytest.mark.parametrize("tls", ("1_2", "1_3"))
@pytest.mark.parametrize("group", tls_groups())
def test_a_late_request_with_each_group(group, tls, thaw):
    if "MLKEM" in group and tls == "1_2":
        pytest.skip("a group of TLS 1.3 only")
    # RFC 8422 5.1.1: over TLS 1.2 the list also limits the curves of the certificate's key.
    output = s_client(thaw, f"-tls{tls}", "-groups", group if tls == "1_3" or group == "P-256" else f"{group}:P-256")
    assert "HTTP/1.1 200 OK" in output and '"subject": "CN=Thaw Demo Client"' in output, output[-2000:]


@pytest.mark.parametrize(
    "options",
    [("-tls1_3", "-groups", f"ffdhe{bits}") for bits in (2048, 3072, 4096, 6144, 8192)]
    + [("-tls1_2", "-cipher", "DHE"), ("-tls1_2", "-cipher", "kRSA"), ("-tls1_3", "-groups", "X448")],
    ids=" ".join,
)
def test_costly_key_exchanges_are_refused_at_the_client_hello(options, thaw):
    """The gateway answers with an alert and no ServerHello, which would need a key exchange or a signature."""
    output = s_client(thaw, *options, "-msg")
    received = [line for line in output.splitlines() if line.startswith("<<<") and "RecordHeader" not in line]
    assert len(received) == 1 and "Alert" in received[0] and "handshake_failure" in received[0], output[-2000:]


def test_a_client_that_prefers_ffdhe_gets_another_group(thaw):
    """A HelloRetryRequest (RFC 8446 4.1.4) asks for one of the gateway's groups."""
    output = s_client(thaw, "-tls1_3", "-groups", "ffdhe8192:P-256")
    assert "HTTP/1.1 200 OK" in output, output[-2000:]
    assert "HTTP/1.1 200 OK" in s_client(thaw, "-tls1_2", "-cipher", "DHE:ECDHE")


def test_a_client_certificate_comes_uncompressed(thaw):
    """RFC 8879: the gateway offers no algorithm, so it never has to decompress a client's certificate."""
    output = s_client(thaw, "-tls1_3", "-msg")
    assert "HTTP/1.1 200 OK" in output, output[-2000:]
    sent = [line for line in output.splitlines() if line.startswith(">>>") and "Certificate" in line]
    assert any(line.rstrip().endswith(", Certificate") for line in sent), sent
    assert not any("CompressedCertificate" in line for line in sent)


def fragmented(record, size):
    """Splits the payload of one record into records of that size (RFC 8446 5.1)."""
    head, payload = record[:3], record[5:]
    pieces = [payload[at : at + size] for at in range(0, len(payload), size)]
    return b"".join(head + len(piece).to_bytes(2, "big") + piece for piece in pieces)


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
@pytest.mark.parametrize("size", (16, 100, 1000))
def test_a_client_hello_in_several_records(size, tls, thaw):
    """With a post-quantum key share a ClientHello no longer fits into one packet, and some clients send it in two
    records."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context(thaw.pki, tls).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", thaw.port), timeout=30) as tcp:

        def exchange(step, *arguments):
            while True:
                try:
                    return step(*arguments)
                except ssl.SSLWantReadError:
                    tcp.sendall(outgoing.read())
                    incoming.write(tcp.recv(65536) or pytest.fail("the connection was closed"))

        with pytest.raises(ssl.SSLWantReadError):
            client.do_handshake()
        tcp.sendall(fragmented(outgoing.read(), size))
        incoming.write(tcp.recv(65536))
        exchange(client.do_handshake)
        head = f"PUT /late HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()
        assert client.write(head + BODY) > len(head)
        answer = b""
        while b"body_sha256" not in answer:
            answer += exchange(client.read, 65536)
    assert b" 200 " in answer and b"CN=Thaw Demo Client" in answer
