"""Authentication that belongs to a connection (NTLM, Negotiate): an upstream connection that a client has authenticated
serves only this client's connection."""

import threading

import pytest

from harness.plain import front, read_head, reset, scripted  # noqa: F401 - two are fixtures
from harness.rawtls import LIMIT, Raw

NTLM = "Authorization: NTLM TlRMTVNTUAAB"


class Service:
    """Answers 401 until a connection sends credentials; then every request on it is that user's."""

    def __init__(self, scripted, offer="NTLM", status="401 Unauthorized", field="WWW-Authenticate"):
        self._refusal = f"HTTP/1.1 {status}\r\n{field}: {offer}\r\n"
        self._lock = threading.Lock()
        self.users = []  # the user of each connection; None: not authenticated
        self.connections = []
        self.port = scripted(self._serve).port

    def _serve(self, connection):
        with self._lock:
            number = len(self.users)
            self.users.append(None)
            self.connections.append(connection)
        while True:
            head = read_head(connection).decode("latin-1")
            for line in head.split("\r\n"):
                name, _, value = line.partition(":")
                if name.lower() == "authorization":
                    self.users[number] = value.split()[-1]
            user = self.users[number]
            if "/open" in head.split("\r\n")[0]:
                user = user or "nobody"
            body = f"{number} {user}".encode()
            first = self._refusal if user is None else "HTTP/1.1 200 OK\r\n"
            close = "Connection: close\r\n" if "/close" in head.split("\r\n")[0] else ""
            connection.sendall(f"{first}{close}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            if close:
                return


def ask(client, path="/x", *fields):
    """Returns (status, number of the upstream connection, user)."""
    response = client.ask("GET", path, None, *fields)
    number, user = response.body.decode().split()
    return response.status, int(number), user


@pytest.mark.parametrize("offer", ("NTLM", "Negotiate", "ntlm", "nEGOTIATE", "Basic realm=\"a, b\", Negotiate", "Basic realm=x,NTLM",
                                   "Kerberos", "Nego2", "Negotiate oRQwEqADCgEB"))
def test_connection_that_offered_it_is_not_shared(offer, front, scripted):
    service = Service(scripted, offer)
    gateway = front(service.port, workers=1)
    with Raw(gateway) as first, Raw(gateway) as second:
        status, number, _ = ask(first)
        assert status == 401
        assert ask(first, "/x", NTLM) == (200, number, "TlRMTVNTUAAB")
        assert ask(first) == (200, number, "TlRMTVNTUAAB")
        status, other, user = ask(second)
        assert (status, user) == (401, "None") and other != number
        assert ask(first) == (200, number, "TlRMTVNTUAAB")


@pytest.mark.parametrize("status, field", (("407 Proxy Authentication Required", "Proxy-Authenticate"),
                                           ("200 OK", "WWW-Authenticate"), ("403 Forbidden", "www-authenticate")))
def test_offer_counts_with_any_status(status, field, front, scripted):
    service = Service(scripted, "NTLM", status, field)
    gateway = front(service.port, workers=1)
    with Raw(gateway) as first, Raw(gateway) as second:
        number = ask(first)[1]
        assert ask(second)[1] != number
        assert ask(first)[1] == number


@pytest.mark.parametrize("scheme", ("NTLM", "Negotiate", "negotiate", "NEGOTIATE", "Kerberos"))
def test_connection_that_carried_credentials_is_not_shared(scheme, front, scripted):
    """The gateway saw no offer of the scheme, and the upstream connection comes from the pool."""
    service = Service(scripted)
    gateway = front(service.port, workers=1)
    with Raw(gateway) as first, Raw(gateway) as second:
        assert ask(second, "/open") == (200, 0, "nobody")  # the upstream connection is now idle in the pool
        assert ask(first, "/open", f"Authorization: {scheme} abc") == (200, 0, "abc")
        assert ask(second, "/open") == (200, 1, "nobody")
        assert ask(first, "/open") == (200, 0, "abc")


@pytest.mark.parametrize("scheme", ("Basic", "Bearer", "Digest", "NTLMx-not"))
def test_credentials_of_one_request_do_not_pin(scheme, front, scripted):
    service = Service(scripted, "Basic realm=\"NTLM\"")
    gateway = front(service.port, workers=1)
    with Raw(gateway) as first, Raw(gateway) as second:
        assert ask(first, "/open", f"Authorization: {scheme} abc")[1] == 0
        assert ask(second, "/open")[1] == (1 if scheme.startswith("NTLM") else 0)


def test_it_ends_with_its_client(front, scripted):
    service = Service(scripted)
    gateway = front(service.port, workers=1)
    with Raw(gateway) as first:
        assert ask(first, "/x", NTLM)[0] == 200
        pinned = service.connections[0]
        pinned.settimeout(LIMIT)
    with Raw(gateway) as second:
        assert ask(second) == (401, 1, "None")
    assert pinned.fileno() == -1 or pinned.recv(1) == b""


@pytest.mark.parametrize("how", ("after-its-response", "says-close", "while-idle"))
def test_closed_by_the_upstream_the_client_begins_anew(how, front, scripted):
    service = Service(scripted)
    gateway = front(service.port, workers=1)
    with Raw(gateway) as client:
        assert ask(client, "/close" if how == "says-close" else "/x", NTLM)[:2] == (200, 0)
        if how == "while-idle":
            service.connections[0].shutdown(2)
        elif how == "after-its-response":
            reset(service.connections[0])
            service.connections[0].shutdown(2)
        assert ask(client) == (401, 1, "None")
        assert ask(client, "/x", NTLM)[:2] == (200, 1)
        assert ask(client)[:2] == (200, 1)


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
def test_it_stays_across_the_ask_for_a_certificate(tls, front, scripted):
    service = Service(scripted)
    gateway = front(service.port, workers=1)
    with Raw(gateway, tls) as client, Raw(gateway, tls) as other:
        assert ask(client, "/x", NTLM)[:2] == (200, 0)
        assert ask(client, "/late/x")[:2] == (200, 0)
        assert ask(other, "/late/x")[0] == 401


def test_it_works_without_the_pool(front, scripted):
    """`keepalive: off` applies to idle connections that any client may get."""
    service = Service(scripted)
    gateway = front(service.port, keys=", keepalive: off", workers=1)
    with Raw(gateway) as client:
        assert ask(client)[0] == 401
        assert ask(client, "/x", NTLM)[:2] == (200, 0)
        assert ask(client)[:2] == (200, 0)
