"""What comes after the access phase: each kind of upstream, subrequests, mirrors, redirects, upgrades."""

import socket
import threading

import pytest
from backends import Backend
from harness.rawtls import LIMIT, Raw

VERSIONS = ("1.2", "1.3")
FRAMINGS = ("length", "chunked")
BASE = "listen 127.0.0.1:{port} ssl; server_name localhost; thaw_certificate_authority {pki}/ca.pem;"
ASK, APP = "thaw_client_certificate request;", "proxy_pass http://app;"
PLAIN = "listen 127.0.0.1:{plain}; "


def put(client, target, framing, data, *fields):
    if framing == "length":
        return client.ask("PUT", target, data, *fields)
    client.send(client.head("PUT", target, "Transfer-Encoding: chunked", *fields), b"%x\r\n" % len(data), data, b"\r\n0\r\n\r\n")
    return client.read()


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("buffering", ("on", "off"))
@pytest.mark.parametrize("kind", ("fastcgi", "scgi", "uwsgi"))
def test_backends_get_the_body_and_the_certificate(nginx, payloads, kind, buffering, tls):
    backend = Backend(kind)
    names = {"REQUEST_METHOD": "$request_method", "CONTENT_LENGTH": "$content_length", "SUBJECT": "$ssl_client_s_dn", "VERIFY": "$ssl_client_verify"}
    params = "".join(f"{kind}_param {name} {value};" for name, value in names.items())
    one = nginx(BASE + ASK + f"{kind}_request_buffering {buffering}; location / {{{{ {params} {kind}_pass 127.0.0.1:{backend.port}; }}}}")
    for framing in FRAMINGS:
        for size in ("1k", "1m"):
            with Raw(one, tls) as client:
                report = put(client, f"/{framing}/{size}", framing, payloads[size].data()).json()
                assert client.ask("GET", "/again").json()["body_bytes"] == 0
            assert report["body_sha256"] == payloads[size].sha256
            assert (report["parameters"]["SUBJECT"], report["parameters"]["VERIFY"]) == ("CN=Thaw Demo Client", "SUCCESS")
    backend.stop()


@pytest.mark.parametrize("tls", VERSIONS)
def test_grpc_upstream_gets_the_body(nginx, payloads, tls):
    one = nginx(BASE + ASK + "location / {{ grpc_set_header X-Verify $ssl_client_verify; grpc_pass grpc://127.0.0.1:{plain}; }}", PLAIN.replace(";", " http2;") + "location / {{ proxy_set_header X-Verify $http_x_verify; " + APP + "}}")
    for framing in FRAMINGS:
        with Raw(one, tls) as client:
            report = put(client, f"/{framing}", framing, payloads["1m"].data()).json()
        assert (report["body_sha256"], report["fields"]["x-verify"]) == (payloads["1m"].sha256, "SUCCESS")


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("buffering", ("on", "off"))
def test_mirror_gets_the_body_too(nginx, inspector, payloads, buffering, tls):
    one = nginx(
        BASE + f"location /late {{{{ {ASK} mirror /copy; proxy_request_buffering {buffering}; proxy_http_version 1.1; {APP} }}}}"
        "location = /copy {{ internal; proxy_pass http://app$request_uri-copy; }}"
    )
    for framing in FRAMINGS:
        target = f"/late/{buffering}-{tls}-{framing}"
        with Raw(one, tls) as client:
            assert put(client, target, framing, payloads["1m"].data()).json()["body_sha256"] == payloads["1m"].sha256
            one.wait(lambda: inspector.requests(f"{target}-copy"), "the mirror's request")
            assert inspector.requests(f"{target}-copy")[0]["body_sha256"] == payloads["1m"].sha256
            assert client.ask("GET", "/late/after").status == 200


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("size", (None, "1m"))
def test_redirect_of_an_upstream_to_a_location_that_asks(nginx, payloads, tls, size):
    """X-Accel-Redirect: the ask begins once the body has been read, and the upstream has answered."""
    one = nginx(
        BASE + "location /from {{ proxy_pass http://127.0.0.1:{plain}; }} location /late {{ internal; root {folder}; " + ASK + "}}",
        PLAIN + "location / {{ add_header X-Accel-Redirect /late/page; return 204; }}",
    )
    (one.folder / "late").mkdir()
    (one.folder / "late/page").write_text("page")
    for identity, status in (("client", 200), (None, 403)):
        with Raw(one, tls, identity=identity) as client:
            for number in range(2):
                answer = client.ask("POST", f"/from/{number}", payloads[size].data() if size else None)
                assert answer.status == status and (status == 403 or answer.body == b"page")


