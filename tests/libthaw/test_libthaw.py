"""libthaw as its user meets it: installed to a prefix, found by pkg-config, and the example built with nothing else."""

import ctypes
import hashlib
import os
import pathlib
import re
import signal
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ["THAW_BUILD"])
SIZE = 16 << 20


def run(*command, **more):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=300, **more)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture(scope="session")
def prefix(tmp_path_factory):
    where = tmp_path_factory.mktemp("prefix")
    run("cmake", "--install", BUILD, "--prefix", where)
    return where


def pkg_config(prefix, *options):
    folder = next(prefix.rglob("thaw.pc")).parent
    return run("pkg-config", *options, "thaw", env={**os.environ, "PKG_CONFIG_PATH": str(folder)}).split()


@pytest.fixture(scope="session", params=["shared", "static"])
def embed(request, prefix, tmp_path_factory):
    program = tmp_path_factory.mktemp(request.param) / "embed"
    flags = pkg_config(prefix, "--cflags")
    libs = pkg_config(prefix, "--libs")
    if request.param == "static":
        archive = next(prefix.rglob("libthaw.a"))
        libs = [str(archive)] + [lib for lib in libs if lib != "-lthaw"] + ["-lssl", "-lcrypto"]
    else:
        libs = libs + ["-lssl", "-lcrypto", f"-Wl,-rpath,{next(prefix.rglob('libthaw.so')).parent}"]
    run("gcc", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-o", program, TOP / "examples/embed.c", *flags, *libs)
    return program


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    where = tmp_path_factory.mktemp("pki")

    def make(name, issuer, extension):
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            where / f"{name}.key", "-out", where / f"{name}.csr", "-subj", f"/CN={name}")
        (where / "ext").write_text(extension)
        signer = (["-signkey", where / f"{name}.key"] if issuer is None
                  else ["-CA", where / f"{issuer}.pem", "-CAkey", where / f"{issuer}.key", "-CAcreateserial"])
        run("openssl", "x509", "-req", "-in", where / f"{name}.csr", "-out", where / f"{name}.pem", "-days", "2",
            "-extfile", where / "ext", *signer)

    ca = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n"
    make("ca", None, ca)
    make("stranger-ca", None, ca)
    make("server", "ca", "subjectAltName=DNS:localhost\n")
    make("client", "ca", "extendedKeyUsage=clientAuth\n")
    make("stranger", "stranger-ca", "extendedKeyUsage=clientAuth\n")
    return where


def end_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@pytest.fixture
def port(embed, pki):
    server = subprocess.Popen([embed, "0", pki / "server.pem", pki / "server.key", pki / "ca.pem"], text=True,
                              stdout=subprocess.PIPE, preexec_fn=end_with_parent)
    try:
        yield int(re.fullmatch(r"ready (\d+)\n", server.stdout.readline()).group(1))
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="session")
def body(tmp_path_factory):
    file = tmp_path_factory.mktemp("body") / "body"
    file.write_bytes(hashlib.shake_128(b"thaw").digest(SIZE))
    return file


def curl(port, pki, body, *options):
    out = run("curl", "-s", "-m", "60", "--cacert", pki / "ca.pem", "-H", "Expect:", "-T", body, "-w", "%{http_code}",
              *options, f"https://localhost:{port}/late")
    return int(out[-3:]), out[:-3]


VERSIONS = {"1.2": ["--tls-max", "1.2"], "1.3": ["--tlsv1.3"]}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_certificate_in_the_middle_of_an_upload(port, pki, body, version):
    status, text = curl(port, pki, body, *VERSIONS[version], "--cert", pki / "client.pem", "--key", pki / "client.key")
    means = {"1.2": "renegotiation body", "1.3": "post-handshake headers"}[version]
    assert (status, text) == (200, f"CN=client\n{means}\n{SIZE} bytes\n")


@pytest.mark.parametrize("version", VERSIONS)
def test_no_certificate(port, pki, body, version):
    status, text = curl(port, pki, body, *VERSIONS[version])
    assert status == 403 and text.startswith("declined: no-certificate")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_stranger(port, pki, body, version):
    status, text = curl(port, pki, body, *VERSIONS[version], "--cert", pki / "stranger.pem", "--key", pki / "stranger.key")
    assert status == 403 and text.startswith("rejected: untrusted")


def declared():
    names = set()
    for header in (TOP / "include/thaw").glob("*.h"):
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
        names |= set(re.findall(r"\b(thaw_\w+)\s*\([^;{]*\)\s*(?:THAW_MUST_CHECK)?;", text))
    return names - {"thaw_trace_fn"}


def test_the_symbol_list_is_what_the_headers_declare():
    assert declared() == set((TOP / "cmake/libthaw.symbols").read_text().split())


def test_nothing_else_is_exported(prefix):
    shared = next(prefix.rglob("libthaw.so"))
    exported = {line.split()[-1].split("@")[0] for line in run("nm", "-D", "--defined-only", shared).splitlines()}
    assert exported - {"THAW_0"} == declared()
    archive = next(prefix.rglob("libthaw.a"))
    lines = [line.split() for line in run("nm", "-g", "--defined-only", archive).splitlines()]
    assert {line[2] for line in lines if len(line) == 3} == declared()
