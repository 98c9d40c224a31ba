"""Hosts and paths that have other names at the service than for clients: rewritten in both directions, and judged in
the form that is sent."""

import contextlib
import json
import ssl
import subprocess

import pytest

from harness import h2
from harness.canned import Canned
from harness.gateway import Gateway, binary
from harness.rawtls import Raw

TEXT = """
workers: 1
listen: [ {{ address: 127.0.0.1:0 }} ]
spool: {{ directory: {folder} }}
log: {{ access: stdout }}
hosts:
  - name: "*"
    certificate: {pki}/server.pem
    key: {pki}/server.key
    http2: "{http2}"
    client_certificate: {{ ca: {pki}/ca.pem }}
    routes:
      - {{ path: /, upstream: app }}
      - {{ path: /app, upstream: app, strip_prefix: /app }}
      - {{ path: /more, upstream: app, strip_prefix: /more, add_prefix: /v2 }}
{routes}
upstreams:
  app: {{ servers: [ "{server}" ], connect_timeout: 30s{upstream} }}
"""
GUARDED = """      - { path: /secure, upstream: app, client_certificate: { when: request } }
      - { path: /app/secure, upstream: app, strip_prefix: /app, client_certificate: { when: request } }
"""


@pytest.fixture
def upstream():
    running = Canned()
    yield running
    running.close()


@contextlib.contextmanager
def front(pki, folder, server, upstream="", routes="", http2="off"):
    (folder / "thaw.yaml").write_text(TEXT.format(folder=folder, pki=pki, server=server, upstream=upstream, routes=routes, http2=http2))
    gateway = Gateway(["-c", str(folder / "thaw.yaml")], pki, folder)
    try:
        yield gateway
        assert not gateway.complaints()
    finally:
        gateway.stop()


def fields(client, name):
    return [value for key, value in client.fields if key == name]


@pytest.mark.parametrize("host, sent", (("pass", "localhost:{front}"), ("upstream", "127.0.0.1:{port}"), ("App.Example:81", "app.example:81")))
def test_host_and_what_refers_to_it(host, sent, pki, tmp_path, upstream):
    with front(pki, tmp_path, f"http://127.0.0.1:{upstream.port}", f", host: '{host}'") as gateway, Raw(gateway) as client:
        report, own = sent.format(front=gateway.port, port=upstream.port), f"localhost:{gateway.port}"
        upstream.status = "201 Created"
        upstream.fields = (f"Location: http://{report}/a?b", f"Content-Location: http://127.0.0.1:{upstream.port}/c", "Set-Cookie: a=b; Path=/x",
                           f"Set-Cookie: c=d; Domain={report.split(':')[0]}", "X-Else: http://app.example/")  # fmt: skip
        assert client.ask("MOVE", "/from", None, f"Destination: https://{own}/to%20x").status == 201
        seen = upstream.take()
        assert seen.get(b"host") == [report.encode()] and seen.get(b"destination") == [f"http://{report}/to%20x".encode()]
        assert seen.get(b"x-forwarded-host") == [own.encode()]
        assert fields(client, "location") == [f"https://{own}/a?b"] and fields(client, "content-location") == [f"https://{own}/c"]
        assert fields(client, "set-cookie") == ["a=b; Path=/x", "c=d; Domain=localhost"]
        assert fields(client, "x-else") == ["http://app.example/"]
        upstream.fields = ("Location: http://elsewhere.example/", "Set-Cookie: a=b; Domain=elsewhere.example")
        assert client.ask("GET", "/x", None, "Destination: https://elsewhere.example/x").status == 201
        assert upstream.take().get(b"destination") == [b"https://elsewhere.example/x"]
        assert fields(client, "location") == ["http://elsewhere.example/"]
        assert fields(client, "set-cookie") == ["a=b; Domain=elsewhere.example"]


