"""The Debian packages: built by one command, installed beside everything else in an overlay, used, and removed again.

Nothing of this machine is changed: the packages are installed into a file system that is laid over it, in a mount
namespace of its own. That takes root, and a kernel that lets it; elsewhere these tests are skipped, saying why.
"""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]


def fields(deb):
    text = subprocess.run(["dpkg-deb", "-f", deb], check=True, capture_output=True, text=True).stdout
    return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line and not line.startswith(" "))


def test_what_they_depend_on(debs):
    thaw = fields(debs["thaw"])
    for library in ("libc6", "libssl3", "libev4", "libjansson4", "libyaml-0-2", "libc-?ares2", "libsystemd0", "libseccomp2",
                    "libcurl4"):
        assert re.search(library, thaw["Depends"])
    series = subprocess.run(["pkg-config", "--modversion", "openssl"], check=True, capture_output=True, text=True).stdout
    major, minor, *_ = series.split(".")
    for package in ("thaw", "libthaw1", "libthaw-curl1"):  # not on a release whose OpenSSL they were not tested with
        assert re.search(rf"libssl3\w* \(<< {major}\.{int(minor) + 1}~\)", fields(debs[package])["Depends"])
    assert "libengine-pkcs11-openssl" in thaw["Recommends"]
    module = fields(debs["libnginx-mod-http-thaw"])["Depends"]
    assert "libc6 (" in module and "libssl3" in module and "libthaw1 (=" in module
    assert "libssl3" in fields(debs["libthaw1"])["Depends"] and "libthaw1 (=" in fields(debs["libthaw-dev"])["Depends"]
    assert "libcurl4" in fields(debs["libthaw-curl1"])["Depends"]
    assert "libthaw-curl1 (=" in fields(debs["libthaw-curl-dev"])["Depends"]


def test_the_nginx_module_serves_a_protected_location(installed):
    """As docs/NGINX.md says it, with the packages alone."""
    report = installed(r'''
        cd /tmp && thaw serve --listen 127.0.0.1:0 --pki pki >/dev/null 2>&1 & thaw=$!
        until [ -e /tmp/pki/client.key ] && [ -e /tmp/pki/server.key ]; do sleep 0.1; done; kill $thaw
        cd /tmp; mkdir -p www/secure; chmod 755 www www/secure; echo hello >www/secure/file; ls -l /etc/nginx/modules-enabled/50-mod-http-thaw.conf | sed 's/.*-> //'
        rm -f /etc/nginx/sites-enabled/*
        printf '%s\n' 'server { listen 127.0.0.1:18443 ssl; ssl_certificate /tmp/pki/server.pem; ssl_certificate_key /tmp/pki/server.key;'             'location /secure/ { thaw_client_certificate request; thaw_certificate_authority /tmp/pki/ca.pem; root /tmp/www; add_header X-Who "$ssl_client_s_dn"; } }'             >/etc/nginx/conf.d/thaw.conf
        unshare -n sh -ec '
            ip link set lo up
            nginx -t 2>&1 | grep successful; nginx
            curl="curl -s --http1.1 --cacert pki/ca.pem --resolve localhost:18443:127.0.0.1"
            $curl -o /dev/null -w "%{http_code}\n" https://localhost:18443/secure/file
            $curl -i --cert pki/client.pem --key pki/client.key https://localhost:18443/secure/file
            nginx -s stop' ''')
    assert "/usr/share/nginx/modules-available/mod-http-thaw.conf" in report and "test is successful" in report
    assert "403\n" in report and "X-Who: CN=Thaw Demo Client" in report and report.endswith("hello\n"), report


def digests(debs):
    return {name: hashlib.sha256(deb.read_bytes()).hexdigest() for name, deb in debs.items()}


