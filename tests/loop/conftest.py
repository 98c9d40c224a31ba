"""Fixtures: `thaw serve` on a free port. They use the harness of the interop tests."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))

from harness.gateway import Gateway  # noqa: E402


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    """The folder of a throwaway PKI; the first gateway that uses it creates the PKI."""
    return tmp_path_factory.mktemp("pki") / "it's a \"pki\""


@pytest.fixture
def serve(pki, tmp_path):
    """serve(*arguments, listeners=1, files=None): starts a gateway that ends with the test. Without -c it runs the
    throwaway set-up."""
    running = []

    def start(*arguments, listeners=1, files=None):
        given = [str(a) for a in arguments]
        if "-c" not in given:
            given += ["--pki", str(pki)]
            if "--listen" not in given:
                given += ["--listen", "127.0.0.1:0"]
        gateway = Gateway(given, pki, tmp_path, listeners, files)
        running.append(gateway)
        return gateway

    yield start
    for gateway in running:
        gateway.stop()
        assert not [m for m in gateway.messages if "Sanitizer" in m or "runtime error" in m], gateway.messages


@pytest.fixture
def settings(pki, serve, tmp_path):
    """settings(**changes): writes a configuration file for the throwaway PKI; it replaces the previous one."""
    serve().stop()  # creates the PKI if it does not exist

    def write(
        workers=2, log="{ access: stdout }", spool="{ memory: 16MiB, per_client: 100% }", routes="",
        listens=("127.0.0.1:0",), certificate=None, more="", path=None, proxy_protocol=False,
    ):  # fmt: skip
        folder = str(pki).replace("'", "''")
        path = path or tmp_path / "thaw.yaml"
        server = certificate or (f"{folder}/server.pem", f"{folder}/server.key")
        proxy = ", proxy_protocol: true" if proxy_protocol else ""
        addresses = ", ".join(f"{{ address: '{a}'{proxy} }}" for a in listens)
        path.write_text(
            f"workers: {workers}\n" + more + f"listen: [ {addresses} ]\n"
            f"spool: {spool}\n"
            f"log: {log}\n"
            "hosts:\n"
            "  - name: '*'\n"
            f"    certificate: '{server[0]}'\n"
            f"    key: '{server[1]}'\n"
            f"    client_certificate: {{ ca: '{folder}/ca.pem', max_body: 1GiB }}\n"
            "    routes:\n"
            "      - { path: /, upstream: builtin:inspect }\n"
            "      - { path: /late, client_certificate: { when: request }, upstream: builtin:inspect }\n" + routes
        )
        return path

    return write
