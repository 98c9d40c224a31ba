"""tests/libthaw/server.c, which is written by the manual alone: built against the installed library as C11 and C++17, by
pkg-config and by CMake, shared and static, without a warning; edge-triggered, and with a thread for each connection."""

import concurrent.futures
import http.client
import os
import pathlib
import re
import ssl
import subprocess

import pytest
from test_libthaw import LIMIT_S, TOP, end_with_parent, pki, prefix, run  # noqa: F401

SOURCE = TOP / "tests/libthaw/server.c"
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
LANGUAGES = {"c": ["gcc", "-std=c11", "-D_GNU_SOURCE"], "c++": ["g++", "-std=c++17", "-x", "c++"]}
SIZE = 3_000_000


def by_pkg_config(prefix, folder, language):  # noqa: F811
    pc = next(prefix.rglob("thaw.pc")).parent
    flags = run("pkg-config", "--cflags", "--libs", "thaw", env={**os.environ, "PKG_CONFIG_PATH": str(pc)}).split()
    rpath = f"-Wl,-rpath,{next(prefix.rglob('libthaw.so')).parent}"
    run(*LANGUAGES[language], *STRICT, "-o", folder / "server", SOURCE, "-x", "none", *flags, rpath, "-pthread")


def by_cmake(prefix, folder, target):  # noqa: F811
    (folder / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\nproject(server C)\nset(CMAKE_C_STANDARD 11)\n"
        f"find_package(thaw 0.2 REQUIRED)\nadd_executable(server {SOURCE})\n"
        f"target_compile_options(server PRIVATE {' '.join(STRICT)})\ntarget_link_libraries(server PRIVATE {target})\n")
    run("cmake", "-S", folder, "-B", folder, f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", folder)


BUILDS = {
    "c11": (by_pkg_config, "c"),
    "c++17": (by_pkg_config, "c++"),
    "cmake": (by_cmake, "thaw::thaw"),
    "cmake-static": (by_cmake, "thaw::thaw_static"),
}


@pytest.fixture(scope="session", params=BUILDS)
def server(request, prefix, tmp_path_factory):  # noqa: F811
    how, what = BUILDS[request.param]
    folder = tmp_path_factory.mktemp("server")
    how(prefix, folder, what)
    return folder / "server"


@pytest.fixture(params=("epoll", "threads"))
def port(request, server, pki):  # noqa: F811
    files = [pki / "server.pem", pki / "server.key", pki / "ca.pem"]
    process = subprocess.Popen([server, request.param, *files], text=True, stdout=subprocess.PIPE, preexec_fn=end_with_parent)
    try:
        yield int(re.fullmatch(r"ready (\d+)\n", process.stdout.readline()).group(1))
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()


VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
MEANS = {"1.2": "renegotiation body", "1.3": "post-handshake headers"}


def connect(port, pki, version, certificate="client"):  # noqa: F811
    context = ssl.create_default_context(cafile=pki / "ca.pem")
    if certificate:
        context.load_cert_chain(pki / f"{certificate}.pem", pki / f"{certificate}.key")
    context.minimum_version = context.maximum_version = VERSIONS[version]
    context.post_handshake_auth = True
    return http.client.HTTPSConnection("localhost", port, context=context, timeout=LIMIT_S)


def put(connection, path, size=SIZE):
    connection.request("PUT", path, body=b"x" * size)
    return connection.getresponse().read().decode().rstrip("\n")


@pytest.mark.parametrize("version", VERSIONS)
def test_several_asks_on_a_connection(port, pki, version):  # noqa: F811
    one = connect(port, pki, version)
    assert put(one, "/plain") == f"none none none - {SIZE}"
    assert put(one, "/late") == f"accepted {MEANS[version]} CN=client {SIZE}"
    assert put(one, "/late", 0).startswith("accepted handshake") and put(one, "/plain", 5).endswith("CN=client 5")
    assert put(one, "/again") == f"accepted {MEANS[version]} CN=client {SIZE}"


@pytest.mark.parametrize("version", VERSIONS)
def test_clients_with_and_without_a_certificate_at_once(port, pki, version):  # noqa: F811
    def client(nth):
        certificate = ("client", "stranger", None)[nth % 3]
        verdict = ("accepted", "rejected", "declined")[nth % 3]
        return put(connect(port, pki, version, certificate), "/late", 100_000 * nth).startswith(verdict)

    with concurrent.futures.ThreadPoolExecutor(9) as pool:
        assert list(pool.map(client, range(9))) == [True] * 9


def used_names(folder):
    """Functions of libthaw that are called in the sources of a folder."""
    sources = [file.read_text() for file in sorted((TOP / folder).rglob("*.[ch]"))]
    return {name for text in sources for name in re.findall(r"\b(thaw_\w+)\s*\(|\b(thaw_ctx_\w+)\b", text) for name in name}


@pytest.mark.parametrize("library", ("thaw", "thaw-curl"))
def test_each_function_is_called_by_a_test(library):
    symbols = set(pathlib.Path(TOP / f"cmake/lib{library}.symbols").read_text().split())
    assert symbols - used_names("tests") == set()
