"""The measured servers: their configurations and their processes.

Each runs in the foreground as a child, in a private folder, on free loopback ports. All have two workers, the same
certificate, TLS 1.3 and 1.2 with AES-128-GCM (the client offers nothing else), session tickets, one upstream with kept
connections, no access log and streamed uploads, and send the client's identity to the upstream. All other settings
are the defaults of Debian's package.
"""

import ctypes
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import time

START_LIMIT = 20.0
STOP_LIMIT = 8.0
FILES = 16384
PR_SET_PDEATHSIG = 1
PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
LIBC = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """A measurement did not run as it must."""


def free_ports(count):
    """Ports that are free at the moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def spawn(command, cores=None, **more):
    """Starts a child in its own process group, which gets a signal when this process ends. Call it from the main thread
    only."""
    parent = os.getpid()

    def prepare():
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        if cores is not None:
            os.sched_setaffinity(0, cores)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        limit = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))

    more.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen([str(part) for part in command], preexec_fn=prepare, start_new_session=True, **more)


def end(process):
    """Stops the process, waits, and kills its process group if necessary. The group is ours: spawn() made it."""
    if process is None:
        return
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


class Peer:
    """One server. port: requests no certificate, except below /late if the server can ask late (asks_late);
    certificate_port and certificate_name: requests one in every handshake; h2_port and h2_name: HTTP/2, no
    certificate."""

    name = program = package = ""
    asks_late, by_default = False, True
    certificate_name = h2_name = "localhost"

    def __init__(self, setting):
        self.setting = setting
        self.path = shutil.which(self.program, path=PLACES)
        self.folder = None
        self.process = None
        self.port = self.certificate_port = self.h2_port = 0

    def version(self):
        """Its name and version, as the server prints them."""
        said = subprocess.run([self.path, "-v"], capture_output=True, text=True, check=False)
        found = re.search(r"(\d+\.\d+(\.\d+)?)", said.stdout + said.stderr)
        return found.group(1) if found else "?"

    def configure(self):
        """Writes the configuration into self.folder and returns the command that starts the server."""
        raise NotImplementedError

    def start(self, folder, cores):
        """Returns when the server is ready; otherwise raises Failed."""
        self.folder = pathlib.Path(folder) / self.name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o755)
        self.port, self.certificate_port, self.h2_port = free_ports(3)
        command = self.configure()
        with open(self.folder / "messages", "wb") as messages:
            self.process = spawn(command, cores, stdout=messages, stderr=messages, cwd=self.folder)
        for port in (self.port, self.certificate_port, self.h2_port):
            self._wait_for(port)

    def _wait_for(self, port):
        limit = time.monotonic() + START_LIMIT
        while self.process.poll() is None and time.monotonic() < limit:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise Failed(f"{self.name} did not start: {self.messages()}")

    def messages(self):
        """The last lines of its output."""
        said = [self.folder / "messages", self.folder / "error.log"]
        return "\n".join(one.read_text(errors="replace")[-2000:] for one in said if one.exists()).strip()

    def stop(self):
        end(self.process)
        self.process = None


class Thaw(Peer):
    name, asks_late, certificate_name, h2_name = "thaw", True, "handshake.localhost", "h2.localhost"

    def __init__(self, setting):
        super().__init__(setting)
        self.path = str(setting.thaw)

    def version(self):
        said = subprocess.run([self.path, "version"], capture_output=True, text=True, check=False).stdout
        found = re.search(r"\d+\.\d+(\.\d+)?", said)
        return found.group(0) if found else "?"

    def configure(self):
        pki, proxy = self.setting.pki, self.setting.thaw_upstream == "proxy"
        upstream = "app" if proxy else "builtin:sink"
        self.certificate_port = self.h2_port = self.port
        text = f"""
workers: 2
listen:
  - address: 127.0.0.1:{self.port}
