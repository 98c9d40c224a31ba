"""`thaw check --request`: prints the decision for a request without a connection."""

import json

import pytest
from harness.gateway import binary
from harness.pki import Authority, make_stranger
from harness.process import run

EX_USAGE = 64
LIMIT = 60
PHA = "TLS 1.3 with post-handshake authentication"
TLS12 = "TLS 1.3 without it, or TLS 1.2"
TLS13 = "TLS 1.3 only, without it"
GO = "HTTP/2, no browser, no renegotiation"
BROWSER = "HTTP/2 browser"


def check(path, request, *options):
    code, out, err, late = run([str(binary()), "check", "-c", str(path), "--request", request, *map(str, options)], LIMIT)
    assert not late
    return code, out.decode(), err.decode()


def decide(path, request, *options):
    code, out, err = check(path, request, "--json", *options)
    assert (code, err) == (0, ""), err
    decision = json.loads(out)["decision"]
    return decision, {client["client"]: client for client in decision["clients"]}


def asking(when, **more):
    keys = "".join(f", {key}: {value}" for key, value in more.items())
    return f"      - {{ path: /asks, client_certificate: {{ when: {when}{keys} }}, upstream: builtin:sink }}\n"


@pytest.fixture
def client(pki, settings):
    settings()
    return pki / "client.pem"


def test_a_path_without_a_certificate(settings, client):
    decision, clients = decide(settings(), "GET https://localhost/x", "--certificate", client)
    assert decision["route"] == {"path": "/", "when": "never", "require": False, "upstream": "builtin:inspect"}
    assert decision["certificate"] is None
    assert all(one["allowed"] and not one["identity"] for one in clients.values())


def test_means_of_each_kind_of_client(settings, client):
    _, clients = decide(settings(), "PUT https://localhost/late", "--certificate", client)
    story = ("tls", "http", "means", "moment", "drains", "verdict", "allowed")
    assert [clients[PHA][key] for key in story] == ["TLSv1.3", "1.1", "post-handshake", "headers", False, "accepted", True]
    assert [clients[TLS12][key] for key in story] == ["TLSv1.2", "1.1", "renegotiation", "body", True, "accepted", True]
    assert [clients[TLS13][key] for key in story] == ["TLSv1.3", "1.1", "none", "none", False, "impossible", False]
    assert (clients[TLS13]["reason"], clients[TLS13]["status"]) == ("no-post-handshake-auth", 403)
    assert clients[BROWSER]["sent_away"] and clients[BROWSER]["comes_back"]
    assert [clients[BROWSER][key] for key in story] == ["TLSv1.3", "1.1", "handshake", "handshake", False, "accepted", True]


def test_a_client_that_refuses_to_renegotiate_loses_its_connection(settings, client):
    story = ("tls", "means", "verdict", "reason", "allowed", "connection_ends")
    for options in ({}, {"elsewhere": "https://other.example"}, {"require": "false"}):
        _, clients = decide(settings(routes=asking("request", **options)), "PUT https://localhost/asks", "--certificate", client)
        assert [clients[GO][key] for key in story] == ["TLSv1.2", "renegotiation", "impossible", "renegotiation-refused", False, True]
        assert not any("connection_ends" in one for name, one in clients.items() if name != GO)
    path = settings(routes=asking("request", elsewhere="https://other.example"))
    path.write_text(path.read_text().replace("    routes:\n", "    without_post_handshake: refuse\n    routes:\n", 1))
    _, clients = decide(path, "PUT https://localhost/asks", "--certificate", client)
    assert (clients[GO]["status"], clients[GO]["location"], clients[GO]["tls"]) == (307, "https://other.example", "TLSv1.3")


def test_without_a_body_it_is_asked_at_the_headers(settings, client):
    for request, options in (("GET https://localhost/late", ()), ("PUT https://localhost/late", ("--header", "Content-Length: 0"))):
        _, clients = decide(settings(), request, "--certificate", client, *options)
        assert (clients[TLS12]["means"], clients[TLS12]["moment"], clients[TLS12]["drains"]) == ("renegotiation", "headers", False)


def test_no_certificate(settings):
    _, clients = decide(settings(), "GET https://localhost/late")
    assert (clients[PHA]["verdict"], clients[PHA]["reason"], clients[PHA]["status"]) == ("declined", "no-certificate", 403)
    _, clients = decide(settings(routes=asking("request", require="false")), "GET https://localhost/asks")
    assert all(one["allowed"] and not one["identity"] for name, one in clients.items() if name != GO)


def test_a_certificate_of_another_ca_is_rejected(settings, tmp_path):
    make_stranger(tmp_path)
    decision, clients = decide(settings(), "GET https://localhost/late", "--certificate", tmp_path / "stranger.pem")
    assert not decision["certificate"]["verified"] and decision["certificate"]["detail"]
    assert (clients[PHA]["verdict"], clients[PHA]["reason"], clients[PHA]["allowed"]) == ("rejected", "untrusted", False)


def test_a_revoked_certificate_is_rejected(settings, tmp_path):
    authority = Authority(tmp_path, "revoking")
    authority.client("gone")
    certificate = tmp_path / "gone.pem"
    crl = tmp_path / "crl.pem"
    crl.write_text(authority.crl(authority.issuing, certificate) + authority.crl(authority.root))
    path = settings(routes=asking("request", ca=f"'{authority.root}'", crl=f"'{crl}'"))
    decision, clients = decide(path, "GET https://localhost/asks", "--certificate", certificate)
    assert "revoked" in decision["certificate"]["detail"] and not clients[PHA]["allowed"]


