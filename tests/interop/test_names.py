"""Hosts with several names, with a * for one label, and with underscores: SNI selects the host, and Host must name the
same host."""

import ssl

import pytest
from harness.gateway import Gateway
from harness.rawtls import Raw

CONFIG = """
listen: [ { address: 127.0.0.1:0 } ]
hosts:
  - name: [ localhost, api.example, My_API.example., "*.wild.example" ]
    certificate: PKI/server.pem
    key: PKI/server.key
    routes: [ { path: /, upstream: "builtin:inspect" } ]
  - name: [ exact.wild.example, "*.deeper.wild.example" ]
    certificate: PKI/server.pem
    key: PKI/server.key
    routes: [ { path: /, upstream: "builtin:inspect" } ]
"""
FIRST, SECOND = "localhost", "exact.wild.example"  # the names of the hosts in logs

# The requested name, and the host that it selects; None: neither.
NAMES = {
    "localhost": FIRST,
    "api.example": FIRST,
    "API.Example": FIRST,
    "my_api.example": FIRST,
    "a.wild.example": FIRST,
    "a_b.wild.example": FIRST,
    "exact.wild.example": SECOND,
    "a.deeper.wild.example": SECOND,
    "deeper.wild.example": FIRST,
    "wild.example": None,
    "a.b.wild.example": None,
    "a.b.deeper.wild.example": None,
    "x.api.example": None,
}




@pytest.fixture(scope="module")
def hosts(pki, tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    (folder / "thaw.yaml").write_text(CONFIG.replace("PKI", f"{pki}"))
    gateway = Gateway(["-c", str(folder / "thaw.yaml")], pki, folder)
    yield gateway
    gateway.stop()


def connect(gateway, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return Raw(gateway, host=name, ctx=context)


def status(client, host):
    client.send(f"GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    return client.read().status


@pytest.mark.parametrize("name", NAMES)
def test_sni_chooses_the_host(name, hosts):
    if NAMES[name] is None:
        with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
            connect(hosts, name)
        return
    target = f"?{name}"
    with connect(hosts, name) as client:
        client.send(f"GET /{target} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        assert client.read().status == 200
    (record,) = hosts.wait_records(lambda r: r.get("target") == f"/{target}")
    assert record["host"] == NAMES[name]


@pytest.mark.parametrize("name", NAMES)
def test_a_request_names_the_same_host_or_is_misdirected(name, hosts):
    """Host may be any name of the same host: browsers send requests for all names of a certificate on one
    connection."""
    for sni, host in (("api.example", FIRST), ("exact.wild.example", SECOND)):
        for spelling in (name, name.upper() + "."):
            with connect(hosts, sni) as client:
                assert status(client, spelling) == (200 if NAMES[name] == host else 421)
