"""How each client is run. A group contains all wanted cells of one client; the results are {cell: Outcome}."""

import subprocess
import threading
import time

from .cells import SIZES
from .outcome import Outcome, parse_response
from .process import kill_group, popen, run

JOB_LIMIT = 60.0  # a watchdog against freezes, not a measure of speed

_GNUTLS = {"1.2": "NORMAL:-VERS-ALL:+VERS-TLS1.2", "1.3": "NORMAL:-VERS-ALL:+VERS-TLS1.3", "auto": "NORMAL"}


class Bench:
    """What drivers need: the port, the PKI, the bodies, the programs, a folder for files, a proxy for names."""

    def __init__(self, port, pki, payloads, programs, folder, connect_proxy):
        self.port, self.pki, self.payloads = port, pki, payloads
        self.programs, self.folder, self.connect_proxy = programs, folder, connect_proxy

    def file(self, cell):
        return str(self.payloads[cell.size].path)


# Programs that process a list of jobs --------------------------------------------------------------------------------


def _job_line(number, cell, bench):
    expect = "expect" if cell.expect else "-"
    return "\t".join((str(number), cell.url(bench.port), bench.file(cell), cell.tls, cell.framing, expect)) + "\n"


class _Lines:
    """Reads the lines of a stream, with a time limit for each."""

    def __init__(self, stream):
        self._lines, self._news, self._over = [], threading.Condition(), False
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream):
        for line in stream:
            with self._news:
                self._lines.append(line)
                self._news.notify()
        with self._news:
            self._over = True
            self._news.notify()

    def next(self, limit):
        """A line; b"" at the end of the stream; None at the limit."""
        end = time.monotonic() + limit
        with self._news:
            while not self._lines:
                left = end - time.monotonic()
                if self._over:
                    return b""
                if left <= 0:
                    return None
                self._news.wait(left)
            return self._lines.pop(0)


def _result(line):
    number, status, body, error = line.decode("utf-8", "replace").rstrip("\n").split("\t", 3)
    return int(number), Outcome(int(status), bytes.fromhex(body), error)


def _run_jobs(argv, kind, cells, bench):
    """If the program freezes or dies in a job, starts it again for the following jobs."""
    results, left = {}, list(cells)
    while left:
        jobs = bench.folder / f"{cells[0].client}-{len(left)}.jobs"
        jobs.write_text("".join(_job_line(i, cell, bench) for i, cell in enumerate(left)))
        errors = open(jobs.with_suffix(".err"), "w+b")
        process = popen([*argv, kind, str(jobs), str(bench.pki)], stdout=subprocess.PIPE, stderr=errors)
        lines, done = _Lines(process.stdout), 0
        while done < len(left):
            line = lines.next(JOB_LIMIT)
            if not line:
                errors.seek(0)
                words = errors.read()[-600:].decode("utf-8", "replace")
                results[left[done]] = Outcome(error=words, frozen=line is None)
                done += 1
                break
            number, outcome = _result(line)
            results[left[number]] = outcome
            done = number + 1
        kill_group(process)
        errors.close()
        left = left[done:]
    return results


def _jobs(program, kind):
    return lambda cells, bench: _run_jobs(getattr(bench.programs, program)(), kind, cells, bench)


# Programs that are started for each cell -----------------------------------------------------------------------------


def _identity(bench, certificate, key, ca):
    return [
        certificate, str(bench.pki / "client.pem"), key, str(bench.pki / "client.key"), ca, str(bench.pki / "ca.pem")
    ]  # fmt: skip


def _run_terminal(argv, limit=JOB_LIMIT, env=None):
    code, out, err, late = run(argv, limit, stdin=subprocess.DEVNULL, env=env)
    words = err[-600:].decode("utf-8", "replace")
    if late:
        return Outcome(error=words, frozen=True)
    outcome = parse_response(out)
    if outcome.status == 0 or code != 0:
        return Outcome(outcome.status, outcome.body, f"exit code {code}: {words}")
    return outcome


def curl_argv(bench, tls, *more):
    argv = ["curl", "-sS", "-i", "--http1.1", *_identity(bench, "--cert", "--key", "--cacert"), *more]
    if tls != "auto":
        argv += [f"--tlsv{tls}", "--tls-max", tls]
    return argv


def _curl(cell, bench):
    expect = "Expect: 100-continue" if cell.expect else "Expect:"
    argv = curl_argv(bench, cell.tls, "-H", expect, "-T", bench.file(cell))
    if cell.framing == "chunked":
        argv += ["-H", "Transfer-Encoding: chunked"]
    return _run_terminal([*argv, cell.url(bench.port)])