@pytest.mark.parametrize("target, sent", (
    ("/app", "/"), ("/app?q=1", "/?q=1"), ("/app/a;b=c/%2F?q#".rstrip("#"), "/a;b=c/%2F?q"), ("/app//evil.example/x", "/evil.example/x"),
    ("/more/x", "/v2/x"), ("/more", "/v2"), ("//app/x", "/x"), ("/apple", "/apple"), ("/x/app/y", "/x/app/y"),
))  # fmt: skip
def test_prefixes(target, sent, pki, tmp_path, upstream):
    with front(pki, tmp_path, f"http://127.0.0.1:{upstream.port}") as gateway, Raw(gateway) as client:
        assert client.ask("GET", target).status == 200
        assert upstream.take().target == sent.encode()


@pytest.mark.parametrize("target", ("/%61pp/x", "/APP/x", "/app;a=b/x", "/app%2Fx"))
def test_another_spelling_of_a_prefix_is_refused(target, pki, tmp_path, upstream):
    with front(pki, tmp_path, f"http://127.0.0.1:{upstream.port}") as gateway, Raw(gateway) as client:
        status = client.ask("GET", target).status
        if status == 200:  # a spelling that only some services treat as this prefix gets its own route
            assert upstream.take().target == target.encode()
        else:
            assert status == 400


def test_responses_below_a_prefix(pki, tmp_path, upstream):
    with front(pki, tmp_path, f"http://127.0.0.1:{upstream.port}") as gateway, Raw(gateway) as client:
        own = f"localhost:{gateway.port}"
        upstream.fields = (f"Location: http://{own}/v2/a", "Set-Cookie: a=b; Path=/v2/c; Secure", "Set-Cookie: __Host-a=b; Path=/; Secure")
        assert client.ask("COPY", "/more/x", None, f"Destination: https://{own}/more/y").status == 200
        assert upstream.take().get(b"destination") == [f"http://{own}/v2/y".encode()]
        assert fields(client, "location") == [f"https://{own}/more/a"]
        assert fields(client, "set-cookie") == ["a=b; Path=/more/c; Secure", "__Host-a=b; Path=/; Secure"]


@pytest.mark.parametrize("source, destination, sent", (
    ("/more/x", "/more/y", "/v2/y"), ("/more/x", "/app/y", "/y"), ("/app/x", "/more/y%20z", "/v2/y%20z"), ("/app/x", "/y", "/y"),
    ("/x", "/app", "/"), ("/x", "/more", "/v2"), ("/app/x", "/app//y", "/y"), ("/x", "/apple", "/apple"),
))  # fmt: skip
def test_a_destination_has_the_prefixes_of_its_own_route(source, destination, sent, pki, tmp_path, upstream):
    with front(pki, tmp_path, f"http://127.0.0.1:{upstream.port}") as gateway, Raw(gateway) as client:
        own = f"localhost:{gateway.port}"
        for method, value, expected in (("MOVE", f"https://{own}{destination}", f"http://{own}{sent}"), ("COPY", destination, sent)):
            assert client.ask(method, source, None, f"Destination: {value}").status == 200
            assert upstream.take().get(b"destination") == [expected.encode()]
        assert client.ask("MOVE", source, None, "Destination: /%61pp/y").status == 400  # in another spelling


def test_check_prints_what_is_changed(pki, tmp_path):
    text = TEXT.format(folder=tmp_path, pki=pki, server="http://app", upstream=", host: App.Example", routes="", http2="off")
    (tmp_path / "thaw.yaml").write_text(text)
    run = lambda *more: subprocess.run([binary(), "check", "-c", tmp_path / "thaw.yaml", *more], capture_output=True, check=True, text=True).stdout
    report = run()
    assert "'/more' becomes '/v2'" in report and "host: app.example" in report
    routes = json.loads(run("--json"))["hosts"][0]["routes"]
    assert [(r.get("strip_prefix"), r.get("add_prefix")) for r in routes] == [(None, None), ("/app", None), ("/more", "/v2")]


