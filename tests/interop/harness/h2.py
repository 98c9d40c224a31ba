"""Gateways that speak HTTP/2, and the handling of tests when there are none."""

import contextlib

import pytest

from . import h2raw
from .gateway import Gateway, Settings

# Without HTTP/2 its tests fail. If False, they are skipped; this is the only place that skips them.
REQUIRED = True


def _refused(reason):
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)


def speaks(gateway, host="localhost"):
    """Whether ALPN selects h2 for a client that offers it."""
    with h2raw.H2(gateway.port, h2raw.context(gateway.pki, alpn=("h2", "http/1.1")), host=host) as client:
        return client.protocol == "h2"


def start(serve, **settings):
    """Starts a gateway with serve(**settings); its default host has `http2: on`."""
    settings["host"] = {"http2": "on", **settings.get("host", {})}
    try:
        gateway = serve(**settings)
    except AssertionError as failed:
        if "http2" not in str(failed):
            raise
        _refused("this version's configuration has no 'http2: on'")
    if not speaks(gateway):
        _refused("the gateway does not speak HTTP/2")
    return gateway


@contextlib.contextmanager
def running(pki, folder, **settings):
    """A gateway that speaks HTTP/2, shared by several tests."""

    def serve(**made):
        made = Settings(pki, **made)
        made.spool.setdefault("directory", str(folder))
        (folder / "thaw.yaml").write_text(made.text())
        return Gateway(["-c", str(folder / "thaw.yaml")], pki, folder)

    gateway = start(serve, **settings)
    try:
        yield gateway
    finally:
        gateway.stop()


def connect(gateway, *own, tls="auto", identity=None, **how):
    """Connects and starts a client of that gateway. own: the client's settings."""
    client = h2raw.H2(gateway.port, h2raw.context(gateway.pki, tls, identity), **how)
    assert client.protocol == "h2"
    return client.start(*own)


@pytest.fixture
def serve_h2(serve):
    """serve_h2(...): like serve(...), with HTTP/2."""
    return lambda **settings: start(serve, **settings)
