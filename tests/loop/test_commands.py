"""The command line: help, usage, exit codes as in sysexits(3), `thaw check`, `thaw version`."""

import json
import re
import socket

import pytest
from harness.gateway import binary
from harness.pki import Authority, make_many
from harness.process import run
from messages import error_of, errors_of, has_message

EX_USAGE, EX_OSERR, EX_CONFIG = 64, 71, 78
LIMIT = 60


def thaw(*arguments, **options):
    code, out, err, late = run([str(binary()), *map(str, arguments)], LIMIT, **options)
    assert not late, f"thaw {arguments} did not end"
    return code, out.decode(), err.decode()


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["help"]] + [[c, "--help"] for c in ("serve", "check", "reload", "upgrade", "demo", "version")] + [["help", "serve"]],
)
def test_help_is_on_standard_output(arguments):
    code, out, err = thaw(*arguments)
    assert (code, err) == (0, "")
    assert out.startswith("usage: thaw ")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["thaw"],
        ["help", "nothing"],
        ["serve", "--nothing"],
        ["serve", "-c"],
        ["serve", "more"],
        ["serve", "-c", "x", "--pki", "y"],
        ["serve", "--listen", "nonsense"],
        ["serve", "--listen", "127.0.0.1:65536"],
        ["check"],
        ["check", "file"],
        ["check", "-c", "x", "--nothing"],
        ["version", "more"],
        ["demo", "more"],
        ["demo", "--size", "15"],
        ["demo", "--pki", "x"],
        ["demo", "--frozen-server", "--size", "16"],
        ["demo", "--frozen-server", "--listen", "unix:x"],
        ["demo", "--frozen-server", "--listen", "nonsense"],
        ["demo", "--frozen-server", "--read-ahead", "-1"],
        ["demo", "--frozen-server", "--read-ahead", "1x"],
        ["demo", "--frozen-server", "--give-up", "0"],
        ["send"],
        ["send", "file"],
        ["send", "-", "file", "https://localhost/"],
        ["send", "file", "ftp://localhost/"],
        ["send", "file", "https://localhost/", "--method", "GET"],
        ["send", "file", "https://localhost/", "--prime", "perhaps"],
        ["send", "file", "https://localhost/", "--prime", "never", "--prime-url", "https://localhost/x"],
        ["send", "file", "https://localhost/", "--prime-url", "http://localhost/x"],
        ["send", "file", "https://localhost/", "--tls", "1.1"],
        ["send", "file", "https://localhost/", "--retry", "-1"],
        ["send", "file", "https://localhost/", "--stall", "1ms"],
        ["send", "file", "https://localhost/", "--limit-rate", "fast"],
        ["send", "file", "https://localhost/", "--header", "no colon"],
        ["send", "file", "https://localhost/", "--header", "Content-Length: 1"],
        ["send", "file", "https://localhost/", "--pkcs12", "x", "--cert", "y"],
        ["send", "file", "https://localhost/", "--ca", "x", "--insecure"],
        ["send", "--form", "file", "https://localhost/"],
        ["send", "--form", "name=@", "https://localhost/"],
        ["send", "--form", "name=@\"file", "https://localhost/"],
        ["send", "--form", "name=text;filename=x", "https://localhost/"],
        ["send", "--form", "name=@file;type=", "https://localhost/"],
        ["send", "file", "https://localhost/", "--connect-to", "a:1"],
        ["send", "file", "https://localhost/", "--connect-to", "a:1:b:65536"],
        ["send", "file", "https://localhost/", "--connect-to", "a:1:[::1:2"],
        ["send", "file", "https://localhost/", "--resolve", "a:1"],
        ["send", "file", "https://localhost/", "--resolve", "a::127.0.0.1"],
        ["send", "file", "https://localhost/", "--user-agent", "a\nb"],
        ["send", "file", "https://localhost/", "--user", ":p"],
        ["send", "file", "https://localhost/", "--proxy-user", "name"],
        ["send", "file", "https://localhost/", "--pass", "fd:x"],
        ["send", "--form", "name=@file", "file", "https://localhost/"],
        ["reload"],
        ["upgrade"],
        ["upgrade", "1", "2"],
        ["upgrade", "x"],
        ["reload", "1", "2"],
        ["reload", "1", "-c", "x"],
        ["reload", "x"],
        ["reload", "--nothing"],
    ],
)
def test_usage_errors_are_printed_on_standard_error(arguments):
    code, out, err = thaw(*arguments)
    assert (code, out) == (EX_USAGE, "")
    assert err


def test_the_wrong_option_is_named():
    assert "--nothing" in thaw("serve", "--nothing")[2]
    assert "'nonsense'" in thaw("serve", "--listen", "nonsense")[2]


def test_version():
    code, out, _ = thaw("--version")
    assert code == 0
    assert re.fullmatch(r"thaw \d+\.\d+\.\d+ \(OpenSSL 3\..*\)\n", out)
    code, out, _ = thaw("version", "--json")
    assert code == 0
    report = json.loads(out)
    assert set(report) == {"schema", "version", "tls"}
    assert report["tls"].startswith("OpenSSL 3.")


