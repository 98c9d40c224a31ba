"""What nginx -t says about wrong settings, and that it accepts the right ones."""

import pytest
from harness.pki import Authority
from harness.rawtls import Raw, context

GOOD = "listen 127.0.0.1:{port} ssl; thaw_certificate_authority {pki}/ca.pem;"


@pytest.mark.parametrize(
    "text, words",
    [
        ("thaw_client_certificate maybe;", 'invalid value "maybe"'),
        ("thaw_client_certificate request;", 'no "thaw_certificate_authority" is defined for the "thaw_client_certificate"'),
        ("thaw_client_certificate request; thaw_certificate_authority nowhere.pem;", "nowhere.pem"),
        ("thaw_certificate_authority a; thaw_certificate_authority b;", '"thaw_certificate_authority" directive is duplicate'),
        ("thaw_client_certificate request; thaw_certificate_authority {pki}/server.key;", "server.key"),
        ("thaw_timeout soon;", '"thaw_timeout" directive invalid value'),
        ("thaw_timeout 0;", '"thaw_timeout" directive must be longer than 0'),
        ("thaw_require perhaps;", 'invalid value "perhaps" in "thaw_require" directive'),
        ("thaw_verify_depth 0;", "value must be between 1 and 100"),
        ("thaw_elsewhere http://plain.example;", '"thaw_elsewhere" directive must be an origin'),
        ("thaw_elsewhere https://a.example/path;", "without a path"),
        ("thaw_crl_check some;", 'invalid value "some"'),
    ],
)  # fmt: skip
def test_wrong_setting_is_told_with_file_and_line(nginx, text, words):
    one = nginx(f"listen 127.0.0.1:{{port}} ssl;\nlocation / {{{{\n{text}\n}}}}\n", start=False)
    code, said = one.test()
    line = next(at for at, each in enumerate((one.folder / "nginx.conf").read_text().splitlines(), 1) if each and each == text.format(pki=one.pki))
    assert code == 1
    assert words in said and f"nginx.conf:{line}" in said, said


def test_right_settings(nginx):
    one = nginx(
        GOOD + "thaw_client_certificate request; thaw_timeout 90s; thaw_require off; thaw_verify_depth 2; thaw_crl_check leaf;"
        "thaw_elsewhere https://certauth.example.com:8443;"
        "location /off {{ thaw_client_certificate off; }} location /b {{ limit_except GET {{ thaw_client_certificate body; }} }}",
        start=False,
    )
    code, said = one.test()
    assert code == 0 and "emerg" not in said and "warn" not in said, said


def test_without_a_location_that_asks_nothing_is_needed(nginx):
    code, said = nginx("listen 127.0.0.1:{port} ssl; location / {{ return 204; }}", start=False).test()
    assert code == 0, said


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
    code, said = nginx(base + f"location / {{{{ thaw_crl {leaf}; {late} }}}}", start=False).test()
    assert code == 1 and "no CRL of CA 'CN=one root'" in said
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