def test_over_http2(pki, tmp_path, upstream):
    with front(pki, tmp_path, f"http://127.0.0.1:{upstream.port}", ", host: upstream", http2="on") as gateway, h2.connect(gateway) as client:
        report, own = f"127.0.0.1:{upstream.port}", f"localhost:{gateway.port}"
        upstream.fields = (f"Location: http://{report}/v2/a", "Set-Cookie: a=b; Path=/v2; Domain=127.0.0.1")
        answer = client.ask("MOVE", "/more/x?y", ("destination", f"https://{own}/more/z"), authority=own)
        seen = upstream.take()
        assert answer.status == 200 and seen.target == b"/v2/x?y" and seen.get(b"host") == [report.encode()]
        assert seen.get(b"destination") == [f"http://{report}/v2/z".encode()]
        assert answer.get("location") == [f"https://{own}/more/a"] and answer.get("set-cookie") == ["a=b; Path=/more; Domain=localhost"]


def test_the_resources_of_an_if_have_the_prefixes_of_their_own_routes(pki, tmp_path, upstream):
    """RFC 4918 10.4: without it no locked resource could be written behind a prefix."""
    lock = "(<urn:uuid:150852e2-3847-42d5-8cbe-0f4f296f26cf> [\"e\"])"
    with front(pki, tmp_path, f"http://127.0.0.1:{upstream.port}") as gateway, Raw(gateway, "1.3") as client:
        own = f"localhost:{gateway.port}"
        for given, sent in (
            (f"<https://{own}/app/x> {lock}", f"<http://{own}/x> {lock}"), (lock, lock), (f"</app/x> {lock} (Not <DAV:no-lock>)", f"</x> {lock} (Not <DAV:no-lock>)"),
            (f"<https://{own}/app/x> {lock} </more/y> {lock} </z> {lock}", f"<http://{own}/x> {lock} </v2/y> {lock} </z> {lock}"),
            (f"<https://elsewhere.example/app/x> {lock}", f"<https://elsewhere.example/x> {lock}"),
        ):  # fmt: skip
            assert client.ask("PUT", "/app/x", None, f"If: {given}", "Content-Length: 0").status == 200
            assert upstream.take().get(b"if") == [sent.encode()]
        assert client.ask("MOVE", "/app/x", None, f"Destination: /more/y", f"If: </app/x> {lock} </more/y> {lock}").status == 200
        seen = upstream.take()
        assert (seen.get(b"destination"), seen.get(b"if")) == ([b"/v2/y"], [f"</x> {lock} </v2/y> {lock}".encode()])
    for wrong in (f"If: {lock} </app/x> {lock}", "If: </app/x>", "If: x", f"If: <app/x> {lock}", f"If: </%61pp/x> {lock}", f"If: </b/../a> {lock}", "If: " + f"</a> {lock}" * 17):
        with front(pki, tmp_path, f"http://127.0.0.1:{upstream.port}") as gateway, Raw(gateway, "1.3") as client:
            assert client.ask("PUT", "/app/x", None, wrong, "Content-Length: 0").status == 400, wrong


def test_the_links_of_a_service_are_the_clients(pki, tmp_path, upstream):
    with front(pki, tmp_path, f"http://127.0.0.1:{upstream.port}") as gateway, Raw(gateway, "1.3") as client:
        own = f"localhost:{gateway.port}"
        link = f"</v2/a>; rel=preload, <http://{own}/v2/b?c=d>; rel=\"next\", <http://elsewhere.example/v2/b>; rel=x, <e>; rel=y"
        upstream.fields = (f"Link: {link}",)
        assert client.ask("GET", "/more/x").status == 200
        assert fields(client, "link") == [f"</more/a>; rel=preload, <https://{own}/more/b?c=d>; rel=\"next\", <http://elsewhere.example/v2/b>; rel=x, <e>; rel=y"]


