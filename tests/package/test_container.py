"""examples/container: its root file system, made from the packages, and run as a container is: read-only, by a user without
capabilities, in a network of its own, with nothing of this machine in it."""

SERVICE = r"""
import http.server

class App(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        size = len(self.rfile.read(int(self.headers["Content-Length"])))
        body = f"{size} {self.headers.get('Client-Cert', 'none')[:1]}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

http.server.HTTPServer(("127.0.0.1", 8080), App).serve_forever()
"""

CONTAINER = r"""
cd /tmp/container
thaw serve --listen 127.0.0.1:0 --pki /tmp/pki >/dev/null 2>&1 &
until [ -e /tmp/pki/client.key ] && [ -e /tmp/pki/ca.pem ]; do sleep 0.1; done
kill $! && wait $! || true

./make-root image
mkdir image/etc/thaw/tls image/etc/thaw/clients image/proc image/dev
cp thaw.yaml image/etc/thaw/
cp /tmp/pki/server.pem image/etc/thaw/tls/tls.crt
install -m 600 -o 65532 /tmp/pki/server.key image/etc/thaw/tls/tls.key
cp /tmp/pki/ca.pem image/etc/thaw/clients/ca.crt
echo 127.0.0.1 app localhost >image/etc/hosts
touch image/dev/null image/dev/urandom
mkdir /run/image
mount --bind image /run/image
mount -o remount,bind,ro /run/image
mount -t tmpfs -o uid=65532,gid=65532,mode=700,size=100m spool /run/image/var/spool/thaw
mount -t proc proc /run/image/proc
for file in null urandom; do mount --bind /dev/$file /run/image/dev/$file; done

cat >app.py <<'END'
%s
END
cat >inside <<'END'
#!/bin/sh
exec setpriv --no-new-privs --bounding-set=-all,+setuid,+setgid,+sys_chroot chroot --userspec=65532:65532 --groups=65532 /run/image "$@"
END
chmod +x inside
cat >try <<'END'
set -e -o pipefail
ip link set lo up
%s
END
unshare -n bash try
"""


def contained(installed, commands):
    return installed(CONTAINER % (SERVICE.strip(), commands))


def test_it_serves_read_only(installed):
    said = contained(installed, r"""
        python3 app.py & app=$!
        until curl -s -o /dev/null http://127.0.0.1:8080/; do kill -0 $app; sleep 0.1; done
        ./inside /usr/bin/thaw check -c /etc/thaw/thaw.yaml
        ./inside /usr/bin/thaw serve -c /etc/thaw/thaw.yaml >log & thaw=$!
        until curl -fs http://127.0.0.1:9443/readyz >/dev/null; do kill -0 $thaw; sleep 0.1; done
        curl="curl -sS --cacert /tmp/pki/ca.pem -T body"
        head -c 20000000 /dev/urandom >body
        $curl https://localhost:8443/
        $curl --cert /tmp/pki/client.pem --key /tmp/pki/client.key https://localhost:8443/secure
        $curl -o /dev/null -w '%{http_code}\n' https://localhost:8443/secure
        ./inside /usr/bin/thaw reload $thaw
        grep -E '^(Uid|CapPrm|CapBnd|NoNewPrivs):' /proc/$thaw/status | tr -s '\t' ' '
        if touch /run/image/file 2>/dev/null; then echo writable; fi
        kill $thaw && wait $thaw
        kill $app
        grep -c '/secure' log
    """)
    assert "/etc/thaw/thaw.yaml: ok" in said
    assert [line for line in said.splitlines() if line.startswith("20000000")] == ["20000000 n", "20000000 :"], said
    assert "403\n" in said and "Uid: 65532 65532 65532 65532" in said and "CapPrm: 0000000000000000" in said
    assert "NoNewPrivs: 1" in said and "writable" not in said
    assert said.splitlines()[-1] == "2"


def test_there_is_nothing_else_in_it(installed):
    said = contained(installed, r"""
        find /run/image -xdev -type f -perm /111 -printf '%P\n' | grep -v '\.so' || true
        find /run/image/usr/share/doc -name copyright | wc -l
        echo $(($(find image -type f -printf '%s + ') 0)) bytes
    """).splitlines()
    assert said[0] == "usr/bin/thaw" and int(said[1]) > 5
    assert int(said[2].split()[0]) < 40_000_000
