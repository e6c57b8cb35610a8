# serve.py -- one large file as a Hub and its CDN serve it, out of the page cache with sendfile, for the timing of pulls
"""serve.py FILE: prints the endpoint and serves REPO with FILE as model.safetensors until its standard input ends."""
import hashlib
import http.server
import json
import os
import sys
import threading

REPO, COMMIT = "org/big", "c0ffee" + "0" * 34


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *a):
        pass

    def head(self, status, length, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()

    def say(self, value, **headers):
        body = json.dumps(value).encode()
        self.head(200, len(body), **headers)
        self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        s = self.server
        if self.path.startswith("/api/models/" + REPO + "/tree/"):
            self.say([{"type": "file", "path": "model.safetensors", "size": s.size, "oid": "a" * 40,
                       "lfs": {"oid": s.sha, "size": s.size, "pointerSize": 134}}])
        elif self.path.startswith("/api/models/" + REPO):
            self.say({"id": REPO, "sha": COMMIT, "siblings": [{"rfilename": "model.safetensors"}]})
        elif self.path.startswith("/" + REPO + "/resolve/"):
            self.head(302, 0, Location=s.cdn, X_Repo_Commit=COMMIT, X_Linked_Etag=f'"{s.sha}"',
                      X_Linked_Size=str(s.size), ETag='"pointer"')
        elif self.path == "/cdn":
            self.body(s)
        else:
            self.head(404, 0)

    def body(self, s):
        first, last = self.headers.get("Range", "bytes=0-").split("=")[1].split("-")
        first, last = int(first), min(int(last or s.size), s.size - 1)
        more = {"Content_Range": f"bytes {first}-{last}/{s.size}"} if "Range" in self.headers else {}
        self.head(206 if more else 200, last + 1 - first, **more)
        try:
            while first <= last and self.command == "GET":
                first += os.sendfile(self.connection.fileno(), s.file.fileno(), first, min(last + 1 - first, 1 << 24))
        except OSError:
            self.close_connection = True


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.file = open(sys.argv[1], "rb")
    server.size = os.fstat(server.file.fileno()).st_size
    server.sha = hashlib.file_digest(server.file, "sha256").hexdigest()
    server.endpoint = f"http://127.0.0.1:{server.server_port}"
    server.cdn = f"http://localhost:{server.server_port}/cdn"  # another host, as with the Hub
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.endpoint, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
