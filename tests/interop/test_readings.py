"""The upstream gets a path, a method and a host in the form that the gateway judged."""

import pytest

from harness.gateway import Gateway, Settings
from harness.rawtls import Raw
from harness.recorder import Recorder

ROUTES = (("/secure", {"when": "request"}), ("/secure/open", {"when": "never"}),
          ("/files", {"when": "request"}, ("PUT", "POST", "DELETE")))  # fmt: skip
GUARDED = (
    "/secure/x", "//secure/x", "/%2Fsecure/x", "/secure;a=b/x", "/%73ecure/x", "/secure%2Fx", "/SECURE/x", "/Secure",
    "/%53ecure/x", "/secure.", "/secure%20", "/secure::$DATA", "/SECURE~1", "/%2Fx/secure/data", "/secure/open;x",
    "/secure/open%2Fx", "/secure/OPEN", "/secure//open", "/%EF%BD%93ecure", "/%C5%BFecure",
)  # fmt: skip
PASSED = {
    "/": "/",
    "//x/secure/data": "/x/secure/data",
    "///x/secure/data?y=//z": "/x/secure/data?y=//z",
    "/projects/group%2Fname?raw=%2F;x": "/projects/group%2Fname?raw=%2F;x",
    "/a//b;c=d/%C3%A4%20b": "/a//b;c=d/%C3%A4%20b",
    "/secure/open": "/secure/open",
}


@pytest.fixture(scope="module")
def recorder():
    running = Recorder()
    yield running
    running.close()


@pytest.fixture(scope="module")
def start(recorder, pki, tmp_path_factory):
    running = []

    def gateway(**settings):
        folder = tmp_path_factory.mktemp("readings")
        text = Settings(pki, upstream="app", workers=1, spool={"directory": str(folder)}, routes=ROUTES,
                        upstreams={"app": f"{{ servers: [ 'http://127.0.0.1:{recorder.port}' ] }}"}, **settings).text()
        (folder / "thaw.yaml").write_text(text)
        running.append(Gateway(["-c", str(folder / "thaw.yaml")], pki, folder))
        return running[-1]

    yield gateway
    for one in running:
        one.stop()


@pytest.fixture(scope="module")
def gateway(start):
    return start()


@pytest.mark.parametrize("target", GUARDED)
def test_each_spelling_needs_the_certificate(target, gateway, recorder):
    recorder.take()
    with Raw(gateway, "1.3", identity=None) as client:
        assert client.ask("GET", target).status == 403
    assert recorder.take() == ([], [])
    with Raw(gateway, "1.3") as client:
        assert client.ask("GET", target).status == 200


@pytest.mark.parametrize("target", PASSED)
def test_target_as_it_was_judged(target, gateway, recorder):
    recorder.take()
    with Raw(gateway, "1.3", identity=None) as client:
        assert client.ask("GET", target).status == 200
    assert [m.target.decode() for m in recorder.take()[0]] == [PASSED[target]]


@pytest.mark.parametrize("method, fields, status", [
    ("GET", (), 200), ("PUT", (), 403), ("put", (), 501), ("Put", (), 501), ("get", (), 501), ("Invent", (), 200),
    ("GET", ("X-HTTP-Method-Override: PUT",), 403), ("GET", ("X-HTTP-Method-Override: PATCH",), 200),
])  # fmt: skip
def test_methods(method, fields, status, gateway, recorder):
    recorder.take()
    with Raw(gateway, "1.3", identity=None) as client:
        assert client.ask(method, "/files/a", None, *fields).status == status
    assert len(recorder.take()[0]) == (status == 200)


def test_case_matters_where_the_host_says_so(start, recorder):
    recorder.take()
    with Raw(start(host={"paths": "case-sensitive"}), "1.3", identity=None) as client:
        assert client.ask("GET", "/SECURE/x").status == 200
    with Raw(start(host={"paths": "case-sensitive"}), "1.3", identity=None) as client:
        assert client.ask("GET", "/secure./x").status == 403
    assert len(recorder.take()[0]) == 1


@pytest.mark.parametrize("named, passed", [
    ("localhost", b"localhost"), ("LocalHost.", b"localhost"), ("Localhost:8443", b"localhost:8443"),
    ("localhost.:8443", b"localhost:8443"), ("localhost:", b"localhost"),
])  # fmt: skip
def test_host_as_it_was_judged(named, passed, gateway, recorder):
    recorder.take()
    with Raw(gateway) as client:
        client.send(f"GET / HTTP/1.1\r\nHost: {named}\r\n\r\n".encode())
        assert client.read().status == 200
    (seen,), _ = recorder.take()
    assert seen.get(b"host") == [passed] and seen.get(b"x-forwarded-host") == [passed]


def test_elsewhere_keeps_path_and_query(serve):
    """Also of a target in absolute form."""
    there = serve(routes=(("/late", {"when": "request", "elsewhere": "https://other.example"}),))
    for target in ("/late/x?y=z", "https://localhost/late/x?y=z", "https://localhost//late/x?y=z", "//late/x?y=z"):
        with Raw(there, "1.3", pha=False) as client:
            answer = client.ask("GET", target)
            assert (answer.status, answer.headers["location"]) == (307, "https://other.example/late/x?y=z")


def test_control_character_in_a_path_is_reported_with_a_cure_that_works(gateway):
    with Raw(gateway) as client:
        answer = client.ask("GET", "/a%09b")
        assert answer.status == 400 and "RFC 9112" not in answer.json()["cure"]
