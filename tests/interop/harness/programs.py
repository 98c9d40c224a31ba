"""The helper clients. Each is compiled on first use, once per session."""

import os
import pathlib
import subprocess
import sys
import threading

CLIENTS = pathlib.Path(__file__).resolve().parents[1] / "clients"
BUILD_LIMIT = 240
_PYTHON = "/usr/bin/python3" if pathlib.Path("/usr/bin/python3").exists() else sys.executable  # has requests


class Programs:
    def __init__(self, folder):
        self._folder = pathlib.Path(folder)
        self._built = {}
        self._locks = {}
        self._lock = threading.Lock()
        self._hosts = self._folder / "hosts"
        self._hosts.write_text("127.0.0.1 localhost handshake.localhost\n")

    def _once(self, name, argv, result, env=None):
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            if name not in self._built:
                done = subprocess.run(argv, cwd=self._folder, env=env, capture_output=True, timeout=BUILD_LIMIT)
                assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr.decode()}"
                self._built[name] = result
        return self._built[name]

    def _c(self, name, *libraries):
        source = CLIENTS / f"{name}.c"
        argv = ["cc", "-O2", "-Wall", "-Wextra", "-D_GNU_SOURCE", "-o", name, str(source), *libraries]
        return self._once(name, argv, [str(self._folder / name)])

    def writefirst(self):
        return self._c("writefirst", "-lssl", "-lcrypto")

    def flood(self):
        return self._c("flood", "-lssl", "-lcrypto")

    def curlgnutls(self):
        # Uses the headers with which thaw is built, and the GnuTLS library itself, because the two -dev packages
        # conflict.
        return self._c("curlgnutls", "-l:libcurl-gnutls.so.4")

    def smallbuffer(self):
        """A library for LD_PRELOAD."""
        source = CLIENTS / "smallbuffer.c"
        argv = ["cc", "-O2", "-Wall", "-Wextra", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", "smallbuffer.so", str(source), "-ldl"]
        return self._once("smallbuffer", argv, str(self._folder / "smallbuffer.so"))

    def java(self, name="JavaClients"):
        argv = ["javac", "-d", name, str(CLIENTS / f"{name}.java")]
        run = ["java", f"-Djdk.net.hosts.file={self._hosts}", "-cp"]
        return self._once(name, argv, [*run, str(self._folder / name), name])

    def go(self, name="goclient"):
        env = dict(os.environ, GO111MODULE="off", GOFLAGS="", GOPROXY="off")
        if not os.access(os.path.expanduser("~"), os.W_OK):
            env.update(GOCACHE=str(self._folder / "go-cache"), GOPATH=str(self._folder / "go-path"))
        argv = ["go", "build", "-o", name, str(CLIENTS / f"{name}.go")]
        return self._once(name, argv, [str(self._folder / name)], env)

    @staticmethod
    def node(name="nodeclient"):
        return ["node", str(CLIENTS / f"{name}.js")]

    @staticmethod
    def perl():
        return ["perl", str(CLIENTS / "lwpclient.pl")]

    @staticmethod
    def python():
        return [_PYTHON, str(CLIENTS / "pythonclient.py")]
