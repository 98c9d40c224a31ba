"""Typical mistakes in a first configuration: each message names file, line and key, and says what to write."""

import os
import socket
import subprocess

import pytest
from harness.gateway import binary
from harness.pki import Issuer, openssl
from harness.process import run
from messages import MESSAGES, error_of, has_message
from peer import LIMIT
from ports import free_port

EX_OSERR, EX_CONFIG = 71, 78

BASE = """listen:
  - address: 127.0.0.1:8443
admin: 127.0.0.1:9443
spool: { memory: 256MiB }
log: { access: stdout }
hosts:
  - name: api.example.com
    certificate: server.pem
    key: server.key
    identity: [ rfc9440 ]
    client_certificate: { ca: ca.pem }
    routes:
      - { path: /, upstream: app }
      - path: /secure
        upstream: app
        client_certificate: { when: request, timeout: 120s }
upstreams:
  app: { servers: [ http://127.0.0.1:8080 ] }
"""

# (text to replace, replacement, line and key of the error, the code of its message or a value in it that helps)
TEXT = {
    "a misspelt key": ("certificate: server", "certifcate: server", 8, "hosts[0].certifcate", "'certificate'"),
    "a key one level too high": ("    identity:", "    when: request\n    identity:", 10, "hosts[0].when", "'client_certificate'"),
    "a host's key at the top": ("admin:", "certificate: a.pem\nadmin:", 3, "certificate", "'hosts'"),
    "a tab": ("    key: server", "\tkey: server", 9, None, "yaml-tab"),
    "a star without quotes": ("name: api.example.com", "name: *", 7, None, '"*"'),
    "a pattern for a path": ("path: /secure", "path: /admin/*", 14, "hosts[0].routes[1].path", "'/admin/'"),
    "a path without a slash": ("path: /secure", "path: secure", 14, "hosts[0].routes[1].path", "'/'"),
    "a port alone": ("address: 127.0.0.1:8443", "address: 8443", 2, "listen[0].address", "ADDRESS:PORT"),
    "no port": ("address: 127.0.0.1:8443", "address: 127.0.0.1", 2, "listen[0].address", "no-port"),
    "any address as a star": ("127.0.0.1:8443", "'*:8443'", 2, "listen[0].address", "0.0.0.0:PORT"),
    "a name to listen on": ("127.0.0.1:8443", "api.example.com:8443", 2, "listen[0].address", "no-numeric-address"),
    "IPv6 without brackets": ("127.0.0.1:8443", "::1:8443", 2, "listen[0].address", "'[ADDRESS]:PORT'"),
    "IPv6 without quotes": ("127.0.0.1:8443", "[::1]:8443", 2, None, "'[::1]:8443'"),
    "a port out of range": ("127.0.0.1:8443", "127.0.0.1:84430", 2, "listen[0].address", "0 and 65535"),
    "a URL to listen on": ("127.0.0.1:8443", "https://127.0.0.1:8443", 2, "listen[0].address", "is-a-url"),
    "a mapping in place of a list": ("  - address", "    address", 1, "listen", "'- '"),
    "one value in place of a list": ("[ rfc9440 ]", "rfc9440", 10, "hosts[0].identity", "[ VALUE ]"),
    "upstreams as a list": ("  app: {", "  - app: {", 17, "upstreams", "'- '"),
    "a host twice": ("upstreams:", "  - { name: API.example.com, certificate: a, key: a, routes: [ { path: /, upstream: app } ] }\nupstreams:", 17,
                     "hosts[1].name", "line 7"),
    "a key twice": ("    key: server.key", "    key: server.key\n    key: a.key", 10, "hosts[0].key", "line 9"),
    "an upstream that is not there": ("upstream: app }", "upstream: ap }", 13, "hosts[0].routes[0].upstream", "app, builtin:inspect"),
    "a URL as upstream": ("upstream: app }", "upstream: http://127.0.0.1:8080 }", 13, "hosts[0].routes[0].upstream", "'upstreams'"),
    "a server without a scheme": ("http://127.0.0.1:8080", "127.0.0.1:8080", 18, "upstreams.app.servers[0]", "http://"),
    "a server with a path": ("127.0.0.1:8080", "127.0.0.1:8080/app", 18, "upstreams.app.servers[0]", "has-a-path"),
    "an anchor": ("{ ca: ca.pem }", "&cc { ca: ca.pem }", 11, None, "yaml-anchor"),
    "no unit": ("120s", "120", 16, "hosts[0].routes[1].client_certificate.timeout", "no-unit"),
    "a blank before the unit": ("256MiB", "256 MiB", 4, "spool.memory", "has-a-blank"),
    "a unit of another program": ("256MiB", "256M", 4, "spool.memory", "MiB"),
    "yes": ("timeout: 120s", "require: yes", 16, "hosts[0].routes[1].client_certificate.require", "true, false"),
    "a word that is not known": ("when: request", "when: always", 16, "hosts[0].routes[1].client_certificate.when", "never, handshake"),
    "methods in lower case": ("        upstream: app", "        methods: [ put ]\n        upstream: app", 15, "hosts[0].routes[1].methods[0]", "[ PUT, POST ]"),
    "typographic quotes": ("name: api.example.com", "name: “api.example.com”", 7, "hosts[0].name", "typographic-quote"),
    "a no-break space": ("key: server.key", "key:\u00a0server.key", 9, None, "no-break-space"),
    "an indentation of no-break spaces": ("    key: server", "\u00a0   key: server", 10, None, "no-break-space"),
    "an invisible space": ("    key: server", "    \u200bkey: server", 9, "hosts[0].\u200bkey", "invisible-space"),
    "a long dash": ("  - name", "  – name", 8, None, "'-'"),
    "no colon": ("key: server.key", "key server.key", 9, None, "'key: value'"),
    "no blank after the colon": ("key: server.key", "key:server.key", 9, None, "'key: value'"),
    "an equals sign": ("key: server.key", "key = server.key", 9, None, "'key: value'"),
    "a brace that is not closed": ("8080 ] }", "8080 ]", 19, None, "yaml-open-brace"),
    "a quote that is not closed": ("name: api", 'name: "api', 19, None, "yaml-open-quote"),
    "one blank too many": ("    key: server.key", "     key: server.key", 9, None, "yaml-indentation"),
    "one blank too few": ("    key: server.key", "   key: server.key", 9, None, "yaml-indentation"),
    "an empty value": ("key: server.key", "key:", 9, "hosts[0].key", "no-value"),
    "no CA": ("    client_certificate: { ca: ca.pem }\n", "", 15, "hosts[0].routes[1].client_certificate.ca", "'when'"),
    "no key": ("    key: server.key\n", "", 7, "hosts[0].key", "key-missing"),
    "a URL as host": ("name: api", "name: https://api", 7, "hosts[0].name", "is-a-url"),
    "a host with its port": ("name: api.example.com", "name: api.example.com:443", 7, "hosts[0].name", "'listen'"),
    "an address as host": ("name: api.example.com", "name: 192.0.2.1", 7, "hosts[0].name", "is-an-address"),
    "an international name": ("name: api.example.com", "name: bücher.example", 7, "hosts[0].name", "'xn--'"),
    "two names in one": ("name: api.example.com", "name: a.example, b.example", 7, "hosts[0].name", "[ NAME, NAME ]"),
    "a level of another program": ("access: stdout", "level: warn", 5, "log.level", "warning"),
    "syslog as a file": ("access: stdout", "access: syslog", 5, "log.access", "stdout"),
    "a rule in OpenSSL's old form": ("when: request,", "when: request, allow: [ '/O=Example/CN=a' ],", 16,
                                     "hosts[0].routes[1].client_certificate.allow[0]", "subject="),
    "a rule cut at its comma": ("when: request,", "when: request, allow: [ subject=CN=a,O=Example ],", 16,
                                "hosts[0].routes[1].client_certificate.allow[1]", "'subject='"),
    "elsewhere without https": ("when: request,", "when: request, elsewhere: certauth.example.com,", 16,
                                "hosts[0].routes[1].client_certificate.elsewhere", "https://HOST"),
    "a range of addresses": ("    identity:", "    allow_from: [ 10.0.0.1-10.0.0.9 ]\n    identity:", 10, "hosts[0].allow_from[0]", "10.0.0.0/8"),
    "a rate without a unit": ("    identity:", "    rate: 10\n    identity:", 10, "hosts[0].rate", "10/s"),
    "a version of TLS as OpenSSL has it": ("admin:", "tls: { versions: [ TLSv1.3 ] }\nadmin:", 3, "tls.versions[0]", "1.2, 1.3"),
    "admin on the same port": ("127.0.0.1:9443", "127.0.0.1:8443", 3, "admin", "'listen'"),
    "an unknown user": ("admin:", "user: wwwdata\nadmin:", 3, "user", "no-user"),
    "a user's number": ("admin:", "user: '65534'\nadmin:", 3, "user", "user-by-number"),
    "a missing file": ("server.pem", "nope.pem", 8, "hosts[0].certificate", "no-such-file"),
    "a missing key": ("server.key", "nope.key", 9, "hosts[0].key", "no-such-file"),
    "a missing CA": ("ca: ca.pem", "ca: nope.pem", 11, "hosts[0].client_certificate.ca", "no-such-file"),
    "a folder": ("server.pem", "folder", 8, "hosts[0].certificate", "is-a-folder"),
    "a file of a shell": ("server.key", "~/server.key", 9, "hosts[0].key", "shell-name"),
    "a key of another certificate": ("server.key", "ca.key", 9, "hosts[0].key", "key-of-another"),
    "a request": ("server.pem", "server.csr", 8, "hosts[0].certificate", "CERTIFICATE REQUEST"),
    "the CA in place of the leaf": ("server.pem", "ca.pem", 9, "hosts[0].key", "key-of-another"),
    "a chain in wrong order": ("server.pem", "reversed.pem", 9, "hosts[0].key", "chain-order"),
    "DER": ("server.pem", "server.der", 8, "hosts[0].certificate", "openssl x509 -inform DER"),
    "PKCS #12": ("server.key", "server.p12", 9, "hosts[0].key", "openssl pkcs12"),
    "an encrypted key": ("server.key", "encrypted.key", 9, "hosts[0].key", "key_passphrase"),
    "a wrong pass phrase": ("server.key", "encrypted.key\n    key_passphrase: { file: word }", 9, "hosts[0].key", "pass-phrase-wrong"),
    "no file of a pass phrase": ("server.key", "encrypted.key\n    key_passphrase: { file: nope }", 9, "hosts[0].key", "secret-unreadable"),
    "an empty file": ("server.pem", "empty.pem", 8, "hosts[0].certificate", "empty-file"),
    "prose": ("server.pem", "word", 8, "hosts[0].certificate", "no-block"),
    "no folder for the log": ("access: stdout", "access: /nope/access.log", 5, "log.access", "/nope/access.log"),
    "no folder for the spool": ("memory: 256MiB", "directory: /nope/nope/spool", 4, "spool.directory", "/nope/nope/spool"),
    "no ticket keys": ("admin:", "ticket_keys: nope\nadmin:", 3, "ticket_keys", "openssl rand -hex"),
}  # fmt: skip