def test_allow_rules(settings, client):
    path = settings(routes=asking("request", allow="[ 'subject=CN=nobody' ]"))
    decision, clients = decide(path, "GET https://localhost/asks", "--certificate", client)
    assert decision["certificate"]["verified"] and not decision["certificate"]["allowed"]
    assert (clients[PHA]["verdict"], clients[PHA]["reason"], clients[PHA]["status"]) == ("rejected", "not-allowed", 403)


def test_elsewhere(settings, client):
    path = settings(routes=asking("request", elsewhere="https://other.example"))
    _, clients = decide(path, "GET https://localhost/asks", "--certificate", client)
    assert (clients[TLS13]["status"], clients[TLS13]["location"]) == (307, "https://other.example")


def test_after_the_response_all_are_allowed(settings):
    _, clients = decide(settings(routes=asking("response")), "GET https://localhost/asks")
    assert (clients[PHA]["moment"], clients[PHA]["verdict"], clients[PHA]["allowed"]) == ("response", "none", True)
    assert (clients[TLS13]["means"], clients[TLS13]["allowed"]) == ("none", True)


@pytest.mark.parametrize(
    "request_line, options, status, reason",
    [
        ("GET https://localhost/a/../late", (), 400, "malformed-request"),
        ("PUT https://localhost/big", ("--header", "Content-Length: 11"), 413, "body-too-large"),
    ],
)
def test_what_is_refused_before_a_certificate_matters(settings, request_line, options, status, reason):
    routes = "      - { path: /big, max_request_body: 10, upstream: builtin:sink }\n"
    decision, clients = decide(settings(routes=routes), request_line, *options)
    assert (decision["refused"]["status"], decision["refused"]["reason"]) == (status, reason)
    assert clients == {}


def test_a_body_that_is_too_large_to_be_drained(settings, client):
    path = settings(routes=asking("request", max_body="10"))
    _, clients = decide(path, "PUT https://localhost/asks", "--certificate", client, "--header", "Content-Length: 11")
    assert (clients[TLS12]["verdict"], clients[TLS12]["reason"], clients[TLS12]["status"]) == ("over-limit", "body-size", 413)
    assert clients[PHA]["allowed"]


def test_the_id_that_a_request_brings_is_sent(settings):
    more = "upstreams: { app: { servers: [ 'http://127.0.0.1:1' ] } }\n"
    path = settings(more=more, routes="      - { path: /up, upstream: app, headers: { request: { set: { X-Id: '{request.id}' } } } }\n")
    path.write_text(path.read_text().replace("    routes:", "    request_id_from: X-Request-Id\n    routes:"))
    for header, taken in (("X-Request-Id: mine-1", True), ("X-Request-Id: not fit", False)):
        sent = json.dumps(decide(path, "GET https://localhost/up", "--header", header)[0]["sent"])
        assert sent.count("mine-1") == (2 if taken else 0), sent


def test_what_a_rate_counts_for(settings):
    path = settings(routes="      - { path: /own, rate: 3/s, upstream: builtin:sink }\n")
    path.write_text(path.read_text().replace("    routes:", "    rate: 7/s\n    routes:"))
    for target, counted_for in (("/x", "host"), ("/own", "route"), ("/a/../own", "host")):
        assert decide(path, f"GET https://localhost{target}")[0]["access"]["rate"]["counted_for"] == counted_for, target


def test_a_spelling_of_a_route_that_asks_gets_that_route(settings):
    """As on a connection: some services treat /LATE as /late."""
    decision, _ = decide(settings(), "GET https://localhost/LATE")
    assert decision["route"]["path"] == "/late"


@pytest.mark.parametrize(
    "request_line, options",
    [
        ("https://localhost/", ()),
        ("GET http://localhost/", ()),
        ("GET https:///x", ()),
        ("GET https://user@localhost/", ()),
        ("GET https://localhost/", ("--header", "no colon")),
    ],
)
def test_an_invalid_request_line_is_a_usage_error(settings, request_line, options):
    code, out, err = check(settings(), request_line, *options)
    assert (code, out) == (EX_USAGE, "") and err


def test_a_host_that_is_not_configured(settings):
    path = settings()
    path.write_text(path.read_text().replace("name: '*'", "name: localhost"))
    code, out, err = check(path, "GET https://other.example/")
    assert (code, out) == (EX_USAGE, "") and "'other.example'" in err


def test_a_certificate_that_cannot_be_read(settings, tmp_path):
    code, _, err = check(settings(), "GET https://localhost/late", "--certificate", tmp_path / "none.pem")
    assert code != 0 and "none.pem" in err


def test_options_without_a_request(settings):
    code, _, err, _ = run([str(binary()), "check", "-c", str(settings()), "--certificate", "x"], LIMIT)
    assert code == EX_USAGE and b"--request" in err


def test_text(settings, client):
    code, out, _ = check(settings(), "PUT https://localhost/late", "--certificate", client)
    assert code == 0
    assert out.splitlines()[:5] == ["PUT https://localhost/late", "host *", "route /late: client certificate request, required",
                                    "upstream builtin:inspect", f"certificate {client}: CN=Thaw Demo Client: accepted"]  # fmt: skip
