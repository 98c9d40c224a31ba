"""Typical mistakes in a first configuration: each message names file, line and key, and says what to write."""

import os
import socket
import subprocess

import pytest
from harness.gateway import binary
from harness.pki import Issuer, openssl
from harness.process import run
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

# (text to replace, replacement, line and key of the error, words of its message)
TEXT = {
    "a misspelt key": ("certificate: server", "certifcate: server", 8, "hosts[0].certifcate", "did you mean 'certificate'?"),
    "a key one level too high": ("    identity:", "    when: request\n    identity:", 10, "hosts[0].when", "belongs below 'client_certificate'"),
    "a host's key at the top": ("admin:", "certificate: a.pem\nadmin:", 3, "certificate", "belongs below 'hosts'"),
    "a tab": ("    key: server", "\tkey: server", 9, None, "spaces, not with tabs"),
    "a star without quotes": ("name: api.example.com", "name: *", 7, None, 'in quotes: "*"'),
    "a pattern for a path": ("path: /secure", "path: /admin/*", 14, "hosts[0].routes[1].path", "write '/admin/'"),
    "a path without a slash": ("path: /secure", "path: secure", 14, "hosts[0].routes[1].path", "does not begin with '/'"),
    "a port alone": ("address: 127.0.0.1:8443", "address: 8443", 2, "listen[0].address", "write ADDRESS:PORT"),
    "no port": ("address: 127.0.0.1:8443", "address: 127.0.0.1", 2, "listen[0].address", "has no port"),
    "any address as a star": ("127.0.0.1:8443", "'*:8443'", 2, "listen[0].address", "0.0.0.0:PORT"),
    "a name to listen on": ("127.0.0.1:8443", "api.example.com:8443", 2, "listen[0].address", "names are not looked up"),
    "IPv6 without brackets": ("127.0.0.1:8443", "::1:8443", 2, "listen[0].address", "brackets"),
    "IPv6 without quotes": ("127.0.0.1:8443", "[::1]:8443", 2, None, "in quotes: '[::1]:8443'"),
    "a port out of range": ("127.0.0.1:8443", "127.0.0.1:84430", 2, "listen[0].address", "port between 0 and 65535"),
    "a URL to listen on": ("127.0.0.1:8443", "https://127.0.0.1:8443", 2, "listen[0].address", "is a URL"),
    "a mapping in place of a list": ("  - address", "    address", 1, "listen", "begin each element of the list with '- '"),
    "one value in place of a list": ("[ rfc9440 ]", "rfc9440", 10, "hosts[0].identity", "write [ VALUE ]"),
    "upstreams as a list": ("  app: {", "  - app: {", 17, "upstreams", "without '- '"),
    "a host twice": ("upstreams:", "  - { name: API.example.com, certificate: a, key: a, routes: [ { path: /, upstream: app } ] }\nupstreams:", 17,
                     "hosts[1].name", "first in line 7"),
    "a key twice": ("    key: server.key", "    key: server.key\n    key: a.key", 10, "hosts[0].key", "first in line 9; delete one"),
    "an upstream that is not there": ("upstream: app }", "upstream: ap }", 13, "hosts[0].routes[0].upstream", "allowed: app"),
    "a URL as upstream": ("upstream: app }", "upstream: http://127.0.0.1:8080 }", 13, "hosts[0].routes[0].upstream", "below 'upstreams'"),
    "a server without a scheme": ("http://127.0.0.1:8080", "127.0.0.1:8080", 18, "upstreams.app.servers[0]", "http://"),
    "a server with a path": ("127.0.0.1:8080", "127.0.0.1:8080/app", 18, "upstreams.app.servers[0]", "has a path"),
    "an anchor": ("{ ca: ca.pem }", "&cc { ca: ca.pem }", 11, None, "write the value out"),
    "no unit": ("120s", "120", 16, "hosts[0].routes[1].client_certificate.timeout", "has no unit"),
    "a blank before the unit": ("256MiB", "256 MiB", 4, "spool.memory", "has a blank in it"),
    "a unit of another program": ("256MiB", "256M", 4, "spool.memory", "MiB"),
    "yes": ("timeout: 120s", "require: yes", 16, "hosts[0].routes[1].client_certificate.require", "allowed: true, false"),
    "a word that is not known": ("when: request", "when: always", 16, "hosts[0].routes[1].client_certificate.when", "allowed: never, handshake"),
    "methods in lower case": ("        upstream: app", "        methods: [ put ]\n        upstream: app", 15, "hosts[0].routes[1].methods[0]", "upper case"),
    "typographic quotes": ("name: api.example.com", "name: “api.example.com”", 7, "hosts[0].name", "typographic quote"),
    "a no-break space": ("key: server.key", "key:\u00a0server.key", 9, None, "no-break space"),
    "an indentation of no-break spaces": ("    key: server", "\u00a0   key: server", 10, None, "no-break space"),
    "an invisible space": ("    key: server", "    \u200bkey: server", 9, "hosts[0].\u200bkey", "invisible space"),
    "a long dash": ("  - name", "  – name", 8, None, "not '-'"),
    "no colon": ("key: server.key", "key server.key", 9, None, "'key: value'"),
    "no blank after the colon": ("key: server.key", "key:server.key", 9, None, "a blank after the colon"),
    "an equals sign": ("key: server.key", "key = server.key", 9, None, "'key: value'"),
    "a brace that is not closed": ("8080 ] }", "8080 ]", 19, None, "not closed"),
    "a quote that is not closed": ("name: api", 'name: "api', 19, None, "a quote is not closed"),
    "one blank too many": ("    key: server.key", "     key: server.key", 9, None, "indentation"),
    "one blank too few": ("    key: server.key", "   key: server.key", 9, None, "indentation"),
    "an empty value": ("key: server.key", "key:", 9, "hosts[0].key", "no value is given"),
    "no CA": ("    client_certificate: { ca: ca.pem }\n", "", 15, "hosts[0].routes[1].client_certificate.ca", "'when' is request"),
    "no key": ("    key: server.key\n", "", 7, "hosts[0].key", "missing"),
    "a URL as host": ("name: api", "name: https://api", 7, "hosts[0].name", "is a URL"),
    "a host with its port": ("name: api.example.com", "name: api.example.com:443", 7, "hosts[0].name", "has a port"),
    "an address as host": ("name: api.example.com", "name: 192.0.2.1", 7, "hosts[0].name", "is an address"),
    "an international name": ("name: api.example.com", "name: bücher.example", 7, "hosts[0].name", "xn--"),
    "two names in one": ("name: api.example.com", "name: a.example, b.example", 7, "hosts[0].name", "[ NAME, NAME ]"),
    "a level of another program": ("access: stdout", "level: warn", 5, "log.level", "warning"),
    "syslog as a file": ("access: stdout", "access: syslog", 5, "log.access", "write stdout"),
    "a rule in OpenSSL's old form": ("when: request,", "when: request, allow: [ '/O=Example/CN=a' ],", 16,
                                     "hosts[0].routes[1].client_certificate.allow[0]", "subject="),
    "a rule cut at its comma": ("when: request,", "when: request, allow: [ subject=CN=a,O=Example ],", 16,
                                "hosts[0].routes[1].client_certificate.allow[1]", "in quotes"),
    "elsewhere without https": ("when: request,", "when: request, elsewhere: certauth.example.com,", 16,
                                "hosts[0].routes[1].client_certificate.elsewhere", "https://HOST"),
    "a range of addresses": ("    identity:", "    allow_from: [ 10.0.0.1-10.0.0.9 ]\n    identity:", 10, "hosts[0].allow_from[0]", "10.0.0.0/8"),
    "a rate without a unit": ("    identity:", "    rate: 10\n    identity:", 10, "hosts[0].rate", "10/s"),
    "a version of TLS as OpenSSL has it": ("admin:", "tls: { versions: [ TLSv1.3 ] }\nadmin:", 3, "tls.versions[0]", "allowed: 1.2, 1.3"),
    "admin on the same port": ("127.0.0.1:9443", "127.0.0.1:8443", 3, "admin", "overlaps"),
    "an unknown user": ("admin:", "user: wwwdata\nadmin:", 3, "user", "correct the name"),
    "a user's number": ("admin:", "user: '65534'\nadmin:", 3, "user", "not its number"),
    "a missing file": ("server.pem", "nope.pem", 8, "hosts[0].certificate", "correct the name"),
    "a missing key": ("server.key", "nope.key", 9, "hosts[0].key", "correct the name"),
    "a missing CA": ("ca: ca.pem", "ca: nope.pem", 11, "hosts[0].client_certificate.ca", "correct the name"),
    "a folder": ("server.pem", "folder", 8, "hosts[0].certificate", "name a file in it"),
    "a file of a shell": ("server.key", "~/server.key", 9, "hosts[0].key", "the name in full"),
    "a key of another certificate": ("server.key", "ca.key", 9, "hosts[0].key", "made for"),
    "a request": ("server.pem", "server.csr", 8, "hosts[0].certificate", "send it to the CA"),
    "the CA in place of the leaf": ("server.pem", "ca.pem", 9, "hosts[0].key", "not that of the certificate"),
    "a chain in wrong order": ("server.pem", "reversed.pem", 9, "hosts[0].key", "first"),
    "DER": ("server.pem", "server.der", 8, "hosts[0].certificate", "openssl x509 -inform DER"),
    "PKCS #12": ("server.key", "server.p12", 9, "hosts[0].key", "openssl pkcs12"),
    "an encrypted key": ("server.key", "encrypted.key", 9, "hosts[0].key", "key_passphrase"),
    "a wrong pass phrase": ("server.key", "encrypted.key\n    key_passphrase: { file: word }", 9, "hosts[0].key", "correct it"),
    "no file of a pass phrase": ("server.key", "encrypted.key\n    key_passphrase: { file: nope }", 9, "hosts[0].key", "its secret cannot be read: "),
    "an empty file": ("server.pem", "empty.pem", 8, "hosts[0].certificate", "is empty"),
    "prose": ("server.pem", "word", 8, "hosts[0].certificate", "name another file"),
    "no folder for the log": ("access: stdout", "access: /nope/access.log", 5, "log.access", "a file in a folder"),
    "no folder for the spool": ("memory: 256MiB", "directory: /nope/nope/spool", 4, "spool.directory", "create a directory"),
    "no ticket keys": ("admin:", "ticket_keys: nope\nadmin:", 3, "ticket_keys", "openssl rand -hex"),
}  # fmt: skip

