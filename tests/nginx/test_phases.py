"""Errors, redirects and other access modules in the middle of an ask, as nginx's users combine them."""

import base64
import hashlib

import pytest
from harness.rawtls import Raw
from test_bodies import answer, parts

VERSIONS = ("1.2", "1.3")
BASE = "listen 127.0.0.1:{port} ssl; server_name localhost; thaw_certificate_authority {pki}/ca.pem;"
ASK, EARLY, APP = "thaw_client_certificate request;", "thaw_client_certificate request_early;", "proxy_pass http://app;"
OTHER_CA = "thaw_certificate_authority {pki}/stranger-ca.pem;"


def begin_chunked(client, target, size):
    """A chunked request whose first chunk has come."""
    client.send(client.head("PUT", target, "Transfer-Encoding: chunked"), b"%x\r\n" % size + b"x" * size + b"\r\n")


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("bad, status", ((b"100000\r\nx", 413), (b"no size\r\n", 400)), ids=("413", "400"))
@pytest.mark.parametrize("answers", (True, False), ids=("answers", "silent"))
@pytest.mark.parametrize("where", ("asks", "open", "return"))
def test_error_page_for_a_body_that_fails_during_the_ask(nginx, tls, bad, status, answers, where):
    """The error ends the ask. An error page in a location that asks is refused, but the request ends."""
    one = nginx(
        BASE + EARLY + f"root {{folder}}; client_max_body_size 100k; error_page {status} /{where}/page.html;"
        "location / {{" + APP + "}} location /asks {{ }} location /open {{ thaw_client_certificate off; }} location /return {{ thaw_client_certificate off; return 200 page; }}"
    )
    (one.folder / where).mkdir()
    (one.folder / where / "page.html").write_text("page")
    with Raw(one, tls) as client:
        begin_chunked(client, "/bad", 50_000)
        client.wait_bytes()
        client.send(bad)
        if answers:
            got = client.read()
            assert (got.status, got.body) == (status, b"page") or (where == "asks" and got.status == 403), got
        record = one.record("/bad")
    assert record["status"] in (status, 403) and record["verdict"] == "cancelled" or record["verdict"] == "accepted", record
    with Raw(one, tls) as client:
        assert client.ask("PUT", "/good", b"x").status == 200


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("bad, status", ((b"100000\r\nx", 413), (b"no size\r\n", 400)), ids=("413", "400"))
@pytest.mark.parametrize("how", ("streams", "buffers"))
def test_error_page_for_a_body_that_fails_after_the_verdict(nginx, inspector, tls, bad, status, how):
    """The certificate was accepted, so the error page is, too."""
    streams = "proxy_request_buffering off; proxy_http_version 1.1;" if how == "streams" else ""
    one = nginx(
        BASE + EARLY + f"root {{folder}}; client_max_body_size 100k; error_page {status} /errors/page.html;"
        "location / {{" + streams + APP + "}} location /errors {{ }}"
    )
    (one.folder / "errors").mkdir()
    (one.folder / "errors/page.html").write_text("page")
    target = f"/bad?{tls}-{status}-{how}"
    with Raw(one, tls) as client:
        if how == "buffers":
            assert client.ask("GET", "/").status == 200
        begin_chunked(client, target, 50_000)
        if how == "streams":
            answer(client, lambda: inspector.came(target) == 50_000)
        client.send(bad)
        got = client.read()
        assert (got.status, got.body) == (status, b"page")
    assert one.record(target)["verdict"] == "accepted"


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("framing", ("length", "chunked"))
def test_try_files_to_a_location_with_another_trust(nginx, inspector, payloads, tls, framing):
    one = nginx(
        BASE + EARLY + "proxy_request_buffering off; proxy_http_version 1.1; client_body_buffer_size 16k;"
        "location / {{ thaw_require off; " + OTHER_CA + APP + " try_files /nowhere @app; }} location @app {{" + APP + "}}"
    )
    data, target = payloads["1m"].data(), f"/try?{tls}-{framing}"
    with Raw(one, tls) as client:
        first, rest = parts(client, "PUT", target, framing, data, 100_000)
        client.send(first)
        answer(client, lambda: inspector.came(target) == 100_000)
        client.send(rest)
        report = client.read().json()
        assert report["body_sha256"] == payloads["1m"].sha256
        assert report["fields"]["x-verify"] == "SUCCESS"
        assert client.ask("POST", f"/next?{tls}-{framing}", b"next").json()["body_bytes"] == 4


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("framing", ("length", "chunked"))
@pytest.mark.parametrize("size", ("1k", "1m"))
def test_error_page_in_a_location_with_another_trust(nginx, payloads, tls, framing, size):
    """The client's certificate is refused in the middle of its body, and then accepted for the error page."""
    one = nginx(
        BASE + EARLY + "root {folder}; error_page 403 /other/page;"
        "location / {{" + OTHER_CA + APP + "}} location /other {{ }} location /open {{ thaw_client_certificate off; " + APP + "}}"
    )
    (one.folder / "other").mkdir()
    (one.folder / "other/page").write_text("page")
    with Raw(one, tls) as client:
        first, rest = parts(client, "PUT", "/x", framing, payloads[size].data(), 100)
        client.send(first)
        client.wait_bytes()
        client.send(rest)
        got = client.read()
        print(got)
        assert (got.status, got.body) == (403, b"page")
        if got.headers.get("connection") != "close":
            assert client.ask("GET", "/open").status == 200