@pytest.mark.parametrize("tls", VERSIONS)
def test_error_page_leads_to_a_location_that_asks(nginx, tls):
    one = nginx(BASE + "root {folder}; location / {{ error_page 404 =200 /late/page; }} location /late {{ " + ASK + "}}")
    (one.folder / "late").mkdir()
    (one.folder / "late/page").write_text("page")
    with Raw(one, tls) as client:
        answer = client.ask("GET", "/missing")
        assert (answer.status, answer.body) == (200, b"page")
    with Raw(one, tls, identity=None) as client:
        assert client.ask("GET", "/missing").status == 403


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("page", ("@app", "/page"))
def test_error_page_may_change_the_status(nginx, tls, page):
    one = nginx(BASE + f"error_page 403 =200 {page}; location @app {{{{ return 418 app; }}}} location /page {{{{ return 418 page; }}}} location /late {{{{ {ASK} {APP} }}}}")
    with Raw(one, tls, identity=None) as client:
        assert client.ask("GET", "/late").status == 200 and client.ask("GET", "/page").status == 418


@pytest.mark.parametrize("tls", VERSIONS)
def test_upgraded_connection_goes_both_ways(nginx, tls):
    """As a WebSocket: bytes of the client come through the connection that was asked."""
    listener = socket.create_server(("127.0.0.1", 0))

    def echo():
        peer, _ = listener.accept()
        with peer:
            while b"\r\n\r\n" not in peer.recv(65536):
                pass
            peer.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
            while data := peer.recv(65536):
                peer.sendall(data)

    thread = threading.Thread(target=echo, daemon=True)
    thread.start()
    port = listener.getsockname()[1]
    one = nginx(
        BASE + ASK + f"location / {{{{ proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_pass http://127.0.0.1:{port}; }}}}"
    )
    with Raw(one, tls) as client:
        client.send_request("GET", "/", None, "Connection: upgrade", "Upgrade: echo")
        assert client.read().status == 101
        for size in (1, 70_000):
            data, got = b"x" * size, b""
            client.send(data)
            while len(got) < size:
                got += client.tls.recv(65536)
            assert got == data
    thread.join(LIMIT)
    listener.close()


@pytest.mark.parametrize("tls", VERSIONS)
def test_methods_and_limits(nginx, payloads, tls):
    """limit_except has directives of its own; HEAD has no body."""
    one = nginx(BASE + f"location / {{{{ limit_except GET HEAD {{{{ {ASK} }}}} {APP} }}}} location /read {{{{ {ASK} limit_except PUT {{{{ thaw_client_certificate off; }}}} {APP} }}}}")
    with Raw(one, tls, identity=None) as client:
        assert client.ask("GET", "/").status == 200 and client.ask("HEAD", "/").status == 200
        assert client.ask("GET", "/read").status == 200
        assert client.ask("PUT", "/", payloads["1k"].data()).status == 403
    with Raw(one, tls) as client:
        assert client.ask("PUT", "/", payloads["1m"].data()).json()["fields"]["x-verdict"] == "accepted"
        assert client.ask("PUT", "/read", payloads["1m"].data()).json()["fields"]["x-verdict"] == "accepted"
        assert client.ask("HEAD", "/read").status == 200


@pytest.mark.parametrize("tls", VERSIONS)
def test_return_and_if_come_before_the_ask(nginx, tls):
    """They belong to the rewrite phase: docs/NGINX.md."""
    one = nginx(
        BASE + f"location /return {{{{ {ASK} return 200 early; }}}} location /if {{{{ {ASK} if ($ssl_client_verify != SUCCESS) {{{{ return 418; }}}} {APP} }}}}"
        f"location /inside {{{{ {ASK} if ($arg_x) {{{{ {APP} }}}} {APP} }}}}"
    )
    with Raw(one, tls) as client:
        assert client.ask("GET", "/return").body == b"early" and client.ask("GET", "/if").status == 418
        assert client.ask("GET", "/inside?x=1").json()["fields"]["x-verdict"] == "accepted"


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("how", ("on", "clean"))
def test_body_in_file_only(nginx, payloads, how, tls):
    """client_body_in_file_only: the file is kept, or is not, as nginx's manual says, and there is one."""
    one = nginx(BASE + ASK + f"client_body_in_file_only {how}; client_body_temp_path {{folder}}/kept; location / {{{{ {APP} }}}} location /off {{{{ proxy_request_buffering off; {APP} }}}} location /file {{{{ root {{folder}}; }}}}")
    (one.folder / "file").write_text("page")
    kept = lambda: len(list((one.folder / "kept").iterdir()))  # noqa: E731
    for number, path in enumerate(("/buffered", "/off", "/file"), 1):
        with Raw(one, tls) as client:
            client.send_request("GET", path, payloads["1m"].data())
            answer = client.read()
        assert answer.body == b"page" if path == "/file" else answer.json()["body_sha256"] == payloads["1m"].sha256
        one.record(path)
        one.wait(lambda: kept() == (number if how == "on" else 0), f"{number} files or none, not {kept()}")
