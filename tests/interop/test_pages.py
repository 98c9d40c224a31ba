"""A refused browser gets a readable page; programs get problem+json. Both contain the request ID."""

import re

import pytest

from harness import h2
from harness.rawtls import Raw

CHROMIUM = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"
FIREFOX = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
ID = r"[0-9a-hjkmnp-tv-z]{16}"


def check_page(response, status, request_id):
    assert response.status == status
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    page = response.body.decode()
    assert "<script" not in page and "http:" not in page and "src=" not in page
    assert f"<dd>{request_id}</dd>" in page
    return page


@pytest.mark.parametrize("accept", (CHROMIUM, FIREFOX), ids=("chromium", "firefox"))
@pytest.mark.parametrize("tls", ("1.2", "1.3"))
def test_page_for_a_browser(tls, accept, thaw):
    target = f"/late?page-{tls}-{len(accept)}"
    with Raw(thaw, tls, identity=None) as client:
        response = client.ask("PUT", target, b"x" * 1000, accept)
    record = thaw.record(target)
    assert re.fullmatch(ID, record["id"])
    assert "<dd>no-certificate</dd>" in check_page(response, 403, record["id"])


def test_reason_of_a_rejection(thaw):
    with Raw(thaw, "1.3", identity="stranger") as client:
        response = client.ask("GET", "/late?page-stranger", None, CHROMIUM)
    record = thaw.record("?page-stranger")
    assert "<dd>untrusted</dd>" in check_page(response, 403, record["id"])


@pytest.mark.parametrize("accept", ("Accept: */*", "Accept: application/json, text/html;q=0.9", "X-None: 1"))
def test_json_for_others(accept, thaw):
    with Raw(thaw, "1.3", identity=None) as client:
        response = client.ask("GET", "/late?page-json", None, accept)
        assert response.headers["content-type"] == "application/problem+json"
        assert "content-security-policy" not in response.headers
        own = response.json()["request_id"]
    assert len(thaw.wait_records(lambda r: r["id"] == own)) == 1


def test_head_has_the_fields_of_get_alone(thaw):
    lengths = []
    for method in ("GET", "HEAD"):
        with Raw(thaw, "1.3", identity=None) as client:
            response = client.ask(method, "/late?page-head", None, FIREFOX)
            assert response.status == 403 and bool(response.body) == (method == "GET")
            assert response.headers["content-type"].startswith("text/html")
            lengths.append(response.headers["content-length"])
            if method == "HEAD":  # nothing follows its head
                assert client.ended()
    assert lengths[0] == lengths[1]


def test_each_request_of_a_connection_has_an_id_of_its_own(thaw):
    with Raw(thaw, "1.3", identity=None) as client:
        for _ in range(3):
            assert client.ask("GET", "/?page-own").status == 200
    ids = [record["id"] for record in thaw.wait_records(lambda r: (r["target"] or "") == "/?page-own", 3)]
    assert len(set(ids)) == 3


def test_before_a_verdict_and_without_a_route(serve):
    gateway = serve(upstreams={"gone": "{ servers: [ 'unix:/nonexistent/socket' ] }"}, upstream="gone")
    with Raw(gateway, "1.3", identity=None) as client:
        response = client.ask("GET", "/?page-gone", None, CHROMIUM)
    assert "<dd>upstream-unreachable</dd>" in check_page(response, 502, gateway.record("?page-gone")["id"])


def test_nothing_of_a_request_becomes_markup(serve):
    """A target with markup is escaped in the link of a redirect's page."""
    gateway = serve(certificate={"when": "request", "elsewhere": "https://other.test"})
    target = "/'><script>alert(1)</script>&lt;?page-markup"
    with Raw(gateway, "1.3", identity=None, pha=False) as client:
        response = client.ask("GET", target, None, CHROMIUM)
    page = check_page(response, 307, gateway.record("page-markup")["id"])
    assert "&lt;script&gt;" in page


def test_over_http2(serve):
    gateway = h2.start(serve, certificate={"when": "handshake"})
    with h2.connect(gateway) as client:
        answer = client.ask("GET", "/?page-h2", ("accept", FIREFOX.partition(": ")[2]))
    assert answer.status == 403
    page = answer.body.decode()
    assert f"<dd>{gateway.record('?page-h2')['id']}</dd>" in page
