"""What nginx -t says about wrong settings, and that it accepts the right ones."""

import pytest

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
