"""gRPC needs HTTP/2 to the service, but services get HTTP/1.1: a call fails immediately with a readable error."""

import contextlib

import pytest

from harness import h2
from harness.canned import Canned
from harness.gateway import Gateway, Settings
from harness.rawtls import Raw

CALLS = ("application/grpc", "application/grpc+proto", "Application/GRPC+json", "application/grpc;charset=utf-8")
OTHERS = ("application/grpc-web", "application/grpc-web+proto", "application/grpcx", "application/json", "text/plain; a=application/grpc")


@pytest.fixture
def service():
    running = Canned()
    yield running
    running.close()


@contextlib.contextmanager
def front(pki, folder, port):
    text = Settings(pki, upstream="app", workers=1, spool={"directory": str(folder)}, host={"http2": "on"},
                    upstreams={"app": f"{{ servers: [ 'http://127.0.0.1:{port}' ] }}"}).text()  # fmt: skip
    (folder / "thaw.yaml").write_text(text)
    gateway = Gateway(["-c", str(folder / "thaw.yaml")], pki, folder)
    try:
        yield gateway
        assert not gateway.complaints()
    finally:
        gateway.stop()


def test_a_call_is_unimplemented(pki, tmp_path, service):
    with front(pki, tmp_path, service.port) as gateway, h2.connect(gateway) as client:
        for number, kind in enumerate(CALLS):
            stream = client.request("POST", f"/pkg.Service/Call{number}", ("content-type", kind), ("te", "trailers"), body=bytes(5), end=False)
            answer = client.response(stream)
            assert (answer.status, answer.body, answer.get("content-type")) == (200, b"", ["application/grpc"])
            assert answer.get("grpc-status") == ["12"] and "HTTP/2" in answer.get("grpc-message")[0]
        for kind in OTHERS:
            assert client.ask("POST", "/web", ("content-type", kind), body=b"abc").status == 200
            assert service.take().target == b"/web"
        assert gateway.record("/pkg.Service/Call0")["upstream"] is None


def test_a_call_over_http1_is_refused(pki, tmp_path, service):
    with front(pki, tmp_path, service.port) as gateway, Raw(gateway, identity=None) as client:
        with Raw(gateway, identity=None) as caller:
            answer = caller.ask("POST", "/pkg.Service/Call", bytes(5), "Content-Type: application/grpc")
            assert (answer.status, answer.json()["reason"]) == (501, "grpc")
        assert client.ask("POST", "/web", bytes(5), "Content-Type: application/grpc-web").status == 200
