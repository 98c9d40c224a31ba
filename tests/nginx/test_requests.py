"""Requests as users of nginx know them: bodies, error pages, satisfy, subrequests, redirects, pipelining, limits."""

import pathlib
import socket

import pytest
from harness.rawtls import LIMIT, Raw

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs/NGINX.md"
VERSIONS = ("1.2", "1.3")
BASE = "listen 127.0.0.1:{port} ssl; server_name localhost; thaw_certificate_authority {pki}/ca.pem;"


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("size", (None, "1m"))
@pytest.mark.parametrize("page", ("/page.html", "@app", "/also-late"))
def test_error_page_takes_the_place_of_the_403(nginx, payloads, tls, size, page):
    one = nginx(
        BASE + "root {folder}; error_page 403 " + page + ";"
        "location / {{ }}"
        "location @app {{ proxy_method GET; proxy_pass_request_body off; proxy_set_header Content-Length ''; proxy_set_header X-Reason $thaw_reason; proxy_pass http://app; }}"
        "location /also-late {{ thaw_client_certificate request; }}"
        "location /late {{ thaw_client_certificate request; proxy_pass http://app; }}"
    )
    (one.folder / "page.html").write_text("why not")
    with Raw(one, tls, identity=None) as client:
        answer = client.ask("PUT", "/late", payloads[size].data() if size else None)
    assert answer.status == 403 or page == "@app"
    if page == "/page.html":
        assert answer.body == b"why not"
    if page == "@app":
        assert answer.json()["fields"]["x-reason"] == "no-certificate"
    assert one.record("/late")["verdict"] == "declined"


def _example(mark):
    """The example of docs/NGINX.md that has this in it."""
    return next(each for each in DOCS.read_text().split("```nginx\n")[1:] if mark in each).split("```")[0]


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("size", (None, "1m"))
def test_reason_in_the_page_as_the_manual_says(nginx, payloads, tls, size):
    text = _example("map $thaw_reason").replace("{", "{{").replace("}", "}}")
    words, server = text.split("server {{", 1)
    server = server.rsplit("}}", 1)[0].replace("...", "proxy_pass http://app;")
    one = nginx(BASE + server + "location /denied {{ deny all; }}", http=words)
    body = payloads[size].data() if size else None
    with Raw(one, tls, identity=None) as client:
        answer = client.ask("PUT", "/secure/none", body)
        assert (answer.status, answer.body) == (403, b"Your client sent no certificate. (no-certificate)\n")
        assert answer.headers["content-type"] == "text/plain"
    with Raw(one, tls, identity="stranger") as client:
        answer = client.ask("PUT", "/secure/stranger", body)
        assert answer.status == 403 and answer.body.endswith(b" (untrusted)\n")
    with Raw(one, tls) as client:
        assert client.ask("PUT", "/secure/good", body).status == 200
        assert client.ask("GET", "/denied").body == b"Your certificate was not accepted. ()\n"


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("framing", ("length", "chunked"))
def test_connection_goes_on_after_a_refusal(shared, payloads, tls, framing):
    """The rest of the refused body is read and thrown away."""
    body = payloads["1m"].data()
    with Raw(shared, tls, identity=None) as client:
        if framing == "length":
            refused = client.ask("PUT", f"/late?on-{tls}-{framing}", body)
        else:
            head = client.head("PUT", f"/late?on-{tls}-{framing}", "Transfer-Encoding: chunked")
            client.send(head, b"%x\r\n" % len(body), body, b"\r\n0\r\n\r\n")
            refused = client.read()
        assert refused.status == 403
        if refused.headers.get("connection") != "close":
            assert client.ask("GET", f"/?after-{tls}-{framing}").status == 200


@pytest.mark.parametrize("tls", VERSIONS)
def test_satisfy_any_asks_only_if_nothing_else_lets_in(nginx, tls):
    one = nginx(
        BASE + "satisfy any;"
        "location /in {{ allow 127.0.0.1; deny all; thaw_client_certificate request; proxy_pass http://app; }}"
        "location /out {{ deny all; thaw_client_certificate request; proxy_pass http://app; }}"
    )
    with Raw(one, tls) as client:
        assert "x-verdict" not in client.ask("GET", "/in").json()["fields"]
        assert client.ask("GET", "/out").json()["fields"]["x-verdict"] == "accepted"
    with Raw(one, tls, identity=None) as client:
        assert client.ask("GET", "/out?none").status == 403