def test_guarded_paths_are_guarded_in_every_way(pki, tmp_path, upstream):
    """The path that is sent to the service, and the path of a Destination, are judged like the path of the request."""
    with front(pki, tmp_path, f"http://127.0.0.1:{upstream.port}", routes=GUARDED) as gateway:
        own = f"localhost:{gateway.port}"
        refused = (
            ("GET", "/secure/x", ()), ("GET", "/app/secure/x", ()), ("GET", "/app/%73ecure/x", ()), ("GET", "/app//secure/x", ()),
            ("MOVE", "/a", (f"Destination: https://{own}/secure/x",)), ("MOVE", "/a", ("Destination: /secure/x",)),
            ("MOVE", "/a", ("Destination: http://elsewhere.example/secure/x",)), ("MOVE", "/a", ("Destination: secure/x",)),
            ("MOVE", "/a", ("Destination: /b", "Destination: /secure/x")), ("COPY", "/a", (f"Destination: https://{own}/%73ecure",)),
            ("COPY", "/app/a", (f"Destination: https://{own}/app/secure/b",)), ("COPY", "/a", ("Destination: /b/../secure/x",)),
            ("PUT", "/a", (f"If: <https://{own}/secure/x> (<urn:x>)",)), ("PUT", "/a", ("If: </a> (<urn:x>) </app/secure/x> ([\"e\"])",)),
            ("GET", "/a", ("If: <http://elsewhere.example/secure/x> (<urn:x>)",)), ("PUT", "/a", ("If: (<urn:x>)", "If: </secure/x> (<urn:x>)")),
            ("PUT", "/a", ("If: </%73ecure/x> (<urn:x>)",)), ("PUT", "/a", ("If: </a>, </secure/x> (<urn:x>)",)),
        )  # fmt: skip
        for method, target, more in refused:
            with Raw(gateway, "1.3", identity=None) as client:
                assert client.ask(method, target, None, *more).status in (400, 403), (method, target, more)
        with Raw(gateway, "1.3") as client:
            assert client.ask("MOVE", "/a", None, f"Destination: https://{own}/b").status == 200
            assert upstream.take().target == b"/a"
            assert client.ask("MOVE", "/secure/a", None, f"Destination: https://{own}/secure/b").status == 200
            assert upstream.take().target == b"/secure/a"


def test_a_path_that_becomes_a_guarded_one_is_refused(pki, tmp_path, upstream):
    guarded = "      - { path: /secure, upstream: app, client_certificate: { when: request } }\n"
    with front(pki, tmp_path, f"http://127.0.0.1:{upstream.port}", routes=guarded) as gateway:
        for target in ("/app/secure/x", "/app/%73ecure", "/app//secure/x", "/app/SECURE"):
            with Raw(gateway, "1.3") as client:
                answer = client.ask("GET", target)
                assert (answer.status, answer.json()["reason"]) == (400, "unclear-path")
        for method in ("MOVE", "COPY"):
            for target in ("/app/secure/x", "https://localhost/app/secure/x", "/app/%73ecure", "/app//secure/x", "/app/SECURE", "/app/secure"):
                for source in ("/app/a", "/a"):
                    with Raw(gateway, "1.3") as client:
                        answer = client.ask(method, source, None, f"Destination: {target}")
                        assert (answer.status, answer.json()["reason"]) == (400, "unclear-path"), (source, target)
        with Raw(gateway, "1.3") as client:
            assert client.ask("GET", "/app/open").status == 200
            assert upstream.take().target == b"/open"
            assert client.ask("MOVE", "/secure/a", None, "Destination: /app/secure/b").status == 200
            seen = upstream.take()
            assert seen.target == b"/secure/a" and seen.get(b"destination") == [b"/secure/b"]


BEHIND = """      - {{ path: /pub, upstream: app, strip_prefix: /pub, add_prefix: /v2 }}
      - {{ path: /admin, upstream: app, strip_prefix: /admin, add_prefix: /v2/admin, client_certificate: {{ when: request }} }}
      - {{ path: /admin/open, upstream: app, strip_prefix: /admin, add_prefix: /v2/admin }}
      - {{ path: /login, upstream: app, strip_prefix: /login, client_certificate: {{ when: request }} }}
      - {{ path: /write, upstream: app, strip_prefix: /write, add_prefix: /files, methods: [ PUT ], client_certificate: {{ when: request }} }}
""".replace("{{", "{").replace("}}", "}")