log: {{ access: off, level: warning }}
spool: {{ memory: 256MiB, directory: {self.folder}/spool, disk: 1GiB, per_client: 100% }}
hosts:
  - name: localhost
    certificate: {pki}/server.pem
    key: {pki}/server.key
    identity: [ nginx ]
    client_certificate: {{ ca: {pki}/ca.pem, when: never }}
    routes:
      - path: /
        upstream: {upstream}
      - path: /late
        client_certificate: {{ when: request }}
        upstream: {upstream}
  - name: {self.certificate_name}
    certificate: {pki}/server.pem
    key: {pki}/server.key
    identity: [ nginx ]
    client_certificate: {{ ca: {pki}/ca.pem, when: handshake }}
    routes:
      - path: /
        upstream: {upstream}
  - name: {self.h2_name}
    certificate: {pki}/server.pem
    key: {pki}/server.key
    identity: [ nginx ]
    http2: on
    client_certificate: {{ ca: {pki}/ca.pem, when: never }}
    routes:
      - path: /
        upstream: {upstream}
"""
        if proxy:
            server = f"http://127.0.0.1:{self.setting.sink_port}"
            text += f"upstreams:\n  app: {{ servers: [ '{server}' ], keepalive: 128 }}\n"
        (self.folder / "spool").mkdir()
        (self.folder / "thaw.yaml").write_text(text)
        return [self.path, "serve", "-c", self.folder / "thaw.yaml"]


class Nginx(Peer):
    """The server block of the works has a location /late, and another server block has one, too. No work of this peer
    uses them; in the peers with the module one of them asks."""

    name = program = package = "nginx"
    late = beside = ""  # directives of the two locations
    module = None  # the path of a module to load

    def configure(self):
        pki, tickets = self.setting.pki, self.setting.tickets
        headers = "".join(
            f"\n\t\t\tproxy_set_header X-SSL-Client-{field} ${value};"
            for field, value in (
                ("Verify", "ssl_client_verify"),
                ("S-DN", "ssl_client_s_dn"),
                ("I-DN", "ssl_client_i_dn"),
                ("Serial", "ssl_client_serial"),
                ("Fingerprint", "ssl_client_fingerprint"),
                ("V-Start", "ssl_client_v_start"),
                ("V-End", "ssl_client_v_end"),
                ("Escaped-Cert", "ssl_client_escaped_cert"),
            )
        )
        server = """
	server {{
		listen 127.0.0.1:{port} ssl{http2};
		server_name localhost;{more}
		proxy_set_header Host $http_host;
		proxy_set_header Connection "";
		proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
		proxy_set_header X-Forwarded-Proto $scheme;{headers}
		location / {{
			proxy_pass http://app;
		}}
		location /late {{
			proxy_pass http://app;{late}
		}}
	}}
	server {{
		listen 127.0.0.1:{port} ssl{http2};
		server_name beside.localhost;
		location /late {{
			proxy_pass http://app;{beside}
		}}
	}}
"""
        late, beside = (directives.format(pki=pki) for directives in (self.late, self.beside))
        verify = f"\n\t\tssl_client_certificate {pki}/ca.pem;\n\t\tssl_verify_client on;"
        count = f"\n\tssl_conf_command NumTickets {tickets};" if tickets else ""
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"\n\t{kind}_temp_path {self.folder}/{kind};" for kind in kinds)
        servers = "".join(
            server.format(port=port, http2=http2, more=more, headers=headers, late=late, beside=beside)
            for port, http2, more in (
                (self.port, "", ""),
                (self.certificate_port, "", verify),
                (self.h2_port, " http2", ""),
            )
        )
        text = f"""{f"load_module {self.module};" if self.module else ""}