WHOLE = {
    "nothing": (b"", 1, "nothing-in-file"),
    "a comment": (b"# nothing\n", 1, "nothing-in-file"),
    "UTF-16": (BASE.encode("utf-16"), 1, "UTF-8"),
    "Latin-1": (("# K\u00f6nig\n" + BASE).encode("latin-1"), 1, "UTF-8"),
    "two documents": ((BASE + "---\n" + BASE).encode(), 19, "yaml-second-document"),
    "nginx's": (b"server {\n  listen 443 ssl;\n}\n", 1, "yaml-single-value"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    issuer = Issuer(tmp_path_factory.mktemp("mistakes"))
    ca = issuer.new("ca", ca=True)
    server = issuer.new("server", by=ca, extensions="subjectAltName=DNS:api.example.com\n")
    key, where = server.with_suffix(".key"), issuer.folder
    openssl("x509", "-in", server, "-outform", "DER", "-out", where / "server.der")
    openssl("pkcs12", "-export", "-in", server, "-inkey", key, "-passout", "pass:x", "-out", where / "server.p12")
    openssl("pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", where / "encrypted.key")
    (where / "reversed.pem").write_text(ca.read_text() + server.read_text())
    (where / "empty.pem").touch()
    (where / "word").write_text("swordfish\n")
    (where / "folder").mkdir()
    for secret in (*where.glob("*.key"), where / "word"):
        os.chmod(secret, 0o600)
    return where


def check(folder, content, command="check"):
    path = folder / "thaw.yaml"
    path.write_bytes(content)
    code, _, err, late = run([str(binary()), command, "-c", str(path)], LIMIT)
    assert not late
    return code, err.decode()


def names(error, what):
    """Whether the error is the message of that code, or has that value."""
    return has_message(error.text, what) if what in MESSAGES else what in error.text


def test_without_a_mistake(folder):
    assert check(folder, BASE.encode())[0] == 0
    for harmless in ("\ufeff" + BASE, BASE.replace("\n", "\r\n")):
        assert check(folder, harmless.encode())[0] == 0


@pytest.mark.parametrize("mistake", TEXT)
def test_mistake(mistake, folder):
    before, after, line, key, what = TEXT[mistake]
    assert before in BASE
    code, err = check(folder, BASE.replace(before, after, 1).encode())
    assert code == EX_CONFIG
    error = error_of(err)
    assert error[:3] == (f"{folder}/thaw.yaml", line, key) and names(error, what), err


@pytest.mark.parametrize("content", WHOLE)
def test_a_file_that_is_something_else(content, folder):
    text, line, what = WHOLE[content]
    code, err = check(folder, text)
    assert code == EX_CONFIG and error_of(err)[:3] == (f"{folder}/thaw.yaml", line, None) and names(error_of(err), what), err


@pytest.mark.parametrize("which, key", ((":8443", "listen[0].address"), (":9443", "admin")))
def test_a_port_in_use_is_reported_with_its_line(which, key, folder):
    with socket.create_server(("127.0.0.1", 0)) as other:
        ports = {":8443": free_port(), ":9443": free_port(), which: other.getsockname()[1]}
        text = BASE
        for before, port in ports.items():
            text = text.replace(before, f":{port}")
        code, err = check(folder, text.encode(), "serve")
    line = 2 if which == ":8443" else 3
    assert code == EX_OSERR and error_of(err)[:3] == (f"{folder}/thaw.yaml", line, key) and has_message(err, "address-in-use", "ss -ltnp"), err


def test_an_address_of_another_machine_is_reported_with_its_line(folder):
    code, err = check(folder, BASE.replace("127.0.0.1:8443", "192.0.2.1:8443").encode(), "serve")
    assert code == EX_OSERR and error_of(err)[:3] == (f"{folder}/thaw.yaml", 2, "listen[0].address"), err
    assert has_message(err, "cannot-listen", "0.0.0.0"), err


def test_a_service_that_does_not_run_is_logged_with_its_name(folder, tmp_path, serve):
    text = BASE.replace(":8443", ":0").replace("127.0.0.1:9443", "off").replace(":8080", f":{free_port()}")
    (folder / "thaw.yaml").write_text(text)
    gateway = serve("-c", folder / "thaw.yaml")
    subprocess.run(["curl", "-s", "--cacert", folder / "ca.pem", "--resolve", f"api.example.com:{gateway.port}:127.0.0.1",
                    gateway.url("/", "api.example.com")], check=True, timeout=LIMIT, capture_output=True)  # fmt: skip
    assert gateway.wait_messages("upstream-unreachable", "connect to http://127.0.0.1:", "refused", name="app")