BASIC = "Authorization: Basic " + base64.b64encode(b"user:secret").decode()


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("size", (None, "1m"))
@pytest.mark.parametrize("satisfy", ("any", "all"))
def test_satisfy_with_basic_authentication(nginx, payloads, tls, satisfy, size):
    one = nginx(BASE + ASK + f"satisfy {satisfy}; location / {{{{ auth_basic realm; auth_basic_user_file {{folder}}/users; {APP} }}}}")
    (one.folder / "users").write_text("user:{SHA}" + base64.b64encode(hashlib.sha1(b"secret").digest()).decode() + "\n")
    data = payloads[size].data() if size else None
    for identity in ("client", None):
        for field in ((BASIC,), ()):
            with Raw(one, tls, identity=identity) as client:
                got = client.ask("PUT", "/", data, *field)
            have = (identity is not None) + bool(field)
            expected = 200 if have == 2 or (have == 1 and satisfy == "any") else 401 if not field else 403
            assert got.status == expected, (identity, field, got)
            if got.status == 200:
                assert "www-authenticate" not in got.headers
                assert size is None or got.json()["body_sha256"] == payloads[size].sha256
                assert got.json()["fields"].get("x-verdict") == ("accepted" if identity and (satisfy == "all" or not field) else None)
            if got.status == 401:
                assert "www-authenticate" in got.headers


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("satisfy", ("any", "all"))
def test_satisfy_with_auth_request(nginx, payloads, tls, satisfy):
    one = nginx(
        BASE + ASK + f"satisfy {satisfy}; location = /check {{{{ internal; thaw_client_certificate off; if ($http_token = good) {{{{ return 204; }}}} return 401; }}}}"
        "location / {{ auth_request /check;" + APP + "}}"
    )
    for identity in ("client", None):
        for field in (("Token: good",), ()):
            with Raw(one, tls, identity=identity) as client:
                got = client.ask("PUT", "/", payloads["1m"].data(), *field)
            have = (identity is not None) + bool(field)
            assert (got.status == 200) == (have == 2 or (have == 1 and satisfy == "any")), (identity, field, got)
            assert got.status != 200 or got.json()["body_sha256"] == payloads["1m"].sha256


@pytest.mark.parametrize("tls", VERSIONS)
def test_subrequests_to_a_location_that_asks(nginx, tls):
    """Like deny, thaw_client_certificate looks at the client's request only: auth_request, SSI, add_before_body."""
    one = nginx(
        BASE + "root {folder}; location = /late/part {{" + ASK + "}} location /auth {{ auth_request /late/part;" + APP + "}}"
        "location /ssi.html {{ ssi on; }} location /before {{ add_before_body /late/part; }}"
        "location /late/ssi.html {{ ssi on; " + ASK + "}} location /late/before {{ add_after_body /late/part;" + ASK + "}}"
    )
    (one.folder / "late").mkdir()
    (one.folder / "late/part").write_text("part")
    for name in ("ssi.html", "late/ssi.html"):
        (one.folder / name).write_text('[<!--#include virtual="/late/part" -->]')
    for name in ("before", "late/before"):
        (one.folder / name).write_text("page")
    with Raw(one, tls, identity=None) as client:
        assert client.ask("GET", "/auth").status == 200
        assert client.ask("GET", "/ssi.html").body == b"[part]"
        assert client.ask("GET", "/late/part").status == 403
        assert client.ask("GET", "/late/ssi.html").status == 403
    with Raw(one, tls) as client:
        assert client.ask("GET", "/late/ssi.html").body == b"[part]"
        assert client.ask("GET", "/late/before").status == 200


@pytest.mark.parametrize("tls", VERSIONS)
def test_handlers_and_filters_beside_an_ask(nginx, payloads, tls):
    one = nginx(
        BASE + ASK + "root {folder}; location /gz {{ gzip on; gzip_min_length 1; gzip_types *; }} location /slice {{ slice 1k; proxy_set_header Range $slice_range; proxy_pass http://127.0.0.1:{plain}; }}"
        "location /list/ {{ autoindex on; }} location /status {{ stub_status; }}"
        "location /cached {{ proxy_cache one; proxy_cache_valid 200 1h; proxy_cache_key $uri; " + APP + "}}"
        "location /rate {{ limit_req zone=rate burst=5; " + APP + "}} location /conns {{ limit_conn conns 1; " + APP + "}}"
        "location /intercept {{ proxy_intercept_errors on; error_page 404 /list/file; proxy_pass http://127.0.0.1:{plain}/none; }}",
        "listen 127.0.0.1:{plain}; root {folder};",
        http="proxy_cache_path cache keys_zone=one:1m; limit_req_zone $uri zone=rate:1m rate=20r/s; limit_conn_zone $server_name zone=conns:1m;",
    )
    (one.folder / "list").mkdir()
    (one.folder / "list/file").write_text("file")
    (one.folder / "gz").write_text("x" * 10_000)
    (one.folder / "slice").write_bytes(payloads["1m"].data())
    for identity in ("client", None):
        with Raw(one, tls, identity=identity) as client:
            for path, want in (("/gz", 200), ("/slice", 200), ("/list/", 200), ("/status", 200), ("/cached", 200), ("/cached", 200), ("/rate", 200), ("/rate", 200), ("/conns", 200), ("/intercept", 404)):
                got = client.ask("GET", path, None, *(("Accept-Encoding: gzip",) if path == "/gz" else ()))
                assert got.status == (want if identity else 403), (path, got)
                if identity and path == "/slice":
                    assert got.body == payloads["1m"].data()
                if identity and path == "/intercept":
                    assert got.body == b"file"
