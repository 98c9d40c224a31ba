"""TLS in the kernel (ssl_conf_command Options KTLS): never for connections to server blocks that ask, which it could not ask."""

import pytest
from harness.rawtls import Raw, context
from server import preload_library

VERSIONS = ("1.2", "1.3")
KTLS = "listen 127.0.0.1:{port} ssl; ssl_conf_command Options KTLS; thaw_certificate_authority {pki}/ca.pem;"
ASKS = KTLS + "server_name localhost; location / {{ proxy_pass http://app; }} location /late {{ thaw_client_certificate request; proxy_pass http://app; }}"
PLAIN = KTLS + "server_name handshake.localhost; location / {{ proxy_pass http://app; }}"


@pytest.fixture
def keys(tmp_path):
    """How many keys OpenSSL has offered to the kernel."""
    file = tmp_path / "keys"
    file.write_text("")
    return {"preload": preload_library(tmp_path, "ktls"), "environment": {"THAW_KTLS": str(file)}}, lambda: len(file.read_text().splitlines())


def connect(one, tls, host):
    ctx = context(one.pki, tls)
    ctx.check_hostname = False
    client = Raw(one, ctx=ctx, host=host)
    client.host = f"localhost:{one.port}"
    return client


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("host", ("localhost", None, "unknown.localhost"), ids=("name", "no-name", "unknown-name"))
def test_server_block_that_asks(nginx, keys, tls, host):
    options, offered = keys
    one = nginx(ASKS, PLAIN, **options)
    with connect(one, tls, host) as client:
        assert client.ask("GET", "/").status == 200
        assert client.ask("PUT", "/late", b"x" * 100_000).json()["fields"]["x-verdict"] == "accepted"
        assert client.ask("GET", "/").status == 200
    assert offered() == 0


@pytest.mark.parametrize("tls", VERSIONS)
def test_server_block_that_asks_is_not_the_default(nginx, keys, tls):
    options, offered = keys
    one = nginx(PLAIN, ASKS, **options)
    with connect(one, tls, "localhost") as client:
        assert client.ask("GET", "/late").json()["fields"]["x-verdict"] == "accepted"
    assert offered() == 0


@pytest.mark.parametrize("tls", VERSIONS)
@pytest.mark.parametrize("host", ("handshake.localhost", None), ids=("name", "no-name"))
def test_server_block_that_does_not_ask_has_it(nginx, keys, tls, host):
    options, offered = keys
    one = nginx(PLAIN, ASKS, **options)
    with connect(one, tls, host) as client:
        client.host = f"handshake.localhost:{one.port}"
        assert client.ask("GET", "/").status == 200
    assert offered() > 0
