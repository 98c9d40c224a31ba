"""The errors of `thaw send` and `thaw probe`: each cause has its own message and exit code."""

import os
import socket
import subprocess

import pytest
from harness.gateway import binary
from harness.pki import Issuer
from harness.plain import Scripted as Plain
from harness.scripted import Scripted
from harness.upload import LIMIT, identity
from messages import has_message
from ports import free_port

TOOLS = ("send", "probe")
NOTHING = {"CURL_CA_BUNDLE": "", "SSL_CERT_FILE": "", "SSL_CERT_DIR": "", "https_proxy": "", "http_proxy": ""}


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.txt"
    path.write_bytes(b"content")
    return path


def tool(name, small, url, *options):
    """Returns (exit code, standard error)."""
    own = [str(small), url] if name == "send" else [url, "--max-body", "0", "--hold", "0s", "--limit", "20s"]
    done = subprocess.run([str(binary()), name, *own, "--quiet", *options], capture_output=True, timeout=LIMIT,
                          stdin=subprocess.DEVNULL, env={**os.environ, **NOTHING})
    return done.returncode, done.stderr.decode()


def serve(pem, pki):
    """A server with the certificate in that file."""
    server = Scripted(pki, lambda visit, _: visit.head())
    server._context.load_cert_chain(str(pem), str(pem.with_suffix(".key")))
    return server


@pytest.mark.parametrize("name", TOOLS)
def test_a_closed_port(name, pki, small):
    port = free_port()
    code, err = tool(name, small, f"https://localhost:{port}/x", *identity(pki))
    assert code == 69 and has_message(err, "connection-refused", port), err


@pytest.mark.parametrize("name", TOOLS)
def test_an_unknown_host(name, pki, small):
    code, err = tool(name, small, "https://nothing.invalid/x", *identity(pki))
    assert code == 68 and "nothing.invalid" in err and ("--resolve" in err or "DNS" in err), err


@pytest.mark.parametrize("name", TOOLS)
def test_tls_to_a_plain_port(name, pki, small):
    server = Plain(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n") or connection.recv(1))
    code, err = tool(name, small, f"https://localhost:{server.port}/x", *identity(pki))
    server.close()
    assert code == 76 and (has_message(err, "not-tls") or has_message(err, "probe-not-tls")), err


@pytest.mark.parametrize("name", TOOLS)
@pytest.mark.parametrize("kind", ("expired", "self-signed", "other CA", "other name"))
def test_a_server_that_is_not_trusted(name, kind, pki, small, tmp_path):
    issuer, past = Issuer(tmp_path / "ca"), ("20200101000000Z", "20210101000000Z")
    ca = issuer.new("ca", ca=True)
    names = "subjectAltName=DNS:" + ("other.example" if kind == "other name" else "localhost") + "\n"
    signed_by = None if kind == "self-signed" else ca
    server = serve(issuer.new("server", by=signed_by, validity=past if kind == "expired" else None, extensions=names), pki)
    trust = pki / "ca.pem" if kind in ("other CA", "self-signed") else ca
    code, err = tool(name, small, server.url("/x"), "--ca", str(trust))
    server.close()
    words = {"expired": "clock", "self-signed": "--ca", "other CA": "--ca", "other name": "--sni"}[kind]
    assert code == 77 and words in err, err
    assert (kind == "expired") == ("clock" in err) and (kind == "other name") == ("--sni" in err), err


@pytest.mark.parametrize("name", TOOLS)
@pytest.mark.parametrize("ca,message", (("empty", "empty-file"), ("nothing", "no-such-file"), ("small.txt", "no-block")))
def test_a_ca_file_that_is_none(name, ca, message, pki, small):
    small.with_name("empty").touch()
    code, err = tool(name, small, "https://localhost:9/x", "--ca", str(small.with_name(ca)))
    assert code == 66 and has_message(err, message, ca), err


@pytest.mark.parametrize("name", TOOLS)
def test_keys_and_certificates(name, pki, small, tmp_path):
    issuer = Issuer(tmp_path / "ca")
    other = issuer.new("other", ca=True).with_suffix(".key")
    locked = tmp_path / "locked.key"
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", pki / "client.key", "-out", locked, "-passout", "pass:right"], check=True)
    (tmp_path / "phrase").write_text("wrong")
    (tmp_path / "empty").touch()
    cert, phrase = ("--cert", str(pki / "client.pem")), ("--pass", f"file:{tmp_path / 'phrase'}")
    errors = []
    for options, message, values in (
        ((*cert, "--key", str(other)), "key-of-another", {}),
        ((*cert, "--key", str(locked), *phrase), "pass-phrase-wrong", {}),
        ((*cert, "--key", str(tmp_path / "none")), "no-such-file", {}),
        ((*cert, "--key", str(tmp_path / "empty")), "empty-file", {}),
        ((*cert,), "not-in-pem", {"what": "private key"}),
        (("--key", str(pki / "client.key")), "not-in-pem", {"what": "certificate"}),
    ):
        code, err = tool(name, small, "https://localhost:9/x", *options)
        assert code == 66 and has_message(err, message, **values), (options, err)
        errors.append(err)
    assert len(set(errors)) == len(errors)


@pytest.mark.parametrize("name", TOOLS)
@pytest.mark.parametrize("url", ("localhost/x", "ftp://localhost/x", "https://", "https://localhost:0/", "https://localhost:65536/"))
def test_invalid_url_is_named(name, url, pki, small):
    code, err = tool(name, small, url)
    assert code == 64 and url in err, err


@pytest.mark.parametrize("arguments,option", (
    (("--nothing",), "option --nothing"), (("--json=1",), "option --json "), (("--re", "1"), "option --re "), (("--retry",), "option --retry "), (("-x",), "option -x"),
))
def test_wrong_option_is_named(arguments, option, small):
    done = subprocess.run([str(binary()), "send", str(small), "https://localhost:9/", *arguments], capture_output=True, timeout=LIMIT)
    assert done.returncode == 64 and option in done.stderr.decode(), done.stderr


def test_files(pki, small, tmp_path):
    assert has_message(tool("send", tmp_path, "https://localhost:9/x")[1], "is-a-directory", file=tmp_path)
    code, err = tool("send", tmp_path / "none", "https://localhost:9/x")
    assert code == 66 and has_message(err, "no-such-file", tmp_path / "none"), err


def test_http_to_the_tls_port(thaw, small):
    code, err = tool("send", small, f"http://localhost:{thaw.port}/")
    assert code == 69 and "https://" in err, err


def test_no_answer_to_a_connection(pki, small):
    """The queue of a listener that accepts nothing is full."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        for name in TOOLS:
            code, err = tool(name, small, f"https://127.0.0.1:{full.getsockname()[1]}/x", "--stall", "1s")
            assert code == 69 and has_message(err, "no-answer"), err
        for one in waiting:
            one.close()
