"""The result of one request of one client."""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    status: int = 0  # 0: no response
    body: bytes = b""
    error: str = ""
    frozen: bool = False  # the watchdog had to end the client

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def __str__(self):
        if self.frozen:
            return "FROZEN: " + self.error
        text = self.body[:300].decode("utf-8", "replace")
        return f"status {self.status or 'none'}, error '{self.error[:600]}', body {text!r}"


def parse_response(raw):
    """Makes an Outcome from the bytes of HTTP/1.1 responses (the output of a command-line client); skips interim
    responses."""
    rest = raw
    while True:
        at = rest.find(b"HTTP/1.1 ")
        if at < 0:
            return Outcome(error="no response in: " + raw[-400:].decode("utf-8", "replace"))
        head, gap, body = rest[at:].partition(b"\r\n\r\n")
        if not gap:
            return Outcome(error="a response head without an end")
        status = int(head[9:12])
        if status >= 200:
            break
        rest = body
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            if len(body) < int(value):
                return Outcome(error=f"status {status}, body cut off at {len(body)} of {int(value)} bytes")
            body = body[: int(value)]
    return Outcome(status, body)