def test_check_says_ok(settings):
    path = settings()
    code, out, err = thaw("check", "-c", path)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == f"{path}: ok"
    assert "  /late: client certificate request, builtin:inspect" in out


def test_check_json(settings):
    path = settings(routes="      - { path: /put, methods: [ PUT, POST ], upstream: builtin:sink }\n")
    code, out, _ = thaw("check", "-c", path, "--json")
    report = json.loads(out)
    assert (code, report["ok"], report["error"], report["file"]) == (0, True, None, str(path))
    assert report["listen"] == ["127.0.0.1:0"]
    routes = {r["path"]: r for r in report["hosts"][0]["routes"]}
    assert routes["/late"] == {"path": "/late", "methods": None, "when": "request", "upstream": "builtin:inspect"}
    assert routes["/put"]["methods"] == ["PUT", "POST"]


def asking_route(**certificate):
    keys = ", ".join(f"{key}: '{value}'" for key, value in certificate.items())
    return f"      - {{ path: /asks, client_certificate: {{ when: request, {keys} }}, upstream: builtin:sink }}\n"


def test_check_finds_a_missing_crl(settings, tmp_path):
    """With crl_check: chain (the default) a CA without a CRL is an error."""
    authority = Authority(tmp_path, "revoking")
    crl = tmp_path / "crls.pem"
    crl.write_text(authority.crl(authority.issuing))
    code, _, err = thaw("check", "-c", settings(routes=asking_route(ca=authority.root, crl=crl)))
    assert code == EX_CONFIG
    assert error_of(err).key == "hosts[0].routes[2].client_certificate.crl"
    assert has_message(err, "no-crl", crl, "crl_check", ca="CN=revoking root"), err
    assert thaw("check", "-c", settings(routes=asking_route(ca=authority.root, crl=crl, crl_check="leaf")))[0] == 0
    crl.write_text(crl.read_text() + authority.crl(authority.root))
    assert thaw("check", "-c", settings(routes=asking_route(ca=authority.root, crl=crl)))[0] == 0


def warnings_of(path):
    """The warnings, except the one about workers that run as root, which these tests cause."""
    warnings = json.loads(thaw("check", "-c", path, "--json")[1])["warnings"]
    return [warning for warning in warnings if not has_message(warning, "workers-are-root")]


def test_check_refuses_a_log_that_is_a_folder(settings, tmp_path):
    code, _, err = thaw("check", "-c", settings(log=f"{{ access: '{tmp_path}' }}"))
    assert code == EX_CONFIG
    assert error_of(err).key == "log.access" and has_message(err, "cannot-write-log", log=tmp_path), err


def test_check_warns_of_sockets_that_cannot_be_made(settings, tmp_path):
    taken, missing = tmp_path / "file", tmp_path / "none" / "socket"
    taken.write_text("")
    (listen, admin) = warnings_of(settings(listens=[f"unix:{taken}"], more=f"admin: unix:{missing}\n"))
    assert error_of(listen).key == "listen[0].address" and has_message(listen, "not-a-socket", file=taken)
    assert error_of(admin).key == "admin" and has_message(admin, "no-folder", file=missing)
    assert warnings_of(settings(listens=[f"unix:{tmp_path}/socket"])) == []


def test_check_warns_of_names_that_are_not_sent(settings, tmp_path):
    many = make_many(tmp_path, 30)
    path = settings(routes=asking_route(ca=many))
    code, out, _ = thaw("check", "-c", path)
    assert code == 0
    (warning,) = [one for one in errors_of(out) if one.key.endswith(".ca")]
    assert has_message(warning.text, "no-ca-names", many, "ca_names"), warning
    assert [str(many) in warning for warning in warnings_of(path)] == [True]
    path = settings(routes=asking_route(ca=many, ca_names="none"))
    assert warnings_of(path) == []


@pytest.mark.parametrize("command", ["check", "serve"])
@pytest.mark.parametrize(
    "wrong, key, value",
    [
        (dict(workers="many"), "workers", "many"),
        (dict(spool="{ memory: 16MiB, disk: 1GiB, directory: /nonexistent/thaw }"), "spool.directory", "/nonexistent/thaw"),
        (dict(log="{ access: /nonexistent/access.log }"), "log.access", "/nonexistent/access.log"),
        (
            dict(routes="      - { path: /x, client_certificate: { when: body, ca: /none.pem }, upstream: builtin:sink }\n"),
            "hosts[0].routes[2].client_certificate.ca", "/none.pem",
        ),
    ],
)  # fmt: skip
def test_a_wrong_configuration(settings, command, wrong, key, value):
    code, out, err = thaw(command, "-c", settings(**wrong))
    assert (code, out) == (EX_CONFIG, "")
    assert err.startswith("thaw: error: ")
    assert error_of(err).key == key and value in err


def with_keys(folder, text, mode=0o600):
    file = folder / "ticket.keys"
    file.write_text(text)
    file.chmod(mode)
    return dict(more=f"ticket_keys: '{file}'\n"), str(file)


