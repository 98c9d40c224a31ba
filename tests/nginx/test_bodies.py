"""Bodies of requests that are asked: streamed once the verdict is in, kept for who goes on without, taken by other handlers."""

import fcntl
import hashlib
import select
import socket
import ssl
import subprocess
import termios
import time

import pytest
from harness.rawtls import LIMIT, Raw, context

VERSIONS = ("1.2", "1.3")
FRAMINGS = ("length", "chunked")
BASE = "listen 127.0.0.1:{port} ssl; server_name localhost; thaw_certificate_authority {pki}/ca.pem; thaw_client_certificate request_early;"
APP = "proxy_pass http://app;"
STREAM = "proxy_request_buffering off; proxy_http_version 1.1;" + APP
WIRE = b"5\r\nhello\r\n00a;x=y\r\n0123456789\r\n1\nx\r\n0\r\nTrail: er\r\n\r\n"
WIRE_BODY = b"hello0123456789x"


def answer(client, condition):
    """Takes part in the handshake, and sends nothing else, until that is so."""
    client.tls.settimeout(0)
    try:
        while not condition():
            select.select([client.tls], [], [], 0.02)
            try:
                got = client.tls.recv(65536)
                raise AssertionError(f"the server ended it, or answered too early: {got[:200]}")
            except ssl.SSLWantReadError:
                pass
    finally:
        client.tls.settimeout(LIMIT)


def parts(client, method, target, framing, data, cut):
    """The request in two halves: its head and cut bytes of its body, and the rest."""
    if framing == "length":
        return client.head(method, target, f"Content-Length: {len(data)}") + data[:cut], data[cut:]
    half = cut // 2  # the second chunk has begun
    head = client.head(method, target, "Transfer-Encoding: chunked")
    first = b"%x\r\n" % half + data[:half] + b"\r\n%x\r\n" % (len(data) - half) + data[half:cut]
    return head + first, data[cut:] + b"\r\n0\r\n\r\n"


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("cut", (10, 5000, 700_000))
def test_body_is_streamed_once_the_verdict_is_in(nginx, inspector, payloads, tls, framing, cut):
    """The upstream has what was drained before the client sends the rest, in memory or in a file."""
    one = nginx(BASE + "client_body_buffer_size 16k; location / {{" + STREAM + "}}")
    data, target = payloads["1m"].data(), f"/stream?{tls}-{framing}-{cut}"
    with Raw(one, tls) as client:
        first, rest = parts(client, "PUT", target, framing, data, cut)
        client.send(first)
        answer(client, lambda: inspector.came(target) == cut)
        client.send(rest)
        report = client.read().json()
        assert (report["body_bytes"], report["body_sha256"]) == (len(data), payloads["1m"].sha256)
        assert report["fields"].get("content-length" if framing == "length" else "transfer-encoding") in (str(len(data)), "chunked")
        assert (report["fields"]["x-verdict"], report["fields"]["x-verify"]) == ("accepted", "SUCCESS")
        assert client.ask("POST", f"/next?after-{tls}", b"next").json()["body_bytes"] == 4
    record = one.record(target)
    assert len(first) + len(rest) == record["length"]