@pytest.mark.parametrize("tls", VERSIONS)
def test_auth_request_comes_first(nginx, payloads, tls):
    one = nginx(
        BASE + "location = /yes {{ internal; return 204; }} location = /no {{ internal; return 403; }}"
        "location /allowed {{ auth_request /yes; thaw_client_certificate request; proxy_pass http://app; }}"
        "location /denied {{ auth_request /no; thaw_client_certificate request; proxy_pass http://app; }}"
    )
    with Raw(one, tls) as client:
        answer = client.ask("PUT", "/allowed", payloads["1m"].data()).json()
        assert (answer["body_sha256"], answer["fields"]["x-verdict"]) == (payloads["1m"].sha256, "accepted")
    with Raw(one, tls) as client:
        assert client.ask("GET", "/denied").status == 403
    assert one.record("/denied")["verdict"] == ""


@pytest.mark.parametrize("tls", VERSIONS)
def test_internal_redirect_is_asked_once(nginx, payloads, tls):
    one = nginx(
        BASE + "thaw_client_certificate request; location /a {{ rewrite ^/a(.*) /b$1 last; }}"
        "location /b {{ try_files /nowhere @app; }} location @app {{ proxy_pass http://app; }}"
    )
    with Raw(one, tls) as client:
        answer = client.ask("PUT", "/a?x", payloads["1m"].data()).json()
    assert (answer["body_sha256"], answer["fields"]["x-verdict"]) == (payloads["1m"].sha256, "accepted")


@pytest.mark.parametrize("tls", VERSIONS)
def test_body_over_the_limit_is_413(nginx, payloads, tls):
    one = nginx(BASE + "client_max_body_size 100k; location / {{ thaw_client_certificate request; proxy_pass http://app; }}")
    with Raw(one, tls) as client:
        assert client.ask("PUT", "/length", payloads["1m"].data()).status == 413
    with Raw(one, tls) as client:
        client.send(client.head("PUT", "/chunked", "Transfer-Encoding: chunked"), b"100000\r\n", payloads["1m"].data())
        assert client.read().status == 413
    assert one.record("/chunked")["verdict"] == "cancelled"


@pytest.mark.parametrize("tls", VERSIONS)
def test_ask_of_an_error_page_ends_if_its_body_fails_with_the_same_status(nginx, tls):
    """While nginx still reads what the client sends, the ask's deadline would pass."""
    one = nginx(
        BASE + "error_page 413 /late; client_max_body_size 10; lingering_timeout 2s; location / {{ return 413; }} location /open {{ return 204; }}"
        "location /late {{ thaw_client_certificate request_early; thaw_timeout 1s; proxy_pass http://app; }}"
    )
    with Raw(one, tls) as client:
        assert client.ask("GET", "/open").status == 204  # its tickets have come
        client.send(client.head("PUT", "/large", "Transfer-Encoding: chunked"), b"5\r\nhello\r\n")
        client.wait_bytes()  # it is asked, and never answers
        client.send(b"10\r\n", b"x" * 16)
        record = one.record("/large")
    assert (record["status"], record["verdict"]) == (413, "cancelled")


@pytest.mark.parametrize("tls", VERSIONS)
def test_two_pipelined_requests(shared, tls):
    """Over TLS 1.3 both are answered; over TLS 1.2 nothing that came before the renegotiation is run after it."""
    with Raw(shared, tls) as client:
        client.send(client.head("GET", f"/late?pipe-{tls}-1") + client.head("GET", f"/late?pipe-{tls}-2"))
        assert client.read().status == 200
        if tls == "1.3":
            assert client.read().status == 200
        else:
            assert client.ended()


