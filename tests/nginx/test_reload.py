"""Reload, graceful stop and a worker's crash, with asks under way."""

import os
import signal

from harness.rawtls import Raw

BASE = "listen 127.0.0.1:{port} ssl; server_name localhost;"
LATE = "location / {{ thaw_client_certificate request; thaw_certificate_authority {pki}/ca.pem; proxy_pass http://app; }}"


def test_reload_and_graceful_stop_finish_what_is_asked(nginx):
    one = nginx(BASE + LATE)
    for how in (signal.SIGHUP, signal.SIGQUIT):
        old = one.workers()
        with Raw(one, "1.3") as client:
            client.send_request("GET", f"/?{how.name}")
            client.wait_bytes()  # it is asked
            one.signal(how)
            one.wait(lambda: "gracefully shutting down" in one.errors(), "the worker's end")
            assert client.read().json()["fields"]["x-verdict"] == "accepted"
        one.wait(lambda: one.process.poll() is not None or not set(old) & set(one.workers()), "the old worker's end")


def test_reload_without_the_module(nginx):
    one = nginx(BASE + LATE)
    with Raw(one, "1.3") as client:
        assert client.ask("GET", "/").status == 200
    conf, old = one.folder / "nginx.conf", one.workers()
    conf.write_text(f"""daemon off; error_log error.log info; pid nginx.pid; {'user root;' if os.geteuid() == 0 else ''}
        events {{}} http {{ access_log off; server {{ listen 127.0.0.1:{one.port} ssl; ssl_certificate {one.pki}/server.pem;
        ssl_certificate_key {one.pki}/server.key; location / {{ return 200 plain; }} }} }}""")
    one.signal(signal.SIGHUP)
    one.wait(lambda: one.workers() and not set(old) & set(one.workers()), "new workers alone")
    for _ in range(3):
        with Raw(one, "1.2") as client:
            assert client.ask("GET", "/").body == b"plain"


def test_crash_of_a_worker_is_survived(nginx):
    one = nginx(BASE + LATE)
    (worker,) = one.workers()
    one.kill_worker(worker)
    one.wait(lambda: [each for each in one.workers() if each != worker], "another worker")
    with Raw(one, "1.2") as client:
        assert client.ask("GET", "/").json()["fields"]["x-verdict"] == "accepted"