def copied(tmp_path):
    """A copy of the sources as from an archive, without git, whose files were changed years ago."""
    to = tmp_path / "copy of the sources"
    left_out = {".git", "__pycache__"}
    shutil.copytree(TOP, to, symlinks=True,
                    ignore=lambda folder, names: left_out & set(names) | ({"build"} if folder == str(TOP) else set()))  # fmt: skip
    for path in to.rglob("*"):
        os.utime(path, (time.time() - 3000 * 86400,) * 2, follow_symlinks=False)
    return to


def test_the_same_sources_give_the_same_bytes(debs, tmp_path):
    """In another folder, at another time, without git."""
    git = tmp_path / "git"
    git.write_text("#!/bin/sh\nexit 127\n")
    git.chmod(0o755)
    copy = copied(tmp_path)
    subprocess.run([copy / "script" / "package"], check=True, stdout=subprocess.DEVNULL, timeout=600,
                   env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})  # fmt: skip
    assert digests({deb.name.split("_")[0]: deb for deb in (copy / "build" / "package").glob("*.deb")}) == digests(debs)


def test_it_runs(installed):
    said = installed("""
        thaw version
        stat -c '%U %a' /var/spool/thaw
        cd /etc/thaw
        timeout 2 thaw serve --listen 127.0.0.1:0 --pki /tmp/pki >/dev/null 2>&1 || true
        cp /tmp/pki/server.pem /tmp/pki/server.key . && cp /tmp/pki/ca.pem clients-ca.pem
        thaw check -c /etc/thaw/thaw.yaml
    """)
    assert said.startswith("thaw 0.") and "thaw 700" in said and "/etc/thaw/thaw.yaml: ok" in said


def test_the_manual_has_no_warnings(installed):
    assert installed("""
        for page in thaw.1 thaw.yaml.5; do
            man --warnings -E UTF-8 -l -Tutf8 -Z /usr/share/man/man${page##*.}/$page.gz 2>&1 >/dev/null
        done
    """) == ""


def test_the_manual_of_the_libraries_is_found(installed):
    """Debian 13's groff underlines the title of a page with escape sequences."""
    said = installed("""
        for function in thaw_conn_new thaw_spool_peek thaw_trust_open thaw_version thaw_curl_prime; do
            man --warnings -E UTF-8 -Tutf8 3 $function | head -n 1
        done
    """)
    titles = [line.split()[0] for line in re.sub(r"\x1b\[[0-9;]*m", "", said).splitlines()]
    assert titles == ["THAW_ASK(3)", "THAW_SPOOL(3)", "THAW_TRUST(3)", "THAW_TYPES(3)", "THAW_CURL(3)"]


def test_development_packages_have_the_manual_and_an_example(debs):
    """Read from the packages: some systems leave out /usr/share/doc when they unpack them."""
    for package, example in {"libthaw-dev": "embed.c", "libthaw-curl-dev": "upload.c"}.items():
        files = subprocess.run(["dpkg-deb", "-c", debs[package]], check=True, capture_output=True, text=True).stdout
        folder = f"./usr/share/doc/{package}/"
        assert f"{folder}EMBEDDING.md\n" in files and f"{folder}examples/{example}\n" in files


def test_pkg_config_names_no_folder_that_compilers_search_anyway(installed):
    assert installed("pkg-config --cflags --libs thaw").split() == ["-lthaw", "-lssl", "-lcrypto"]


def test_a_program_is_built_with_the_library(installed):
    said = installed("""
        cd /tmp
        cc -o embed embed.c $(pkg-config --cflags --libs thaw) -lssl -lcrypto
        cc -o upload upload.c $(pkg-config --cflags --libs thaw-curl)
        ldd embed | grep -c libthaw.so.1
        ldd upload | grep -c libthaw-curl.so.1
    """)
    assert said.split() == ["1", "1"]


def test_it_leaves_nothing_behind(installed):
    assert installed("""
        dpkg -P libnginx-mod-http-thaw thaw libthaw-curl-dev libthaw-curl1 libthaw-dev libthaw1 >/dev/null 2>&1
        ls -d /etc/thaw /var/spool/thaw /var/log/thaw /usr/bin/thaw /usr/include/thaw /usr/share/doc/thaw 2>/dev/null || true
        getent passwd thaw || true
    """) == ""