def test_pipelined_requests_count_until_they_are_read(nginx):
    """A second ask has room for as many bytes as the first one had, less what still waits."""
    one = nginx(BASE + "location / {{ thaw_client_certificate request; thaw_require off; proxy_pass http://app; }}")
    with Raw(one, "1.3", identity=None) as client:
        assert client.ask("GET", "/first").status == 200  # its tickets have come
        long = [client.head("GET", f"/long?{n}", "X-Long: " + "x" * 3500) for n in range(5)]
        client.send(client.head("GET", "/second"), *long[:3])
        assert client.read().status == 200
        client.send(*long[3:])
        assert [client.read().status for _ in long] == [200] * 5
    assert [one.record(f"/long?{n}")["verdict"] for n in range(5)] == ["declined"] * 5


@pytest.mark.parametrize("tls", VERSIONS)
def test_client_that_never_answers_is_refused_in_time(nginx, tls):
    """The deadline is the ask's own: client_body_timeout is shorter."""
    one = nginx(BASE + "client_body_timeout 1s; location / {{ thaw_client_certificate request_early; thaw_timeout 3s; proxy_pass http://app; }}")
    with Raw(one, tls) as client:
        client.send(client.head("PUT", "/silent", "Content-Length: 1000"), b"x" * 10)
        client.wait_bytes()  # the request for the certificate, which a client that does not read never answers
        record = one.record("/silent")
    assert (record["status"], record["verdict"], record["reason"]) == (403, "timed-out", "no-answer")
    assert int(record["ask_ms"]) >= 3000


def test_trust_of_each_location_is_its_own(nginx):
    one = nginx(
        BASE + "location /a {{ thaw_client_certificate request; proxy_pass http://app; }}"
        "location /b {{ thaw_client_certificate request; thaw_require off; thaw_certificate_authority {pki}/stranger-ca.pem; proxy_pass http://app; }}"
        "location /c {{ thaw_client_certificate request; thaw_certificate_authority {pki}/stranger-ca.pem; proxy_pass http://app; }}"
    )
    with Raw(one, "1.3") as client:
        assert client.ask("GET", "/a").json()["fields"]["x-verify"] == "SUCCESS"
        assert client.ask("GET", "/b").json()["fields"]["x-verify"].startswith("FAILED:")
        assert client.ask("GET", "/c").status == 403
        assert client.ask("GET", "/a?again").json()["fields"]["x-verify"] == "SUCCESS"


def test_request_for_another_server_block_than_the_handshake_is_421(nginx):
    other = "listen 127.0.0.1:{port} ssl; server_name handshake.localhost; location / {{ return 204; }}"
    one = nginx(other, BASE + "location / {{ thaw_client_certificate request; proxy_pass http://app; }}")
    with Raw(one, "1.3", host="handshake.localhost") as client:
        client.host = f"localhost:{one.port}"
        assert client.ask("GET", "/").status == 421


def test_request_without_tls_is_refused(nginx):
    one = nginx("listen 127.0.0.1:{plain}; " + BASE + "location / {{ thaw_client_certificate request; proxy_pass http://app; }}")
    with socket.create_connection(("127.0.0.1", one.plain), timeout=LIMIT) as plain:
        plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b" 403 " in plain.recv(65536)


def test_elsewhere_for_clients_that_cannot_be_asked(nginx):
    one = nginx(BASE + "location / {{ thaw_client_certificate request; thaw_elsewhere https://certauth.example.com; proxy_pass http://app; }}")
    with Raw(one, "1.3", pha=False) as client:
        answer = client.ask("GET", "/path?query")
    assert (answer.status, answer.headers["location"]) == (307, "https://certauth.example.com/path?query")


@pytest.mark.parametrize("tls", VERSIONS)
def test_dav_put_after_an_ask(nginx, payloads, tls):
    """A handler that needs the body in a file of its own kind."""
    one = nginx(BASE + "root {folder}; location / {{ thaw_client_certificate request; dav_methods PUT; create_full_put_path on; }}")
    for size in ("1k", "1m"):
        with Raw(one, tls) as client:
            assert client.ask("PUT", f"/up/{size}", payloads[size].data()).status == 201
        assert (one.folder / "up" / size).read_bytes() == payloads[size].data()
