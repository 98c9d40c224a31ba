"""What nginx -t says about wrong settings, and that it accepts the right ones."""

import pytest
from harness.pki import Authority
from harness.rawtls import Raw, context
from messages import has_message

GOOD = "listen 127.0.0.1:{port} ssl; thaw_certificate_authority {pki}/ca.pem;"


@pytest.mark.parametrize(
    "text, value",
    [
        ("thaw_client_certificate maybe;", '"maybe"'),
        ("thaw_client_certificate request;", '"thaw_certificate_authority"'),
        ("thaw_client_certificate request; thaw_certificate_authority nowhere.pem;", "nowhere.pem"),
        ("thaw_certificate_authority a; thaw_certificate_authority b;", '"thaw_certificate_authority"'),
        ("thaw_client_certificate request; thaw_certificate_authority {pki}/server.key;", "server.key"),
        ("thaw_timeout soon;", '"thaw_timeout"'),
        ("thaw_timeout 0;", '"thaw_timeout"'),
        ("thaw_require perhaps;", '"perhaps"'),
        ("thaw_verify_depth 0;", "1 and 100"),
        ("thaw_timeout -1;", '"thaw_timeout"'),
        ("thaw_verify_depth 101;", "1 and 100"),
        ("thaw_verify_depth deep;", '"thaw_verify_depth"'),
        *((f"thaw_elsewhere {wrong};", '"thaw_elsewhere"') for wrong in (
            "http://plain.example", "https://a.example/path", "https://a.example/", "https://", "https://:443", "https://a.example:", "https://a.example:0",
            "https://a.example:65536", "https://a.example:port", "https://$host", "https://user@a.example", "https://[::1", "https://[::g]", "https://[::1]443", "'https://a b'", "on",
        )),
        ("thaw_client_certificate;", '"thaw_client_certificate"'),
        ("thaw_client_certificate request body;", '"thaw_client_certificate"'),
        ("thaw_require;", '"thaw_require"'),
        ("if ($host) {{ thaw_require on; }}", '"thaw_require"'),
        ("thaw_certificate_authority {pki}; thaw_client_certificate body;", '"thaw_certificate_authority"'),
        ("thaw_certificate_authority ''; thaw_client_certificate body;", '"thaw_certificate_authority"'),
        ("thaw_crl_check some;", '"some"'),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_reported_with_file_and_line(nginx, text, value):
    one = nginx(f"listen 127.0.0.1:{{port}} ssl;\nlocation / {{{{\n{text}\n}}}}\n", start=False)
    code, output = one.test()
    line = next(at for at, each in enumerate((one.folder / "nginx.conf").read_text().splitlines(), 1) if each and each == text.format(pki=one.pki))
    assert code == 1
    assert value in output and f"nginx.conf:{line}" in output and "unknown directive" not in output, output


@pytest.mark.parametrize("crl", ("nowhere.crl", "{pki}/ca.pem", "{pki}/server.key", "{pki}", "/dev/null"))
def test_wrong_crl_is_reported_with_its_own_line(nginx, crl):
    """Where CA and CRL are set apart, and inherited."""
    one = nginx("listen 127.0.0.1:{port} ssl;\nthaw_certificate_authority {pki}/other.pem;\n" f"thaw_crl {crl};\n" "location / {{ thaw_client_certificate request; }}", start=False)
    (one.pki / "other.pem").write_text((one.pki / "ca.pem").read_text())
    code, output = one.test()
    line = next(at for at, each in enumerate((one.folder / "nginx.conf").read_text().splitlines(), 1) if each.startswith("thaw_crl "))
    assert code == 1 and '"thaw_crl"' in output and f"nginx.conf:{line}" in output, output


@pytest.mark.parametrize("origin", ("https://a.example", "HTTPS://A.example:8443", "https://192.0.2.1:1", "https://[2001:db8::1]", "https://[::1]:65535"))
def test_elsewhere_is_taken_as_it_is(nginx, origin):
    """And a location can do without it."""
    one = nginx(GOOD + f"thaw_client_certificate request; thaw_elsewhere {origin}; location / {{{{ }}}} location /here {{{{ thaw_elsewhere off; }}}}")
    with Raw(one, "1.3", pha=False) as client:
        answer = client.ask("GET", "/there?x")
        assert (answer.status, answer.headers["location"]) == (307, f"{origin}/there?x")
        assert client.ask("GET", "/here").status == 403


def _tree(say):
    """The http block and a server block in which say(level) is at each level."""
    text = say
    return text("http"), (
        "listen 127.0.0.1:{port} ssl; server_name localhost;" + text("server") + "location / {{ proxy_pass http://app; }}"
        "location /outer {{" + text("location") + "proxy_pass http://app; location /outer/inner {{" + text("nested") + "proxy_pass http://app;"
        "limit_except GET {{" + text("limit") + "}} }} }}"
    )


PLACES = {"server": ("GET", "/"), "location": ("GET", "/outer"), "nested": ("GET", "/outer/inner"), "limit": ("PUT", "/outer/inner")}
LEVELS = ("http", *PLACES)


def _deep_chain(folder):
    """A root, and a client's chain with two CA certificates below it."""
    deep, lower, leaf = Authority(folder, "deep"), folder / "lower.pem", folder / "leaf.pem"
    deep._new(lower, "/CN=lower", "critical,CA:TRUE", deep.issuing)
    deep._new(leaf, "/CN=leaf", "CA:FALSE", lower)
    leaf.write_text("".join(each.read_text() for each in (leaf, lower, deep.issuing)))
    return deep.root, leaf


def _ask(one, method, target, ctx=None, **how):
    with Raw(one, "1.3", ctx=ctx, **how) as client:
        return client.ask(method, target, b"body" if method == "PUT" else None)


@pytest.mark.parametrize("at", LEVELS)
@pytest.mark.parametrize(
    "name, value, other",
    [
        ("thaw_client_certificate", "request", "off"),
        ("thaw_certificate_authority", "{pki}/ca.pem", "{pki}/stranger-ca.pem"),
        ("thaw_require", "off", "on"),
        ("thaw_verify_depth", "2", "1"),
        ("thaw_elsewhere", "https://a.example", "https://b.example"),
        ("thaw_timeout", "100ms", "120s"),
    ],
)
def test_each_directive_is_inherited_and_overridden(nginx, tmp_path, name, value, other, at):
    """`other` in http, `value` from that level on."""
    outside = {"thaw_client_certificate": "request", "thaw_certificate_authority": "{pki}/ca.pem"}
    how = {"identity": None} if name == "thaw_require" else {"pha": False} if name == "thaw_elsewhere" else {}
    if name == "thaw_verify_depth":
        outside["thaw_certificate_authority"], leaf = _deep_chain(tmp_path)
    outside[name] = other

    def say(level):
        values = {**(outside if level == "http" else {}), **({name: value} if level == at else {})}
        return "".join(f"{one} {output};" for one, output in values.items())

    http, server = _tree(say)
    if name == "thaw_elsewhere":
        server += "ssl_protocols TLSv1.3;"
    one = nginx(server, http=http)
    if name == "thaw_verify_depth":
        how["ctx"] = context(one.pki, "1.3", identity=None)
        how["ctx"].load_cert_chain(leaf, leaf.with_suffix(".key"))
    for level, (method, target) in PLACES.items():
        reached = LEVELS.index(level) >= LEVELS.index(at)
        if name == "thaw_timeout":
            if reached:
                with Raw(one, "1.3") as client:
                    client.send(client.head(method, f"{target}?{level}", "Content-Length: 0"))
                    assert one.record(f"{target}?{level}")["verdict"] == "timed-out"
            continue
        answer = _ask(one, method, target, **how)
        shown = {
            "thaw_client_certificate": lambda: answer.json()["fields"].get("x-verdict") == "accepted",  # noqa: B023
            "thaw_elsewhere": lambda: answer.headers["location"].startswith("https://a.example/"),  # noqa: B023
        }.get(name, lambda: answer.status == 200)()  # noqa: B023
        assert shown == reached, (level, answer)


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
def test_verify_depth_of_nginx_is_not_the_location_s(nginx, tmp_path, tls):
    """ssl_verify_depth, which is 1 by default, is for ssl_client_certificate."""
    root, leaf = _deep_chain(tmp_path)
    ask = "proxy_pass http://app; thaw_client_certificate request;"
    one = nginx(
        f"listen 127.0.0.1:{{port}} ssl; server_name localhost; ssl_verify_client optional; ssl_client_certificate {{pki}}/ca.pem; thaw_certificate_authority {root};"
        f"location / {{{{ {ask} }}}} location /low {{{{ {ask} thaw_verify_depth 1; }}}}"
    )
    made = context(one.pki, tls, identity=None)
    made.load_cert_chain(leaf, leaf.with_suffix(".key"))
    for path, status in (("/", 200), ("/low", 403)):
        with Raw(one, tls, identity=None) as client:
            assert client.ask("GET", "/nothing-yet").status == 403
            client.tls.context = made
            assert client.ask("GET", path).status == status


def test_protocols_of_ssl_conf_command(nginx):
    """A client that cannot be asked over TLS 1.3 is not held to a version that the server block does not have."""
    one = nginx(GOOD + "ssl_conf_command MinProtocol TLSv1.3; location / {{ thaw_client_certificate request; proxy_pass http://app; }}")
    with Raw(one, pha=False) as client:
        assert client.tls.version() == "TLSv1.3"
        assert client.ask("GET", "/").status == 403
    with Raw(one, pha=True) as client:
        assert client.ask("GET", "/").status == 200


def test_right_settings(nginx):
    one = nginx(
        GOOD + "thaw_client_certificate request; thaw_timeout 90s; thaw_require off; thaw_verify_depth 2; thaw_crl_check leaf;"
        "thaw_elsewhere https://certauth.example.com:8443;"
        "location /off {{ thaw_client_certificate off; }} location /b {{ limit_except GET {{ thaw_client_certificate body; }} }}",
        start=False,
    )
    code, output = one.test()
    assert code == 0 and "emerg" not in output and "warn" not in output, output


def test_without_a_location_that_asks_nothing_is_needed(nginx):
    code, output = nginx("listen 127.0.0.1:{port} ssl; location / {{ return 204; }}", start=False).test()
    assert code == 0, output


@pytest.mark.parametrize("tls", ("1.2", "1.3"))
def test_revoked_certificate_is_refused(nginx, tmp_path, tls):
    """thaw_crl with either thaw_crl_check. Without a CRL of the root no chain would be accepted: nginx does not start."""
    one_ca = Authority(tmp_path, "one")
    good, bad = one_ca.client("good"), one_ca.client("bad")
    crl, leaf = tmp_path / "chain.crl", tmp_path / "leaf.crl"
    leaf.write_text(one_ca.crl(one_ca.issuing, tmp_path / "bad.pem"))
    crl.write_text(one_ca.crl(one_ca.root) + leaf.read_text())
    base = f"listen 127.0.0.1:{{port}} ssl; server_name localhost; thaw_certificate_authority {one_ca.root};"
    late = "thaw_client_certificate request; proxy_pass http://app;"
    code, output = nginx(base + f"location / {{{{ thaw_crl {leaf}; {late} }}}}", start=False).test()
    assert code == 1 and has_message(output, "no-crl", ca="CN=one root"), output
    one = nginx(
        base + f"location /chain {{{{ thaw_crl {crl}; {late} }}}} location /leaf {{{{ thaw_crl {leaf}; thaw_crl_check leaf; {late} }}}}"
    )
    for name, statuses in ((good, {"/chain": 200, "/leaf": 200}), (bad, {"/chain": 403, "/leaf": 403})):
        for path, status in statuses.items():
            ctx = context(one.pki, tls, identity=None)
            ctx.load_cert_chain(tmp_path / f"{name}.pem", tmp_path / f"{name}.key")
            with Raw(one, ctx=ctx) as client:
                assert client.ask("GET", f"{path}?{name}").status == status
            record = one.record(f"{path}?{name}")
            assert (record["verdict"], record["reason"]) == (("accepted", "none") if status == 200 else ("rejected", "untrusted"))


@pytest.mark.parametrize("listen, where, warns", [
    ("listen 127.0.0.1:{plain};", "location", True),
    ("listen 127.0.0.1:{plain};", "server", True),
    ("listen 127.0.0.1:{plain};", "http", False),  # such as a server block that redirects
    ("listen 127.0.0.1:{plain}; listen 127.0.0.1:{port} ssl;", "location", False),
    ("listen unix:{folder}/socket ssl;", "location", False),
])  # fmt: skip
def test_server_block_without_tls_that_asks_is_warned_of(nginx, listen, where, warns):
    say = {at: "thaw_client_certificate request;" if at == where else "" for at in ("http", "server", "location")}
    tls = "listen 127.0.0.1:{port} ssl; server_name other; location / {{ thaw_client_certificate off; }}"
    one = nginx(listen + "\n" + say["server"] + "\nlocation / {{\n" + say["location"] + "\n}}", tls, http="thaw_certificate_authority {pki}/ca.pem;" + say["http"], start=False)
    code, output = one.test()
    assert code == 0 and ("[warn]" in output) == warns, output
    if warns:
        line = next(at for at, each in enumerate((one.folder / "nginx.conf").read_text().splitlines(), 1) if each == "thaw_client_certificate request;")
        assert '"listen ... ssl"' in output and f"nginx.conf:{line}" in output, output
