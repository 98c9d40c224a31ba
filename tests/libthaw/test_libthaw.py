"""The libraries as their users meet them: installed to a prefix, found by pkg-config, and the examples built with nothing
else.

THAW_BUILD is the build to install from. With THAW_EMBED and THAW_UPLOAD instead, those examples are driven, and nothing is
installed.
"""

import contextlib
import ctypes
import hashlib
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILT = os.environ.get("THAW_EMBED")
SIZE = 16 << 20
LIMIT_S = 120


def run(*command, **more):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=LIMIT_S, **more)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture(scope="session")
def prefix(tmp_path_factory):
    if BUILT:
        pytest.skip("nothing is installed from this build")
    where = tmp_path_factory.mktemp("prefix")
    run("cmake", "--install", os.environ["THAW_BUILD"], "--prefix", where)
    return where


def build(prefix, program, kind, source=TOP / "examples/embed.c", library="thaw"):
    """static: nothing of the library is loaded at run time; embed needs nothing else either, then."""
    folder = next(prefix.rglob(f"{library}.pc")).parent
    options, more = ["--cflags", "--libs"], [f"-Wl,-rpath,{next(prefix.rglob(f'lib{library}.so')).parent}"]
    if kind == "static":
        options, more = [*options, "--static"], ["-static"]
    flags = run("pkg-config", *options, library, env={**os.environ, "PKG_CONFIG_PATH": str(folder)}).split()
    run("gcc", "-Wall", "-Wextra", *more, "-o", program, source, *flags)


@pytest.fixture(scope="session", params=["built"] if BUILT else ["shared", "static"])
def embed(request, tmp_path_factory):
    if BUILT:
        return BUILT
    program = tmp_path_factory.mktemp(request.param) / "embed"
    build(request.getfixturevalue("prefix"), program, request.param)
    return program


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    where = tmp_path_factory.mktemp("pki")

    def make(name, issuer, extension):
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", where / f"{name}.key"]
        run("openssl", "req", "-new", *new_key, "-out", where / f"{name}.csr", "-subj", f"/CN={name}")
        (where / "ext").write_text(extension)
        signer = ["-signkey", where / f"{name}.key"]
        if issuer:
            signer = ["-CA", where / f"{issuer}.pem", "-CAkey", where / f"{issuer}.key", "-CAcreateserial"]
        names = ["-in", where / f"{name}.csr", "-out", where / f"{name}.pem"]
        run("openssl", "x509", "-req", *names, "-days", "2", "-extfile", where / "ext", *signer)

    ca = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n"
    make("ca", None, ca)
    make("stranger-ca", None, ca)
    make("server", "ca", "subjectAltName=DNS:localhost\n")
    make("client", "ca", "extendedKeyUsage=clientAuth\n")
    make("stranger", "stranger-ca", "extendedKeyUsage=clientAuth\n")
    return where


def end_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@contextlib.contextmanager
def running(embed, pki, ca, *more):
    """The port of an embed that trusts that CA file."""
    server = subprocess.Popen(
        [embed, "0", pki / "server.pem", pki / "server.key", ca, *more],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=end_with_parent,
    )  # fmt: skip
    try:
        yield int(re.fullmatch(r"ready (\d+)\n", server.stdout.readline()).group(1))
        assert server.poll() is None, "the server died: " + server.stderr.read()
    finally:
        server.kill()
        server.communicate()


@pytest.fixture
def port(embed, pki):
    with running(embed, pki, pki / "ca.pem") as where:
        yield where


@pytest.fixture(scope="session")
def body(tmp_path_factory):
    file = tmp_path_factory.mktemp("body") / "body"
    file.write_bytes(hashlib.shake_128(b"thaw").digest(SIZE))
    return file


