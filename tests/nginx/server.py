"""A real nginx with the module, on loopback, from a folder of its own."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

from harness.gateway import children, memory_of
from harness.process import kill_group, popen
from ports import free_port

PROGRAM = shutil.which("nginx") or "/usr/sbin/nginx"
LIMIT = 60.0  # a watchdog, not a measure of speed
COMPLAINTS = ("[alert]", "[crit]", "[emerg]", "exited on signal")

CONF = """
load_module {module};
daemon off;
error_log error.log {level};
pid nginx.pid;
worker_processes {workers};
{main}
events {{ worker_connections 4096; }}
http {{
    log_format record escape=json '{{"target":"$request_uri","status":$status,"verdict":"$thaw_verdict",'
        '"reason":"$thaw_reason","means":"$thaw_means","moment":"$thaw_moment","ask_ms":"$thaw_ask_ms",'
        '"drained":"$thaw_drained","verify":"$ssl_client_verify","subject":"$ssl_client_s_dn","tls":"$ssl_protocol",'
        '"reused":"$ssl_session_reused","http":"$server_protocol","sent":"$body_bytes_sent","length":$request_length}}';
    access_log access.log record;
    client_max_body_size 0;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    ssl_certificate {pki}/server.pem;
    ssl_certificate_key {pki}/server.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    upstream app {{ server 127.0.0.1:{app}; }}
    proxy_set_header X-Verify $ssl_client_verify;
    proxy_set_header X-Subject $ssl_client_s_dn;
    proxy_set_header X-Issuer $ssl_client_i_dn;
    proxy_set_header X-Fingerprint $ssl_client_fingerprint;
    proxy_set_header X-Cert $ssl_client_escaped_cert;
    proxy_set_header X-Verdict $thaw_verdict;
    proxy_set_header X-Reason $thaw_reason;
    proxy_set_header X-Means $thaw_means;
    proxy_set_header X-Drained $thaw_drained;
{http}
{servers}
}}
"""


def preload_library(folder, name, *more):
    """Builds a library for Nginx(preload=) from a C file of this folder."""
    source, library = pathlib.Path(__file__).with_name(f"{name}.c"), folder / f"{name}.so"
    subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, source, *more], check=True)
    return library


class Nginx:
    """`servers`: what is inside each server block; {port}, {pki}, {app}, {folder} and {plain} are put in."""

    def __init__(self, folder, module, pki, app, servers, http="", main="", workers=1, level="info", start=True, preload=None, environment=()):
        self.folder, self.pki = folder, pki
        self.port, self.plain = free_port(), free_port()
        os.chmod(folder, 0o755)
        self._fixed = {"module": module, "pki": pki, "app": app, "level": level, "workers": workers}
        self._environment = {**os.environ, "LD_LIBRARY_PATH": self._libraries(module), **dict(environment)}
        preloads = [str(one) for one in (os.environ.get("THAW_NGINX_PRELOAD"), preload) if one]
        if preloads:
            self._environment["LD_PRELOAD"] = ":".join(preloads)
        self._wrapper = os.environ.get("THAW_NGINX_WRAPPER", "").split()
        self.process, self._killed = None, set()
        self.configure(*servers, http=http, main=main)
        if start:
            self.start()

    @staticmethod
    def _libraries(module):
        return ":".join(str(one.parent) for one in pathlib.Path(module).parent.glob("libthaw/**/libthaw.so"))

    def configure(self, *servers, http="", main=""):
        values = {"port": self.port, "plain": self.plain, "pki": self.pki, "app": self._fixed["app"], "folder": self.folder}
        blocks = "".join("server {" + one.format(**values) + "}\n" for one in servers)
        if os.geteuid() == 0:
            main = "user root;\n" + main
        if self._wrapper and "worker_shutdown_timeout" not in main:
            main = "worker_shutdown_timeout 20s;\n" + main  # see stop()
        text = CONF.format(**self._fixed, http=http.format(**values), main=main, servers=blocks)
        (self.folder / "nginx.conf").write_text(text)

    def _argv(self, *more):
        return [PROGRAM, "-p", f"{self.folder}/", "-c", f"{self.folder}/nginx.conf", "-e", f"{self.folder}/error.log", *more]

    def test(self):
        """`nginx -t`: its exit code and what it says."""
        done = subprocess.run(self._argv("-t"), env=self._environment, capture_output=True, text=True, timeout=LIMIT)
        assert not _memory_errors(done.stderr), done.stderr
        return done.returncode, done.stderr

    def start(self):
        self._output = open(self.folder / "output", "ab")
        self.process = popen([*self._wrapper, *self._argv()], cwd=self.folder, env=self._environment,
                             stdin=subprocess.DEVNULL, stdout=self._output, stderr=subprocess.STDOUT)
        self.wait(lambda: self.workers() or self.process.poll() is not None, "a worker")
        if self.process.poll() is not None:
            raise AssertionError(f"nginx did not start:\n{self.errors()}\n{(self.folder / 'output').read_text()}")

    def wait(self, condition, what):
        end = time.monotonic() + LIMIT
        while not (found := condition()):
            assert time.monotonic() < end, f"never came: {what}\n{self.errors()[-3000:]}"
            time.sleep(0.02)
        return found

    def workers(self):
        return children(self.process.pid)

    def errors(self):
        file = self.folder / "error.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def records(self):
        file = self.folder / "access.log"
        lines = file.read_text(errors="replace").splitlines(keepends=True) if file.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def record(self, mark):
        """The one record whose target ends so."""
        found = self.wait(lambda: [one for one in self.records() if one["target"].endswith(mark)], f"a record of {mark}")
        assert len(found) == 1, found
        return found[0]

    def url(self, path, host="localhost"):
        return f"https://{host}:{self.port}{path}"

    def memory(self):
        return memory_of(self.process.pid)

    def kill_worker(self, pid):
        """As if it had crashed; its end is not complained of."""
        self._killed.add(pid)
        os.kill(pid, signal.SIGKILL)

    def complaints(self):
        """What never may be in its log."""
        forgiven = [f"process {pid} exited on signal 9" for pid in self._killed]
        found = [line for line in self._said().splitlines() if any(word in line for word in COMPLAINTS)]
        return [line for line in found if not any(one in line for one in forgiven)] + self.memory_errors()

    def memory_errors(self):
        """Of its processes. Under valgrind each has to report that it found nothing."""
        found = _memory_errors(self._said())
        if self._wrapper:
            output = (self.folder / "output").read_text(errors="replace")
            pids = {self.process.pid, *map(int, re.findall(r"start worker process (\d+)", self.errors()))} - self._killed
            found += [f"process {pid} ended without valgrind's summary" for pid in sorted(pids) if f"=={pid}== ERROR SUMMARY: " not in output]
        return found

    def _said(self):
        return self.errors() + (self.folder / "output").read_text(errors="replace")

    def signal(self, which):
        self.process.send_signal(which)

    def stop(self):
        if self.process is None or self._output.closed:
            return
        ended = True
        if self.process.poll() is None:
            # After SIGTERM a worker has a second before it is killed, which valgrind's search for leaks may need.
            self.signal(signal.SIGQUIT if self._wrapper else signal.SIGTERM)
            try:
                self.process.wait(timeout=LIMIT)
            except subprocess.TimeoutExpired:
                ended = False
        kill_group(self.process)
        self._output.close()
        assert ended, f"nginx did not end:\n{self.errors()[-3000:]}"


def _memory_errors(text):
    """What valgrind and the sanitizers say."""
    words = ("== Invalid ", "== Conditional jump", "Sanitizer", "runtime error", "ERROR SUMMARY: ")
    return [line for line in text.splitlines() if any(word in line for word in words) and "ERROR SUMMARY: 0 errors" not in line]
