"""Limits of requests, over both versions of HTTP."""

import subprocess

import pytest

ROUTES = "      - { path: /small, max_request_body: 100KiB, upstream: builtin:inspect }\n"


def put(gateway, pki, path, size, *options):
    """The status of a PUT whose length its head does not tell."""
    done = subprocess.run(
        ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{http_version}", "--cacert", pki / "ca.pem", "-T", "-", *options,
         f"https://localhost:{gateway.port}{path}"],
        input=bytes(size), capture_output=True,
    )  # fmt: skip
    return done.stdout.decode()


@pytest.mark.parametrize("option, version", [("--http1.1", "1.1"), ("--http2", "2")])
def test_a_body_without_a_length_is_refused_at_the_limit(serve, settings, pki, option, version):
    config = settings(routes=ROUTES)
    config.write_text(config.read_text().replace("    routes:", "    http2: 'on'\n    routes:"))
    gateway = serve("-c", config)
    assert put(gateway, pki, "/small", 102400, option) == f"200 {version}"
    assert put(gateway, pki, "/small", 102401, option) == f"413 {version}"
    assert put(gateway, pki, "/", 102401, option) == f"200 {version}"