def command(port, pki, body, *options, path="late"):
    fixed = ["-s", "-m", str(LIMIT_S // 2), "--noproxy", "*", "--cacert", pki / "ca.pem", "-w", "%{http_code}"]
    return ["curl", *fixed, "-T", body, *options, f"https://localhost:{port}/{path}"]


def upload(*arguments, **more):
    out = run(*command(*arguments, **more))
    return int(out[-3:]), out[:-3]


def identity(pki, name="client"):
    return ["--cert", pki / f"{name}.pem", "--key", pki / f"{name}.key"]


VERSIONS = {"1.2": ["--tls-max", "1.2"], "1.3": ["--tlsv1.3"]}
STORY = {"1.2": "renegotiation body", "1.3": "post-handshake headers"}
EXPECT = {"at once": ["-H", "Expect:"], "expects 100": []}


def accepted(version, data, story=None):
    return f"CN=client\n{story or STORY[version]}\n{len(data)} bytes\n{hashlib.sha256(data).hexdigest().upper()}\n"


@pytest.mark.parametrize("expect", EXPECT)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_certificate_in_the_middle_of_an_upload(port, pki, body, version, expect):
    options = [*VERSIONS[version], *EXPECT[expect], *identity(pki)]
    assert upload(port, pki, body, *options) == (200, accepted(version, body.read_bytes()))


@pytest.mark.parametrize("size", [0, 1, 16384])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_small_body(port, pki, tmp_path, version, size):
    file = tmp_path / "small"
    file.write_bytes(b"x" * size)
    status, text = upload(port, pki, file, *VERSIONS[version], *identity(pki))
    # curl 8 may send a small body together with the head: then none follows when the server asks.
    stories = [STORY[version]] if size > 0 else []
    stories += ["renegotiation headers"] if version == "1.2" and size <= 1 else []
    stories += [STORY[version]] if version == "1.3" else []
    assert status == 200 and text in [accepted(version, b"x" * size, story) for story in stories]


@pytest.mark.parametrize("version", VERSIONS)
def test_many_at_once(port, pki, body, version):
    options = [*VERSIONS[version], *identity(pki)]
    running = [
        subprocess.Popen(command(port, pki, body, *options), text=True, stdout=subprocess.PIPE) for _ in range(4)
    ]
    assert [one.communicate()[0] for one in running] == [accepted(version, body.read_bytes()) + "200"] * 4


SMALL, LARGE = 4096, 1 << 20


@pytest.fixture(scope="session")
def long_list(pki):
    """The clients' CA, and others whose names make the list nearly as long as one may be: 16 KiB."""
    unit = "".join(f"{nth}.OU = {nth:060}\n" for nth in range(72))
    (pki / "long.cnf").write_text(f"[req]\nprompt = no\ndistinguished_name = name\n[name]\n{unit}CN = $ENV::NTH\n")
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null", "-config", pki / "long.cnf"]
    others = [run("openssl", "req", "-x509", "-days", "2", *new, env={**os.environ, "NTH": str(nth)}) for nth in range(3)]
    file = pki / "many.pem"
    file.write_text((pki / "ca.pem").read_text() + "".join(others))
    # Each has its name twice, and little else. Of more than 16,384 bytes none would be sent.
    assert 15000 < sum(len(ssl.PEM_cert_to_DER_cert(pem)) // 2 for pem in others) < 16300
    return file


def write_then_read(port, pki, version, data):
    """A client with small buffers, which reads nothing before all of its request is written: its response."""
    context = ssl.create_default_context(cafile=pki / "ca.pem")
    context.load_cert_chain(pki / "client.pem", pki / "client.key")
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, f"TLSv{version.replace('.', '_')}")
    context.post_handshake_auth = True
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
    plain.settimeout(LIMIT_S)
    plain.connect(("127.0.0.1", port))
    with context.wrap_socket(plain, server_hostname="localhost") as client:
        client.sendall(f"PUT /late HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
        return b"".join(iter(lambda: client.recv(4096), b"")).decode()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_that_writes_all_before_it_reads(embed, pki, long_list, version):
    """Over plain sockets of 4 KiB: the request for the certificate cannot be sent before the client reads. (By TLS 1.2 it
    is sent after the body; tests/unit/hold.c has the one that is sent early.)"""
    data = hashlib.shake_128(b"small").digest(LARGE)
    with running(embed, pki, long_list, str(SMALL)) as port:
        head, _, text = write_then_read(port, pki, version, data).partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 ") and text == accepted(version, data)


@pytest.mark.parametrize("version", VERSIONS)
def test_no_certificate(port, pki, body, version):
    status, text = upload(port, pki, body, *VERSIONS[version])
    assert status == 403 and text.startswith("declined: no-certificate")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_stranger(port, pki, body, version):
    status, text = upload(port, pki, body, *VERSIONS[version], *identity(pki, "stranger"))
    assert status == 403 and text.startswith("rejected: untrusted")


def test_another_path_is_not_asked(port, pki, body):
    status, text = upload(port, pki, body, *identity(pki), path="elsewhere")
    assert status == 404 and text.startswith("There is PUT /late")


@pytest.mark.parametrize("version", VERSIONS)
def test_an_early_refusal_reaches_a_client_that_sends_longer_than_the_server_lingers(port, pki, version):
    """Java's HttpClient reads the response after it has sent the body. With a linger time of 5 s in all, a reset destroyed it."""
    context = ssl.create_default_context(cafile=pki / "ca.pem")
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, f"TLSv{version.replace('.', '_')}")
    with socket.create_connection(("127.0.0.1", port), LIMIT_S) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as client:
            client.sendall(b"PUT /elsewhere HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(14):  # a slow upload
                client.sendall(b"1\r\nx\r\n")
                time.sleep(0.5)
            client.sendall(b"0\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 404 ")


@pytest.fixture(scope="session")
def uploader(request, tmp_path_factory):
    """examples/upload.c; linked with curl's shared library, and libthaw-curl's archive in the middle of it."""
    if BUILT:
        return os.environ["THAW_UPLOAD"]
    program = tmp_path_factory.mktemp("upload") / "upload"
    build(request.getfixturevalue("prefix"), program, "shared", TOP / "examples/upload.c", "thaw-curl")
    return program


def test_an_upload_that_cannot_be_primed(uploader, port, pki, body):
    """examples/embed.c closes each connection behind its response: so nothing is sent. (Others: tests/interop.)"""
    files = [pki / "ca.pem", pki / "client.pem", pki / "client.key"]
    done = subprocess.run([uploader, body, f"https://localhost:{port}/late", *files], capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 1 and "the server closes the connection" in done.stderr


def test_an_upload_to_a_closed_port(uploader, pki, body):
    files = [pki / "ca.pem", pki / "client.pem", pki / "client.key"]
    done = subprocess.run([uploader, body, "https://127.0.0.1:1/late", *files], capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 1 and "not primed" in done.stderr


LIBRARIES = {"thaw": ("ask", "identity", "spool", "thaw", "trust", "types"), "thaw-curl": ("curl",)}


def declared(library):
    """The functions of its public headers."""
    names = set()
    for header in LIBRARIES[library]:
        text = re.sub(r"/\*.*?\*/", "", (TOP / f"include/thaw/{header}.h").read_text(), flags=re.S)
        names |= set(re.findall(r"\b(thaw_\w+)\s*\([^;{]*\)\s*(?:THAW_MUST_CHECK)?;", text))
    return {name for name in names if not name.endswith("_fn")}  # those are types


def test_each_header_belongs_to_a_library():
    headers = [header for headers in LIBRARIES.values() for header in headers]
    assert sorted(headers) == sorted(file.stem for file in (TOP / "include/thaw").glob("*.h"))


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_symbol_list_is_what_the_headers_declare(library):
    assert declared(library) == set((TOP / f"cmake/lib{library}.symbols").read_text().split())


@pytest.mark.parametrize("library", LIBRARIES)
def test_each_function_has_a_manual_page(prefix, library):
    pages = {f"thaw_{header}" if header != "thaw" else header: TOP / f"include/thaw/{header}.h" for header in LIBRARIES[library]}
    folder = next(prefix.rglob("man3"))
    assert {page for page in pages if (folder / f"{page}.3").read_text().startswith(".so")} == set()
    for function in declared(library):
        page = (folder / f"{function}.3").read_text()
        linked = re.fullmatch(r"\.so man3/(\w+)\.3\n", page)[1]
        assert re.search(rf"\b{function}\(", re.sub(r"/\*.*?\*/", "", pages[linked].read_text(), flags=re.S)), (function, linked)


def test_each_manual_page_has_its_function(prefix):
    pages = {file.stem for file in next(prefix.rglob("man3")).glob("*.3")}
    headers = {f"thaw_{header}" if header != "thaw" else header for headers in LIBRARIES.values() for header in headers}
    assert pages - headers == set().union(*(declared(library) for library in LIBRARIES))


def test_the_version_of_the_headers_is_the_project_s(prefix, tmp_path):
    version = re.search(r"^project\(thaw VERSION ([0-9.]+)", (TOP / "CMakeLists.txt").read_text(), re.M)[1]
    (tmp_path / "version.c").write_text(
        '#include <thaw/thaw.h>\n#include <stdio.h>\n#if THAW_VERSION < THAW_MAKE_VERSION(0, 2, 0)\n#error "old"\n#endif\n'
        "int main(void) { printf(\"%s %d.%d.%d %s %d\", THAW_VERSION_TEXT, THAW_VERSION >> 16, THAW_VERSION >> 8 & 255, "
        'THAW_VERSION & 255, thaw_version(), thaw_version_number() == THAW_VERSION); return 0; }\n')
    build(prefix, tmp_path / "version", "shared", tmp_path / "version.c")
    assert run(tmp_path / "version") == f"{version} {version} {version} 1"
    folder = next(prefix.rglob("thaw.pc")).parent
    assert run("pkg-config", "--modversion", "thaw", env={**os.environ, "PKG_CONFIG_PATH": str(folder)}).strip() == version


@pytest.mark.parametrize("library", LIBRARIES)
def test_nothing_else_is_exported(prefix, library):
    shared = next(prefix.rglob(f"lib{library}.so"))
    exported = {line.split()[-1].split("@")[0] for line in run("nm", "-D", "--defined-only", shared).splitlines()}
    assert exported - {"THAW_1", "THAW_CURL_1"} == declared(library)
    archive = next(prefix.rglob(f"lib{library}.a"))
    lines = [line.split() for line in run("nm", "-g", "--defined-only", archive).splitlines()]
    assert {line[2] for line in lines if len(line) == 3} == declared(library)


def test_both_archives_in_one_program(prefix, tmp_path):
    """No name of the one clashes with one of the other."""
    (tmp_path / "both.c").write_text(
        "#include <thaw/curl.h>\n#include <thaw/thaw.h>\n"
        "int main(void) { thaw_curl *none = 0; thaw_curl_free(&none); return thaw_version()[0] != '0'; }\n")
    folder = next(prefix.rglob("libthaw.a")).parent
    archives = [folder / "libthaw-curl.a", folder / "libthaw.a"]
    include = next(prefix.rglob("thaw/curl.h")).parents[1]
    run("gcc", "-I", include, "-o", tmp_path / "both", tmp_path / "both.c", *archives, "-lcurl", "-lssl", "-lcrypto")
    run(tmp_path / "both")


@pytest.mark.parametrize("language, fence, before, after", [
    ("c -std=c11", "c", "void f(thaw_trust *trust);\nvoid f(thaw_trust *trust) {", "(void)options; }"),
    ("c++ -std=c++11", "cpp", "#include <memory>\n", "conn_ptr none(thaw_conn *conn) { return conn_ptr(conn); }"),
])  # fmt: skip
def test_the_code_in_the_manual_compiles(prefix, tmp_path, language, fence, before, after):
    blocks = re.findall(rf"```{fence}\n(.*?)```", (TOP / "docs/EMBEDDING.md").read_text(), re.S)
    source = tmp_path / "block"
    source.write_text(f"#include <thaw/thaw.h>\n{before}\n{''.join(blocks)}\n{after}\n")
    assert blocks
    run("clang", "-x", *language.split(), "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", next(prefix.rglob("thaw/ask.h")).parents[1], source)


@pytest.mark.parametrize("header", ["ask", "curl", "identity", "spool", "thaw", "trust", "types"])
@pytest.mark.parametrize("language", ["c -std=c99", "c -std=c11", "c++ -std=c++11", "c++ -std=c++17"])
def test_each_header_stands_alone(prefix, header, language):
    file = next(prefix.rglob(f"thaw/{header}.h"))
    strict = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"]
    run("clang", "-x", *language.split(), *strict, "-include", file, "-I", file.parents[1], "/dev/null")