WHOLE = {
    "nothing": (b"", 1, "nothing in it"),
    "a comment": (b"# nothing\n", 1, "nothing in it"),
    "UTF-16": (BASE.encode("utf-16"), 1, "UTF-8"),
    "Latin-1": (("# K\u00f6nig\n" + BASE).encode("latin-1"), 1, "UTF-8"),
    "two documents": ((BASE + "---\n" + BASE).encode(), 19, "second document"),
    "nginx's": (b"server {\n  listen 443 ssl;\n}\n", 1, "not"),
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


def test_without_a_mistake(folder):
    assert check(folder, BASE.encode())[0] == 0
    for harmless in ("\ufeff" + BASE, BASE.replace("\n", "\r\n")):
        assert check(folder, harmless.encode())[0] == 0


@pytest.mark.parametrize("mistake", TEXT)
def test_mistake(mistake, folder):
    before, after, line, key, words = TEXT[mistake]
    assert before in BASE
    code, err = check(folder, BASE.replace(before, after, 1).encode())
    assert code == EX_CONFIG
    where = f"thaw: error: {folder}/thaw.yaml:{line}: " + (f"key '{key}': " if key else "")
    errors = [one for one in err.splitlines() if one.startswith("thaw: error: ")]
    assert len(errors) == 1 and errors[0].startswith(where) and words in errors[0], err


@pytest.mark.parametrize("content", WHOLE)
def test_a_file_that_is_something_else(content, folder):
    text, line, words = WHOLE[content]
    code, err = check(folder, text)
    assert code == EX_CONFIG and f"thaw: error: {folder}/thaw.yaml:{line}: " in err and words in err


@pytest.mark.parametrize("which, key", ((":8443", "listen[0].address"), (":9443", "admin")))
def test_a_port_in_use_is_told_with_its_line(which, key, folder):
    with socket.create_server(("127.0.0.1", 0)) as other:
        ports = {":8443": free_port(), ":9443": free_port(), which: other.getsockname()[1]}
        text = BASE
        for before, port in ports.items():
            text = text.replace(before, f":{port}")
        code, err = check(folder, text.encode(), "serve")
    line = 2 if which == ":8443" else 3
    assert code == EX_OSERR and f"thaw: error: {folder}/thaw.yaml:{line}: key '{key}': cannot listen on " in err and "ss -ltnp" in err


def test_an_address_of_another_machine_is_told_with_its_line(folder):
    code, err = check(folder, BASE.replace("127.0.0.1:8443", "192.0.2.1:8443").encode(), "serve")
    assert code == EX_OSERR and f"{folder}/thaw.yaml:2: key 'listen[0].address': cannot listen on " in err and "0.0.0.0" in err


def test_a_service_that_does_not_run_is_told_with_its_name(folder, tmp_path, serve):
    text = BASE.replace(":8443", ":0").replace("127.0.0.1:9443", "off").replace(":8080", f":{free_port()}")
    (folder / "thaw.yaml").write_text(text)
    gateway = serve("-c", folder / "thaw.yaml")
    subprocess.run(["curl", "-s", "--cacert", folder / "ca.pem", "--resolve", f"api.example.com:{gateway.port}:127.0.0.1",
                    gateway.url("/", "api.example.com")], check=True, timeout=LIMIT, capture_output=True)  # fmt: skip
    assert gateway.wait_messages("upstream app: no server can be reached", "connect to http://127.0.0.1:", "refused")
