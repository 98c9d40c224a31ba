"""Allocations of a worker that fail: one after the other, in all that one ask needs."""

import ctypes
import hashlib
import itertools
import mmap
import os
import pathlib
import select
import subprocess
import time
from dataclasses import dataclass

import pytest
from harness.rawtls import LIMIT, Raw, context
from server import Nginx, preload_library
from test_bodies import parts

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What the module takes from nginx's pools: they rarely need malloc().
WRAPPED = ("ngx_palloc", "ngx_pcalloc", "ngx_pnalloc", "ngx_alloc_chain_link", "ngx_create_temp_buf", "ngx_list_push",
           "ngx_pool_cleanup_add", "ngx_http_cleanup_add")
CRYPTO = ctypes.CDLL("libcrypto.so.3")  # which Python's ssl module uses
OPENSSL_COUNT = 20  # of thousands in each case
BODY = bytes(range(256)) * 200
SERVER = """
    listen 127.0.0.1:{port} ssl;
    server_name localhost;
    client_body_buffer_size 16k;
    thaw_certificate_authority {pki}/ca.pem;
    location / {{ proxy_pass http://app; }}
    location /late {{ thaw_client_certificate request; proxy_pass http://app; }}
    location /early {{ thaw_client_certificate request_early; proxy_pass http://app; }}
    location /body {{ thaw_client_certificate body; proxy_pass http://app; }}
    location /streamed {{ thaw_client_certificate request_early; proxy_request_buffering off; proxy_http_version 1.1; proxy_pass http://app; }}
    location /elsewhere {{ thaw_client_certificate request; thaw_elsewhere https://certauth.example.com; proxy_pass http://app; }}
    location /file {{ thaw_client_certificate request_early; root {folder}; dav_methods PUT; }}
"""
OWN = """
    listen 127.0.0.1:{port} ssl;
    server_name handshake.localhost;
    ssl_verify_client optional_no_ca;
    ssl_client_certificate {pki}/stranger-ca.pem;
    thaw_certificate_authority {pki}/ca.pem;
    location / {{ thaw_client_certificate request; proxy_pass http://app; }}
    location /open {{ proxy_pass http://app; }}
"""


@dataclass(frozen=True)
class Kind:
    """One request that is asked."""

    path: str
    tls: str
    body: int = 0
    framing: str = "length"
    status: tuple = (200,)
    identity: str = "client"
    host: str = "localhost"
    pha: bool = True
    handshake: bool = False  # its allocations fail, too
    halves: bool = False  # the second one follows once the upstream has the first


CASES = {
    "connection-1.2": Kind("/late", "1.2", handshake=True),
    "connection-1.3": Kind("/late", "1.3", handshake=True),
    "get-1.2": Kind("/late", "1.2"),
    "get-1.3": Kind("/late", "1.3"),
    "before-the-body-1.2": Kind("/early", "1.2", body=len(BODY)),
    "before-the-body-1.3": Kind("/early", "1.3", body=len(BODY)),
    "after-the-body-1.2": Kind("/late", "1.2", body=1000),
    "chunked-1.3": Kind("/early", "1.3", body=len(BODY), framing="chunked"),
    "expect-1.3": Kind("/body", "1.3", body=1000, framing="expect"),
    "streamed-1.2": Kind("/streamed", "1.2", body=len(BODY), halves=True),
    "streamed-chunked-1.3": Kind("/streamed", "1.3", body=len(BODY), framing="chunked", halves=True),
    "stored-1.3": Kind("/file/name", "1.3", body=1000, status=(201, 204)),
    "stored-chunked-1.3": Kind("/file/name", "1.3", body=1000, framing="chunked", status=(201, 204)),
    "declined-1.3": Kind("/late", "1.3", identity=None, status=(403,)),
    "untrusted-1.2": Kind("/late", "1.2", identity="stranger", status=(403,)),
    "own-trust-1.2": Kind("/", "1.2", host="handshake.localhost"),
    "elsewhere-1.3": Kind("/elsewhere", "1.3", pha=False, status=(307,)),
}


class Shared(ctypes.Structure):
    """As in fault.c."""

    _fields_ = [*((name, ctypes.c_uint64) for name in ("pid", "openssl", "armed", "counted", "failed", "in_decoder")), ("live", ctypes.c_int64)]


class Faulty:
    """An nginx with a worker whose allocations can be failed."""

    def __init__(self, folder, module, library, pki, inspector):
        (folder / "fault").write_bytes(bytes(ctypes.sizeof(Shared)))
        with open(folder / "fault", "r+b") as file:
            self.shared = Shared.from_buffer(mmap.mmap(file.fileno(), ctypes.sizeof(Shared)))
        self.nginx = Nginx(folder, module, pki, inspector.port, (SERVER, OWN), start=False, preload=library,
                           environment={"THAW_FAULT": str(folder / "fault")})
        (folder / "file").mkdir()
        self.nginx.start()
        (self.worker,) = self.nginx.workers()
        self.shared.pid = self.worker
        self.inspector, self.numbers = inspector, itertools.count()

    def arm(self, which, openssl=False):
        self.shared.armed = 0
        self.shared.openssl, self.shared.counted, self.shared.failed, self.shared.in_decoder = openssl, 0, 0, 0
        self.shared.armed = which

    def settled(self):
        """How many allocations there are once all is done."""
        self.shared.armed, seen, end = 0, None, time.monotonic() + LIMIT
        while seen != (seen := self.shared.live):
            assert time.monotonic() < end
            time.sleep(0.1)
        return seen