def test_chunked_body_is_handed_back_at_each_byte(nginx, inspector):
    """Wherever nginx's parser is when the verdict comes."""
    one, streamed = nginx(BASE + "location / {{" + STREAM + "}}"), 0
    for cut in range(len(WIRE)):
        target = f"/cut?{cut}"
        with Raw(one, "1.2") as client:
            client.send(client.head("PUT", target, "Transfer-Encoding: chunked"), WIRE[:cut])
            before = client.tls.get_channel_binding()
            answer(client, lambda: client.tls.get_channel_binding() != before)  # of the handshake in which it gave its certificate
            for at in range(cut, len(WIRE)):
                client.send(WIRE[at : at + 1])
            report = client.read().json()
            assert report["body_sha256"] == hashlib.sha256(WIRE_BODY).hexdigest(), cut
            streamed += report["fields"].get("transfer-encoding") == "chunked"
            assert client.ask("POST", f"/next?{cut}", b"next").json()["body_bytes"] == 4
    assert 0 < streamed < len(WIRE)


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("how", (STREAM, APP), ids=("streamed", "buffered"))
@pytest.mark.parametrize("framing", FRAMINGS)
def test_body_is_kept_if_the_request_continues_without_a_certificate(nginx, payloads, tls, how, framing):
    """The verdict comes in the middle of the body."""
    one = nginx(BASE + "location / {{ thaw_require off;" + how + "}} location /never {{ thaw_client_certificate off;" + APP + "}}")
    data, target = payloads["50m"].data(), f"/without?{tls}-{framing}"
    with Raw(one, tls, identity=None) as client:
        assert client.ask("GET", "/never").status == 200  # its tickets have come: next comes the request for a certificate
        first, rest = parts(client, "PUT", target, framing, data, 20_000)
        client.send(first)
        client.wait_bytes()
        client.tls.settimeout(0)
        with pytest.raises(ssl.SSLWantReadError):
            client.tls.recv(65536)
        client.tls.settimeout(LIMIT)
        client.send(rest)
        report = client.read().json()
    assert (report["body_sha256"], report["fields"]["x-verdict"]) == (payloads["50m"].sha256, "declined")


@pytest.mark.parametrize("tls", VERSIONS)
def test_small_body_stays_in_memory_for_handlers_without_a_file(nginx, payloads, tls):
    """Only WebDAV's own reading makes a file of a body that fits into client_body_buffer_size."""
    one = nginx(
        BASE + "root {folder}; client_body_buffer_size 16k; client_body_temp_path {folder}/small;"
        "location / {{ }} location /dav {{ client_body_temp_path {folder}/dav-body; dav_methods PUT; create_full_put_path on; }}"
    )
    (one.folder / "page").write_text("page")
    (one.folder / "small").rmdir()  # now no file can be made in it
    for framing in FRAMINGS:
        data = payloads["1k"].data()
        with Raw(one, tls) as client:
            client.send(*parts(client, "GET", "/page", framing, data, 100))
            assert client.read().body == b"page"
            client.send(*parts(client, "PUT", f"/dav/{framing}", framing, data, 100))
            assert client.read().status == 201
            assert client.ask("GET", "/page").body == b"page"
        assert (one.folder / "dav" / framing).read_bytes() == data


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("size", ("1k", "1m"))
def test_pipelined_request_after_a_body_in_memory(nginx, payloads, framing, size):
    one = nginx(BASE + "root {folder}; location / {{ dav_methods PUT; create_full_put_path on; }}")
    (one.folder / "page").write_text("page")
    data = payloads[size].data()
    with Raw(one, "1.3") as client:
        first, rest = parts(client, "PUT", "/up/file", framing, data, 100)
        client.send(first, rest + client.head("GET", "/page") + client.head("GET", "/page"))
        assert [client.read().status, client.read().body, client.read().body] == [201, b"page", b"page"]
    assert (one.folder / "up" / "file").read_bytes() == data
    with Raw(one, "1.3", identity=None) as client:
        client.send(first, rest + client.head("GET", "/page"))
        assert client.read().status == 403


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("cut", (10, 700_000))
def test_streamed_body_that_nobody_takes(nginx, inspector, payloads, framing, cut):
    """The upstream cannot be reached, or the client goes away."""
    one = nginx(BASE + "client_body_buffer_size 16k; location / {{" + STREAM + "}} location /down {{" + STREAM.replace("app", "127.0.0.1:{plain}") + "}}")
    data = payloads["1m"].data()
    with Raw(one, "1.3") as client:
        first, rest = parts(client, "PUT", "/down", framing, data, cut)
        client.send(first, rest)
        assert client.read().status == 502
    target = f"/gone?{framing}-{cut}"
    with Raw(one, "1.3") as client:
        client.send(parts(client, "PUT", target, framing, data, cut)[0])
        answer(client, lambda: inspector.came(target) == cut)
    assert one.record(target)["status"] in (400, 499)


