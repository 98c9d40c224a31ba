"""An upstream over plain HTTP that tells what came to it, as JSON."""

import hashlib
import http.server
import json
import threading


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _pieces(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left > 0:
            piece = self.rfile.read1(min(left, 65536))
            if not piece:
                return
            left -= len(piece)
            yield piece

    def _answer(self):
        digest, size = hashlib.sha256(), 0
        for piece in self._pieces():
            size += len(piece)
            digest.update(piece)
            self.server.came.update({self.path: size})
        report = {"method": self.command, "target": self.path, "body_bytes": size, "body_sha256": digest.hexdigest(),
                "fields": {name.lower(): value for name, value in self.headers.items()}}
        self.server.requests.append(report)  # before the response, after which a test may look for it
        body = json.dumps(report).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = _answer

    def log_message(self, *_):
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *_):
        pass  # the proxy went away


class Inspector:
    def __init__(self):
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.came, self._server.requests = {}, []
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def came(self, target):
        """How many bytes of that request's body have come so far."""
        return self._server.came.get(target, 0)

    def requests(self, target):
        return [one for one in self._server.requests if one["target"] == target]

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