def unwritable(folder, text):
    """A path that cannot be a folder, not even for root."""
    (folder / "file").write_text("")
    return text.format(folder / "file" / "below")


WRONG_FILES = {
    "user": lambda folder: (dict(more="user: nobody-of-that-name\n"), "nobody-of-that-name", "useradd"),
    "group": lambda folder: (dict(more="group: none-of-that-name\n"), "none-of-that-name", "groupadd"),
    "spool.directory": lambda folder: (
        dict(spool=unwritable(folder, "{{ memory: 16MiB, disk: 1GiB, directory: '{}' }}")),
        str(folder / "file" / "below"),
        "directory",
    ),
    "log.access": lambda folder: (
        dict(log=unwritable(folder, "{{ access: '{}' }}")), str(folder / "file" / "below"), "folder",
    ),
    "ticket_keys": lambda folder: (*with_keys(folder, "rubbish\n"), "openssl rand"),
}  # fmt: skip


@pytest.mark.parametrize("command", ["check", "serve"])
@pytest.mark.parametrize("key", WRONG_FILES)
def test_a_wrong_file_or_name_is_reported_with_line_key_and_cure(settings, tmp_path, command, key):
    wrong, value, cure = WRONG_FILES[key](tmp_path)
    path = settings(**wrong)
    code, out, err = thaw(command, "-c", path)
    assert (code, out) == (EX_CONFIG, "")
    error = error_of(err)
    assert (error.file, error.key) == (str(path), key)
    assert value in path.read_text().splitlines()[error.line - 1]
    cause, _, what_to_do = error.text.rpartition("; ")
    assert value in cause and cure in what_to_do


@pytest.mark.parametrize("how", ["missing", "empty", "readable", "folder"])
def test_ticket_keys_that_cannot_be_used(settings, tmp_path, how):
    wrong, file = with_keys(tmp_path, "" if how == "empty" else "00" * 80 + "\n", 0o644 if how == "readable" else 0o600)
    if how in ("missing", "folder"):
        (tmp_path / "ticket.keys").unlink()
    if how == "folder":
        (tmp_path / "ticket.keys").mkdir()
    code, _, err = thaw("check", "-c", settings(**wrong))
    assert code == EX_CONFIG
    error = error_of(err)
    cause, _, what_to_do = error.text.rpartition("; ")
    assert error.key == "ticket_keys" and file in cause and "openssl rand" in what_to_do


def test_check_prints_its_error_as_json(settings):
    path = settings(workers="many")
    code, out, _ = thaw("check", "--json", "-c", path)
    report = json.loads(out)
    assert code == EX_CONFIG
    assert report["ok"] is False
    assert error_of(report["error"])[:3] == (str(path), 1, "workers")


@pytest.mark.parametrize("command", ["check", "serve"])
def test_a_configuration_that_is_not_there(command, tmp_path):
    code, _, err = thaw(command, "-c", tmp_path / "none.yaml")
    assert code == EX_CONFIG
    assert "none.yaml" in err


def test_check_leaves_no_log_file_behind(settings, tmp_path):
    log = tmp_path / "access.log"
    assert thaw("check", "-c", settings(log=f"{{ access: '{log}' }}"))[0] == 0
    assert not log.exists()


def test_a_port_in_use(pki):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, _, err = thaw("serve", "--listen", f"127.0.0.1:{port}", "--pki", pki)
    assert code == EX_OSERR
    assert has_message(err, "address-in-use", port), err


def test_a_pki_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = thaw("serve", "--listen", "127.0.0.1:0", "--pki", tmp_path / "file" / "pki")
    assert code == EX_OSERR
    assert err.startswith("thaw: error: ")


def test_check_prints_upstreams(settings):
    """It prints the upstreams, and warns of settings that are valid but perhaps not intended."""
    path = settings()
    path.write_text(path.read_text() + "upstreams:\n"
                    "  app: { servers: [ 'http://127.0.0.1:8080', 'unix:/run/app.sock' ] }\n"
                    "  far: { servers: [ 'https://far.example' ], tls: { verify: false } }\n")
    _, text, _ = thaw("check", "-c", path)
    assert "upstream app: http://127.0.0.1:8080 unix:/run/app.sock (no route uses it)" in text
    assert "upstream far: https://far.example (their certificates are not verified) (no route uses it)" in text
    report = json.loads(thaw("check", "-c", path, "--json")[1])
    assert [u["name"] for u in report["upstreams"]] == ["app", "far"]


def test_check_warns_of_routes_that_services_take_for_one(settings):
    path = settings(routes="      - { path: /LATE, upstream: builtin:sink }\n")
    (warning,) = warnings_of(path)
    assert "'/late'" in warning and "'/LATE'" in warning and "case-sensitive" in warning
    path.write_text(path.read_text().replace("    routes:\n", "    paths: case-sensitive\n    routes:\n", 1))
    assert warnings_of(path) == []
    for alike in ("{ path: /late/, client_certificate: { when: body }, upstream: builtin:sink }", "{ path: /Other, upstream: builtin:sink }"):
        assert warnings_of(settings(routes=f"      - {alike}\n")) == []
