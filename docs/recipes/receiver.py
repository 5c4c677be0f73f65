#!/usr/bin/env python3
"""The other system of the recipes: records the requests that it gets, and responds to them.

Usage: receiver.py [port]. The default is 9100. `cargo dev` lets requests go to ports 9000-9999.

`GET /_received?path=/hook&count=2` waits for two requests to `/hook` and returns all of them.
"""

import http.server
import json
import sys
import threading
import time
import urllib.parse

MAX_WAIT_SECONDS = 30
received = []
arrived = threading.Condition()


def parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


def response(path, number):
    """Status and body of a response."""
    if path == "/token":
        return 200, {"access_token": f"token-{number}", "token_type": "Bearer", "expires_in": 3600}
    if path.startswith("/slow"):
        time.sleep(3)
    if path.startswith("/down"):
        return 503, {"error": "unavailable"}
    return 200, {"id": f"external-{number}"}


class Receiver(http.server.BaseHTTPRequestHandler):
    def handle_request(self):
        url = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(url.path)
        text = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        if path == "/_received":
            return self.respond(200, self.find(**dict(urllib.parse.parse_qsl(url.query))))
        request = {
            "method": self.command,
            "path": path,
            "query": url.query,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": parsed(text),
            "text": text,
        }
        with arrived:
            received.append(request)
            number = len(received)
            arrived.notify_all()
        print(self.command, self.path, text, flush=True)
        self.respond(*response(path, number))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request

    def find(self, path, count):
        matching = lambda: [request for request in received if request["path"] == path]
        with arrived:
            arrived.wait_for(lambda: len(matching()) >= int(count), MAX_WAIT_SECONDS)
            return matching()

    def respond(self, status, body):
        content = json.dumps(body).encode()
        try:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except BrokenPipeError:
            pass  # The client has timed out.

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9100
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    except OSError as error:
        sys.exit(f"Port {port}: {error.strerror}. Choose another one: receiver.py 9101, and RECEIVER=http://127.0.0.1:9101")
    server.serve_forever()