@pytest.mark.parametrize(
    ("before", "status", "restarts", "says"),
    [("1.0-1", 0, False, False), ("1.0-1", 71, True, False), ("1.0-1", 78, False, True), ("", 0, None, False)],
)
def test_a_new_version_takes_over_where_the_service_runs(tmp_path, before, status, restarts, says):
    """The package's script, with the system's programs replaced; restarts None: the service is not touched."""
    calls, programs, running = tmp_path / "calls", tmp_path / "bin", tmp_path / "systemd"
    running.mkdir()
    programs.mkdir()
    bodies = {
        "systemctl": 'if [ "$1" = show ]; then echo 4711; fi',
        "thaw": f"exit {status}",
        "getent": "",
        "install": "",
    }
    for name, body in bodies.items():
        program = programs / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" >>"{calls}"\n{body}\n')
        program.chmod(0o755)
    script = tmp_path / "postinst"
    script.write_text((TOP / "packaging/debian/postinst").read_text().replace("/run/systemd/system", str(running)))
    done = subprocess.run(
        ["/bin/sh", str(script), "configure", before], env={"PATH": f"{programs}:/usr/bin:/bin"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    called = calls.read_text().splitlines()
    assert ("thaw upgrade 4711" in called) == (restarts is not None)
    assert ("systemctl try-restart thaw.service" in called) == bool(restarts)
    assert ("the old one goes on" in done.stderr) == says


def test_the_unit_names_the_program_where_it_is_installed(debs, tmp_path):
    """With a prefix that is named when it is installed only, as docs/INSTALL.md does."""
    done = subprocess.run(["cmake", "--install", TOP / "build" / "package" / "build", "--prefix", "/usr/local", "--component", "thaw"],
                          env={**os.environ, "DESTDIR": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    there = tmp_path / "usr/local"
    unit = (there / "lib/systemd/system/thaw.service").read_text()
    assert re.findall(r"^ExecStart=(\S+)", unit, re.M) == ["/usr/local/bin/thaw"] and "/usr/bin/thaw" not in unit
    assert (there / "bin/thaw").exists() and (there / "share/doc/thaw/examples/first.yaml").exists()


def test_each_configuration_file_is_kept(debs):
    listed = subprocess.run(["dpkg-deb", "-I", debs["thaw"], "conffiles"], check=True, capture_output=True, text=True).stdout
    assert listed.split() == ["/etc/thaw/thaw.yaml", "/etc/logrotate.d/thaw"]


def completions(line):
    """What bash would offer for the last word of a line."""
    script = f"""
        . {TOP}/packaging/completions/thaw.bash
        COMP_WORDS=({line}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _thaw && printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    return subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True).stdout.split()


def test_completion():
    main = (TOP / "src" / "cli" / "main.c").read_text()
    commands = set(re.findall(r'\{"([a-z]+)", ', main))
    assert commands and commands <= set(completions("thaw ''"))
    assert completions("thaw re") == ["reload"]
    assert "--pid-file" in completions("thaw serve --p")
    for shell, file in (("zsh", "_thaw"), ("fish", "thaw.fish")):
        if shutil.which(shell):
            subprocess.run([shell, "-n", TOP / "packaging" / "completions" / file], check=True)


def test_the_manual_says_what_the_guide_says():
    subprocess.run([TOP / "script" / "man", "--check"], check=True)


def test_every_key_is_in_the_manual():
    page = (TOP / "packaging" / "thaw.yaml.5").read_text().replace("\\-", "-")
    tables = "".join(file.read_text() for file in (TOP / "src" / "config").glob("schema*.c"))
    for key in re.findall(r'\.key = "([a-z0-9_]+)"', tables):
        assert key in page, f"thaw.yaml(5) lacks {key}"