def _wget(cell, bench):
    argv = ["wget", "-q", "-O", "-", "--save-headers", "--content-on-error", "--tries=1", "--method=PUT"]
    argv += [f"--body-file={bench.file(cell)}", "--timeout=0", f"--ciphers={_GNUTLS[cell.tls]}"]
    argv += _identity(bench, "--certificate", "--private-key", "--ca-certificate")
    if cell.host != "localhost":  # wget has no other option to map a name to an address
        argv += ["-e", "use_proxy=yes", "-e", f"https_proxy=http://127.0.0.1:{bench.connect_proxy()}"]
    else:
        argv += ["--no-proxy"]
    outcome = _run_terminal([*argv, cell.url(bench.port)])
    if outcome.status >= 400 and outcome.error.startswith("exit code 8"):
        return Outcome(outcome.status, outcome.body)  # this is how wget reports that the server refused
    return outcome


def _raw_request(cell, bench):
    """The whole request as bytes, for clients that are plain TLS connections."""
    url = cell.url(bench.port)
    target = url.split(f":{bench.port}", 1)[1]
    head = f"PUT {target} HTTP/1.1\r\nHost: {cell.host}:{bench.port}\r\nConnection: close\r\n"
    size = SIZES[cell.size]
    body = bench.payloads[cell.size].path.read_bytes()
    if cell.framing == "length":
        return head.encode() + f"Content-Length: {size}\r\n\r\n".encode() + body
    pieces = [head.encode() + b"Transfer-Encoding: chunked\r\n\r\n"]
    for at in range(0, size, 65536):
        piece = body[at : at + 65536]
        pieces += [b"%x\r\n" % len(piece), piece, b"\r\n"]
    return b"".join(pieces) + b"0\r\n\r\n"


def _feed(stream, data):
    """Writes everything. The pipe stays open, because its end would end the connection."""
    try:
        stream.write(data)
        stream.flush()
    except (BrokenPipeError, ValueError):
        pass


def _run_raw(argv, data):
    """Runs a TLS client that copies its standard input to the connection, and received bytes to its standard output."""
    process = popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    parts = {"out": b"", "err": b""}

    def gather(name, stream):
        parts[name] = stream.read()

    threads = [
        threading.Thread(target=gather, args=("out", process.stdout), daemon=True),
        threading.Thread(target=gather, args=("err", process.stderr), daemon=True),
        threading.Thread(target=_feed, args=(process.stdin, data), daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        process.wait(timeout=JOB_LIMIT)
        frozen = False
    except subprocess.TimeoutExpired:
        frozen = True
    kill_group(process)
    for thread in threads:
        thread.join(timeout=5)
    words = parts["err"][-600:].decode("utf-8", "replace")
    if frozen:
        return Outcome(error=words, frozen=True)
    outcome = parse_response(parts["out"])
    return outcome if outcome.status else Outcome(error=f"{outcome.error}; exit code {process.returncode}; {words}")


def _gnutls_cli(pha):
    def one(cell, bench):
        argv = ["gnutls-cli", "--logfile=/dev/stderr", "-p", str(bench.port), f"--priority={_GNUTLS[cell.tls]}"]
        argv += [f"--sni-hostname={cell.host}", f"--verify-hostname={cell.host}"]
        argv += _identity(bench, "--x509certfile", "--x509keyfile", "--x509cafile")
        if pha:
            argv += ["--post-handshake-auth"]
        return _run_raw([*argv, "127.0.0.1"], _raw_request(cell, bench))

    return one


def _s_client(pha):
    def one(cell, bench):
        argv = ["openssl", "s_client", "-quiet", "-nocommands", "-ign_eof", "-verify_return_error", "-verify_quiet"]
        argv += ["-connect", f"127.0.0.1:{bench.port}", "-servername", cell.host, "-verify_hostname", cell.host]
        argv += _identity(bench, "-cert", "-key", "-CAfile")
        if cell.tls != "auto":
            argv += [f"-tls{cell.tls.replace('.', '_')}"]
        if pha:
            argv += ["-enable_pha"]
        return _run_raw(argv, _raw_request(cell, bench))

    return one


def _each(one):
    return lambda cells, bench: {cell: one(cell, bench) for cell in cells}


DRIVERS = {
    "curl": _each(_curl),
    "curl-gnutls": _jobs("curlgnutls", "-"),
    "wget": _each(_wget),
    "gnutls-cli": _each(_gnutls_cli(False)),
    "gnutls-cli-pha": _each(_gnutls_cli(True)),
    "s_client": _each(_s_client(False)),
    "s_client-pha": _each(_s_client(True)),
    "python-nopha": _jobs("python", "nopha"),
    "python-pha": _jobs("python", "pha"),
    "requests": _jobs("python", "requests"),
    "node-https": _jobs("node", "https"),
    "node-fetch": _jobs("node", "fetch"),
    "node-undici": _jobs("node", "undici"),
    "java-httpclient": _jobs("java", "httpclient"),
    "java-urlconnection": _jobs("java", "urlconnection"),
    "go-renegotiate": _jobs("go", "renegotiate"),
    "go-default": _jobs("go", "default"),
    "perl-lwp": _jobs("perl", "-"),
}