def test_what_a_prefixed_route_guards_is_not_reached_by_another_route(pki, tmp_path, upstream):
    """The guard is at a client's name for the path; other routes to the same service lead there, too."""
    with front(pki, tmp_path, f"http://127.0.0.1:{upstream.port}", routes=BEHIND) as gateway:
        spellings = ("/pub/admin/x", "/pub/admin", "/v2/admin/x", "/v2/ADMIN", "/v2//admin/x", "/v2/%61dmin/x", "/pub/admin;a=b/x", "/more/admin/x",
                     "/app/v2/admin/x", "/pub/admin/opener", "/pub/admin%2Fx")  # fmt: skip
        for target in spellings:
            with Raw(gateway, "1.3") as client:
                answer = client.ask("GET", target)
                assert (answer.status, answer.json()["reason"]) == (400, "unclear-path"), target
        for target in ("/pub/admin/x", "/v2/admin/x", "/app/v2/admin/x", "/files/x", "/app/files/x"):
            for method in ("MOVE", "COPY"):
                with Raw(gateway, "1.3") as client:
                    answer = client.ask(method, "/a", None, f"Destination: {target}")
                    assert (answer.status, answer.json()["reason"]) == (400, "unclear-path"), target
        with Raw(gateway, "1.3", identity=None) as client:
            assert client.ask("GET", "/admin/x").status == 403
        for target, sent in (("/admin/x", "/v2/admin/x"), ("/pub/x", "/v2/x"), ("/v2/administrator", "/v2/administrator"), ("/pub/admin/open/x", "/v2/admin/open/x"),
                             ("/login/x", "/x"), ("/x", "/x"), ("/files/x", "/files/x"), ("/app/x", "/x")):  # fmt: skip
            with Raw(gateway, "1.3") as client:
                assert client.ask("GET", target).status == 200, target
                assert upstream.take().target == sent.encode()
        with Raw(gateway, "1.3") as client:
            assert client.ask("PUT", "/files/x", b"x").status == 400


@pytest.mark.parametrize("upstream_keys, name, host", (
    (", host: App.Example, tls: {{ ca: {ca} }}", "app.example", "app.example"),
    (", host: 'app.example:444', tls: {{ ca: {ca} }}", "app.example", "app.example:444"),
    (", host: upstream, tls: {{ ca: {ca} }}", "localhost", "localhost:{port}"),
    (", host: upstream, tls: {{ ca: {ca}, name: app.example }}", "app.example", "localhost:{port}"),
))  # fmt: skip
def test_server_name_fits_the_host(upstream_keys, name, host, pki, tmp_path):
    """Otherwise an Apache with several hosts answers 421."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=app",
                    "-addext", f"subjectAltName=DNS:{name}", "-keyout", tmp_path / "app.key", "-out", tmp_path / "app.pem"],
                   check=True, capture_output=True)  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "app.pem", tmp_path / "app.key")
    names = []
    upstream = Canned(context, names)
    try:
        keys = upstream_keys.format(ca=tmp_path / "app.pem")
        with front(pki, tmp_path, f"https://localhost:{upstream.port}", keys) as gateway, Raw(gateway) as client:
            report = host.format(port=upstream.port)
            upstream.fields = (f"Location: https://{report}/a",)
            assert client.ask("GET", "/x", None, f"Destination: https://localhost:{gateway.port}/y").status == 200
            seen = upstream.take()
            assert names == [name] and seen.get(b"host") == [report.encode()]
            assert seen.get(b"destination") == [f"https://{report}/y".encode()]
            assert fields(client, "location") == [f"https://localhost:{gateway.port}/a"]
    finally:
        upstream.close()