daemon off;
worker_processes 2;
worker_rlimit_nofile {FILES};
pid {self.folder}/nginx.pid;
error_log {self.folder}/error.log error;
events {{ worker_connections {FILES // 2}; }}
http {{
	access_log off;{temporary}
	keepalive_timeout 300s;
	keepalive_requests 1000000000;
	client_max_body_size 0;
	proxy_http_version 1.1;
	proxy_request_buffering off;
	proxy_max_temp_file_size 0;
	ssl_certificate {pki}/server.pem;
	ssl_certificate_key {pki}/server.key;
	ssl_protocols TLSv1.2 TLSv1.3;
	ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;{count}
	upstream app {{
		server 127.0.0.1:{self.setting.sink_port};
		keepalive 128;
		keepalive_requests 1000000000;
	}}
{servers}}}
"""
        (self.folder / "nginx.conf").write_text(text)
        command = [self.path, "-p", self.folder, "-e", self.folder / "error.log", "-c", self.folder / "nginx.conf"]
        if self.module is None:
            return command
        libraries = next(self.module.parent.glob("libthaw/**/libthaw.so")).parent
        return ["env", f"LD_LIBRARY_PATH={libraries}", *command]


ASKS = """
			thaw_client_certificate request;
			thaw_certificate_authority {pki}/ca.pem;"""


class NginxUnused(Nginx):
    """nginx with ngx_http_thaw_module, which never asks."""

    name, by_default = "nginx+unused", False
    module = pathlib.Path(__file__).resolve().parent.parent / "build/nginx/ngx_http_thaw_module.so"


class NginxBeside(NginxUnused):
    """The module asks in another server block."""

    name, beside = "nginx+beside", ASKS


class NginxModule(NginxUnused):
    """The module asks in a location that only the late works use."""

    name, asks_late, late = "nginx+thaw", True, ASKS


class Apache(Peer):
    name, program, package, asks_late = "apache", "apache2", "apache2", True
    modules = pathlib.Path("/usr/lib/apache2/modules")

    def configure(self):
        pki, tickets = self.setting.pki, self.setting.tickets
        load = "".join(
            f"LoadModule {name}_module {self.modules}/mod_{name}.so\n"
            for name in ("mpm_event", "authz_core", "headers", "ssl", "http2", "proxy", "proxy_http")
        )
        headers = "".join(
            f'\n\t\tRequestHeader set X-SSL-Client-{field} "%{{SSL_CLIENT_{value}}}s"'
            for field, value in (
                ("S-DN", "S_DN"),
                ("I-DN", "I_DN"),
                ("Serial", "M_SERIAL"),
                ("V-Start", "V_START"),
                ("V-End", "V_END"),
                ("Cert", "CERT"),
            )
        )
        count = f"SSLOpenSSLConfCmd NumTickets {tickets}" if tickets else ""
        host = f"""
	ServerName localhost
	SSLEngine on
	SSLProtocol -all +TLSv1.2 +TLSv1.3
	SSLCipherSuite TLSv1.3 TLS_AES_128_GCM_SHA256
	{count}
	SSLCertificateFile {pki}/server.pem
	SSLCertificateKeyFile {pki}/server.key
	SSLCACertificateFile {pki}/ca.pem
	ProxyPass / http://127.0.0.1:{self.setting.sink_port}/
	RequestHeader set X-Forwarded-Proto https
	RequestHeader set X-SSL-Client-Verify "%{{SSL_CLIENT_VERIFY}}s"
"""
        user = "User www-data\nGroup www-data\n" if os.geteuid() == 0 else ""
        text = f"""
{load}{user}ServerRoot {self.folder}
DefaultRuntimeDir {self.folder}
PidFile {self.folder}/apache.pid
ErrorLog {self.folder}/error.log
LogLevel notice mpm_event:trace1
ServerName localhost
Listen 127.0.0.1:{self.port}
Listen 127.0.0.1:{self.certificate_port}
Listen 127.0.0.1:{self.h2_port}
StartServers 2
ServerLimit 2
ThreadLimit 64
ThreadsPerChild 64
MaxRequestWorkers 128
MinSpareThreads 1
MaxSpareThreads 256
AsyncRequestWorkerFactor 100
Timeout 300
KeepAlive on
KeepAliveTimeout 300
MaxKeepAliveRequests 0
SSLSessionCache none
<VirtualHost 127.0.0.1:{self.port}>{host}
	<Location /late>
		SSLVerifyClient require
		SSLVerifyDepth 2
		SSLRenegBufferSize 134217728{headers}
	</Location>
</VirtualHost>
<VirtualHost 127.0.0.1:{self.certificate_port}>{host}
	SSLVerifyClient require
	SSLVerifyDepth 2
	<Location />{headers}
	</Location>
</VirtualHost>
<VirtualHost 127.0.0.1:{self.h2_port}>{host}
	Protocols h2
</VirtualHost>
"""
        (self.folder / "apache.conf").write_text(text)
        return [self.path, "-DFOREGROUND", "-f", self.folder / "apache.conf"]


class Haproxy(Peer):
    name = program = package = "haproxy"

    def configure(self):
        pki = self.setting.pki
        both = (pki / "server.pem").read_text() + (pki / "server.key").read_text()
        (self.folder / "server-and-key.pem").write_text(both)
        names = ("Verify", "S-DN", "I-DN", "Serial", "Fingerprint", "V-Start", "V-End", "Cert")
        drop = "".join(f"\n\thttp-request del-header X-SSL-Client-{name}" for name in names)
        tell = "".join(
            f"\n\thttp-request set-header X-SSL-Client-{field} %[{value}]"
            for field, value in (
                ("S-DN", "ssl_c_s_dn"),
                ("I-DN", "ssl_c_i_dn"),
                ("Serial", "ssl_c_serial,hex"),
                ("Fingerprint", "ssl_c_sha1,hex"),
                ("V-Start", "ssl_c_notbefore"),
                ("V-End", "ssl_c_notafter"),
                ("Cert", "ssl_c_der,base64"),
            )
        )
        crt = f"ssl crt {self.folder}/server-and-key.pem"
        text = f"""
global
	nbthread 2
	maxconn {FILES // 2 - 64}
	tune.maxrewrite 4096
	ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
	ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
	mode http
	option forwardfor
	option http-keep-alive
	http-reuse always
	timeout connect 5s
	timeout client 300s
	timeout server 300s
	timeout http-keep-alive 300s
	default_backend app
frontend plain
	bind 127.0.0.1:{self.port} {crt}
	bind 127.0.0.1:{self.h2_port} {crt} alpn h2{drop}
	http-request set-header X-Forwarded-Proto https
	http-request set-header X-SSL-Client-Verify NONE
frontend certificate
	bind 127.0.0.1:{self.certificate_port} {crt} ca-file {pki}/ca.pem verify required
	http-request set-header X-Forwarded-Proto https
	http-request set-header X-SSL-Client-Verify SUCCESS if {{ ssl_c_used }} {{ ssl_c_verify 0 }}{tell}
backend app
	server sink 127.0.0.1:{self.setting.sink_port}
"""
        (self.folder / "haproxy.cfg").write_text(text)
        return [self.path, "-db", "-f", self.folder / "haproxy.cfg"]


PEERS = {peer.name: peer for peer in (Thaw, Nginx, Apache, Haproxy, NginxUnused, NginxBeside, NginxModule)}
WITH_MODULE = {name for name, peer in PEERS.items() if issubclass(peer, NginxUnused)}


def make_pki(folder):
    """Makes a CA, a server's and a client's certificate, all on P-256, with the openssl command. Returns the folder."""

    def request(name, subject, *more):
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-days", "30", "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", subject, *more]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
        if done.returncode != 0:
            raise Failed(f"openssl req: {done.stderr.strip()}")

    def extensions(*values):
        return [part for value in values for part in ("-addext", value)]

    ca = extensions("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
    leaf = extensions("basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature")
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", *leaf]
    server = extensions("extendedKeyUsage=serverAuth", "subjectAltName=DNS:localhost,DNS:handshake.localhost,DNS:h2.localhost")
    client = extensions("extendedKeyUsage=clientAuth", "subjectAltName=email:client@bench.example")
    request("ca", "/O=Bench/CN=Bench CA", *ca)
    request("server", "/O=Bench/CN=localhost", *signed, *server)
    request("client", "/O=Bench/CN=client", *signed, *client)
    return folder