class Tight(Raw):
    """Has little room for what it has not read."""

    def __init__(self, one, tls, ctx=None, room=4096):
        self.ctx = ctx or context(one.pki, tls)
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.settimeout(LIMIT)
        plain.connect(("127.0.0.1", one.port))
        self.tls, self.host, self._ahead = self.ctx.wrap_socket(plain, server_hostname="localhost"), f"localhost:{one.port}", bytearray()

    def wait_full(self):
        """Until the server sends no more, as nothing is read, or its ticket has been read already."""
        seen, count = b"", bytearray(4)
        while not self.tls.session.has_ticket and (seen != bytes(count) or not any(count)):
            seen = bytes(count)
            time.sleep(0.05)
            fcntl.ioctl(self.tls, termios.FIONREAD, count)


def many_authorities(folder):
    """CAs whose names are 14 KB."""
    key, made = folder / "many.key", ""
    subprocess.run(["openssl", "genpkey", "-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key], check=True)
    for number in range(45):
        subject = f"/O={'o' * 60}/OU={'u' * 60}/L={'l' * 60}/ST={'s' * 60}/CN=CA {number}"
        made += subprocess.run(["openssl", "req", "-x509", "-new", "-key", key, "-subj", subject, "-days", "2"], check=True, capture_output=True, text=True).stdout
    return made


@pytest.mark.parametrize("tls", VERSIONS)
def test_rest_of_the_certificate_request_is_sent_while_the_client_pauses_in_its_body(nginx, inspector, tls):
    """The socket takes it once the client has read the response before it."""
    base = BASE.replace(" ssl;", " ssl sndbuf=4k;").replace("{pki}/ca.pem", "{folder}/many.pem")
    one = nginx(base + "location / {{" + STREAM + "}} location /file {{ thaw_client_certificate off; root {folder}; }}", start=False)
    (one.folder / "many.pem").write_text((one.pki / "ca.pem").read_text() + many_authorities(one.folder))
    (one.folder / "file").mkdir()
    (one.folder / "file" / "page").write_bytes(b"f" * 1000)
    one.start()
    target = f"/paused-{tls}"
    with Tight(one, tls) as client:
        client.send(client.head("GET", "/file/page") + client.head("PUT", target, "Content-Length: 20000") + b"x" * 10_000)
        one.record("/file/page")  # all of it is in the buffers; the client has read none
        assert len(client.read().body) == 1000
        answer(client, lambda: inspector.came(target) == 10_000)
        client.send(b"x" * 10_000)
        assert client.read().json()["body_bytes"] == 20_000


@pytest.mark.parametrize("how", (STREAM, APP), ids=("streamed", "buffered"))
def test_rest_of_a_renegotiation_is_sent_before_the_rest_of_the_body_is_awaited(nginx, how):
    """The ticket before the server's Finished has the client's chain, which exceeds the socket's buffer."""
    one = nginx(BASE.replace(" ssl;", " ssl sndbuf=1k;") + "location / {{" + how + "}}")
    chain, end = one.folder / "chain.pem", "-----END CERTIFICATE-----\n"
    chain.write_text((one.pki / "client.pem").read_text() + end.join(many_authorities(one.folder).split(end)[:7]) + end)
    ctx = context(one.pki, "1.2", identity=None)
    ctx.load_cert_chain(chain, one.pki / "client.key")
    with Tight(one, "1.2", ctx, room=1) as client:
        client.send(client.head("PUT", "/long-ticket", "Content-Length: 20000") + b"x" * 10_000)
        before = client.tls.get_channel_binding()
        answer(client, lambda: client.tls.get_channel_binding() != before)
        client.wait_full()
        client.send(b"x" * 10_000)
        assert client.read().json()["body_bytes"] == 20_000