@pytest.fixture(scope="module")
def faulty(pki, inspector, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fault")
    # At the end of a process valgrind makes the C library unload libgcc_s if backtrace() has loaded it, and libthaw with it.
    library = preload_library(folder, "fault", "-Wl,--no-as-needed", "-lgcc_s")
    flags = "-Wl," + ",".join(f"--wrap={name}" for name in WRAPPED)
    temporary = folder / "a.Source"  # nginx's make rules take ".S" in a path for a file's extension
    temporary.mkdir()
    environment = {**os.environ, "LDFLAGS": flags, "TMPDIR": str(temporary)}
    built = subprocess.run([ROOT / "modules/nginx/build", ROOT / "build/nginx-fault"], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    made = Faulty(folder, pathlib.Path(built.stdout.strip()), library, pki, inspector)
    yield made
    made.nginx.stop()
    assert made.nginx.memory_errors() == []


def run(faulty, kind, ctx, arm):
    """The request's status; None: the connection ended."""
    if kind.handshake:
        arm()
    try:
        with Raw(faulty.nginx, ctx=ctx, host=kind.host) as client:
            if not kind.handshake:
                client.ask("GET", "/open")
                arm()
            return request(client, kind, f"{kind.path}?{next(faulty.numbers)}", faulty.inspector)
    except OSError:
        return None
    finally:
        # Python 3.13 may leave an error of a connection that ended in OpenSSL's queue, and raises it at the next one.
        CRYPTO.ERR_clear_error()


def request(client, kind, target, inspector):
    data = BODY[: kind.body]
    if not kind.body:
        client.send_request("GET", target)
    elif kind.framing == "expect":
        client.send(client.head("PUT", target, f"Content-Length: {len(data)}", "Expect: 100-continue"))
    else:
        first, rest = parts(client, "PUT", target, kind.framing, data, kind.body // 2)
        client.send(first)
        if kind.halves:
            exchange(client, lambda: inspector.came(target) > 0)
        client.send(rest)
    answer = client.read()
    if answer.status == 100:
        client.send(data)
        answer = client.read()
    if answer.status == 200:  # nobody is let in who was not accepted, and with nothing less than the whole body
        report = answer.json()
        assert (report["fields"]["x-verdict"], report["body_sha256"]) == ("accepted", hashlib.sha256(data).hexdigest())
    return answer.status


def exchange(client, condition):
    """Takes part in the handshake until that is so, or an answer is there."""
    client.tls.settimeout(0)
    while not condition() and not client.pending():
        select.select([client.tls], [], [], 0.02)
    client.tls.settimeout(LIMIT)


def fail_each(faulty, kind, openssl):
    one, ctx = faulty.nginx, context(faulty.nginx.pki, kind.tls, pha=kind.pha, identity=kind.identity)
    for _ in range(2):
        assert run(faulty, kind, ctx, lambda: faulty.arm(0, openssl)) in kind.status
    with Raw(one, "1.3") as other:
        assert other.ask("GET", "/open").status == 200
        before, total = faulty.settled(), faulty.shared.counted
        assert total > 0
        for which in range(1, total + 1, max(1, total // OPENSSL_COUNT) if openssl else 1):
            status = run(faulty, kind, ctx, lambda which=which: faulty.arm(which, openssl))
            failed, leaks = faulty.shared.failed, faulty.shared.in_decoder
            faulty.arm(0)
            assert status in {*kind.status, None, 403, 500, 502, 503}, which
            assert one.workers() == [faulty.worker], which
            assert other.ask("GET", "/open").status == 200, which
            if failed and leaks:
                before = faulty.settled()
            one.wait(lambda: faulty.shared.live == before, f"the end of what allocation {which} has left: {faulty.shared.live - before}")


@pytest.mark.parametrize("kind", CASES.values(), ids=CASES)
def test_each_allocation_of_an_ask_may_fail(faulty, kind):
    """The module's, libthaw's and nginx's own: the worker goes on, others are served, and all memory is given back."""
    fail_each(faulty, kind, False)


@pytest.mark.parametrize("kind", CASES.values(), ids=CASES)
def test_allocations_of_openssl_may_fail_during_an_ask(faulty, kind):
    """Its ASN.1 decoder leaks then: d2i_X509() alone does, with 5 of 984 (3.0.19). What it has left is not looked at."""
    fail_each(faulty, kind, True)
