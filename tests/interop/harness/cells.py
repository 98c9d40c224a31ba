"""The matrix: what real clients can do, and the expected result of each cell.

A cell is one request of one client: a path (which determines when the gateway asks), a size, a TLS version, a framing.
On the throwaway hosts a client without post-handshake authentication is held to TLS 1.2 if it supports that ('auto'),
and gets a readable 403 if it insists on TLS 1.3. Go ends its connection when it is asked to renegotiate, unless it is
configured to allow that: then no response can reach it (status 0), but the access record has the reason.
"""

import ctypes
from dataclasses import dataclass

SIZES = {"1k": 1024, "1m": 1048576, "50m": 52428800}
VERSIONS = ("1.2", "1.3", "auto")

HOSTS = {"handshake": "handshake.localhost"}  # all others: localhost
PATHS = {"late": "/late", "early": "/early", "body": "/body", "after": "/after", "never": "/", "handshake": "/any"}


@dataclass(frozen=True)
class Client:
    name: str
    pha: bool  # offers post-handshake authentication on TLS 1.3
    framings: tuple = ("length", "chunked")
    expects: bool = False  # can wait for a 100
    interleaves: bool = False  # sends body data between its ClientHello and its Finished
    renegotiates: bool = True  # False: ends the connection instead
    reads_final: bool = True  # False: if a refusal comes instead of a 100, it keeps only the status
    unsteady: str = ""  # the error with which a renegotiation sometimes ends because of a bug of the client




def _curl_gnutls_fault():
    """libcurl 8.13 and later reads application data during a GnuTLS renegotiation, and fails when it finds a handshake
    message. This also happens with Apache (3 of 6 small GETs of 8.14.1)."""
    library = ctypes.CDLL("libcurl-gnutls.so.4")
    library.curl_version.restype = ctypes.c_char_p
    version = library.curl_version().decode().split()[0].partition("/")[2]
    return "GnuTLS recv error (-15)" if tuple(map(int, version.split(".")[:2])) >= (8, 13) else ""


CLIENTS = {
    c.name: c
    for c in (
        Client("curl", pha=True, expects=True),
        Client("curl-gnutls", pha=False, expects=True, unsteady=_curl_gnutls_fault()),
        Client("wget", pha=True, framings=("length",)),
        Client("gnutls-cli", pha=False),
        Client("gnutls-cli-pha", pha=True),
        Client("s_client", pha=False),
        Client("s_client-pha", pha=True),
        Client("python-nopha", pha=False),
        Client("python-pha", pha=True),
        Client("requests", pha=True),
        Client("node-https", pha=False, expects=True),
        Client("node-fetch", pha=False, framings=("length",)),
        Client("node-undici", pha=False),
        Client("java-httpclient", pha=False, expects=True, interleaves=True),
        Client("java-urlconnection", pha=False, expects=True, reads_final=False),
        Client("go-renegotiate", pha=False, expects=True),
        Client("go-default", pha=False, expects=True, renegotiates=False),
        Client("perl-lwp", pha=True),
    )
}


@dataclass(frozen=True)
class Cell:
    client: str
    path: str
    size: str
    tls: str
    framing: str
    expect: bool = False
    mark: str = ""  # distinguishes repetitions

    @property
    def id(self):
        parts = (self.client, self.path, self.size, self.tls, self.framing, "expect" if self.expect else "", self.mark)
        return "-".join(part for part in parts if part)

    @property
    def host(self):
        return HOSTS.get(self.path, "localhost")

    def url(self, port):
        return f"https://{self.host}:{port}{PATHS[self.path]}?cell={self.id}"


@dataclass(frozen=True)
class Expected:
    status: int
    tls: str = ""
    means: str = ""  # "": no certificate
    moment: str = ""
    reason: str = ""


def _asked(cell, tls):
    if cell.path == "handshake":
        return "handshake", "handshake"
    if tls == "TLSv1.3":
        return "post-handshake", "body" if cell.path == "body" else "headers"
    early = cell.expect and cell.path == "late" or cell.path == "early"
    return "renegotiation", "headers" if early else "body"


def expected(cell):
    client = CLIENTS[cell.client]
    capped = cell.tls == "auto" and not client.pha and cell.path != "handshake"
    tls = "TLSv1.2" if cell.tls == "1.2" or capped else "TLSv1.3"
    if cell.path in ("never", "after"):
        return Expected(200, tls)
    if cell.path == "handshake":
        # A host whose routes all ask at the handshake need not hold clients to TLS 1.2, but may.
        return Expected(200, tls if cell.tls != "auto" else "", "handshake", "handshake")
    if tls == "TLSv1.3" and not client.pha:
        return Expected(403, tls, reason="no-post-handshake-auth")
    if tls == "TLSv1.2" and not client.renegotiates:
        return Expected(0, tls, reason="renegotiation-refused")
    return Expected(200, tls, *_asked(cell, tls))


def _late():
    for client in CLIENTS.values():
        for framing in client.framings:
            for tls in VERSIONS:
                for size in SIZES:
                    yield Cell(client.name, "late", size, tls, framing)


def _expect():
    for client in CLIENTS.values():
        if client.expects:
            for tls in VERSIONS:
                for size in SIZES:
                    yield Cell(client.name, "late", size, tls, "length", expect=True)


def _elsewhere():
    """All other moments, at 1 MiB; also at 50 MiB where the order of messages differs most from /late."""
    for client in CLIENTS.values():
        for path in ("early", "body", "after", "never", "handshake"):
            for tls in VERSIONS:
                # Asked early over TLS 1.2, a client that interleaves may break its own connection: operators choose
                # 'early' only for clients that do not interleave.
                if path == "early" and client.interleaves and tls != "1.3":
                    continue
                yield Cell(client.name, path, "1m", tls, client.framings[-1])


ALL = (*_late(), *_expect(), *_elsewhere())


def failed_by_itself(cell, outcome):
    """Whether a renegotiation failed because of the client's own bug."""
    mark = CLIENTS[cell.client].unsteady
    return bool(mark) and expected(cell).means == "renegotiation" and outcome.status == 0 and mark in outcome.error
