# fake_hub.py -- a Hub on loopback for tests: one listener for the Hub, one for the CDN that its redirects lead to
"""Serves repositories from memory, for ckpt and for the real huggingface_hub client; keeps a log of requests.

FakeHub(files) with {repo: {path: bytes}}. `lfs` says which paths redirect to the CDN. Faults: hub.fault[path] is a list of
names, one taken for each GET of the CDN: cut, stall, drip, slow, wrong, short, long, ignore, forbid, busy, limit, gzip, loop, elsewhere; other: of another
file by its ETag (with hub.stamps). hub.ranges = False: the CDN knows no ranges. hub.private: a repository that is not there without the
token. moved={old: new}: relative redirects, as for a renamed repository. tls: an ssl.SSLContext, for https.
"""
import hashlib
import http.server
import json
import threading
import time
import urllib.parse


def git_sha1(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class FakeHub:
    def __init__(self, repos, commit="c0ffee" + "0" * 34, token=None, moved=(), tls=None):
        self.repos, self.commit, self.token, self.tls = repos, commit, token, tls
        self.moved, self.private, self.ranges = dict(moved), False, True
        self.log, self.fault, self.api = [], {}, {}
        self.stamps = False  # the CDN gives an ETag
        self.servers = []
        self.hub = self._listen(self._hub_handler())
        self.cdn = self._listen(self._cdn_handler())

    def _listen(self, handler):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        if self.tls:
            server.socket = self.tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            server.handle_error = lambda *a: None  # clients that do not trust us hang up
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.servers.append(server)
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{server.server_port}"

    def close(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    @staticmethod
    def lfs(path):
        return path.endswith((".safetensors", ".bin"))

    def entry(self, path, data):
        if self.lfs(path):
            lfs = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
            return {"type": "file", "path": path, "size": len(data), "oid": git_sha1(b"pointer" + path.encode()), "lfs": lfs}
        return {"type": "file", "path": path, "size": len(data), "oid": git_sha1(data)}

    def bodies(self):
        return [r for r in self.log if r[1] == "GET" and ("/resolve/" in r[2] or "/resolve-cache/" in r[2] or r[0] == "cdn")]

    def _hub_handler(fake):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *a):
                pass

            def answer(self, status, body=b"", **headers):
                self.send_response(status)
                for k, v in headers.items():
                    self.send_header(k.replace("_", "-"), v)
                if "Content_Length" not in headers:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def error(self, status, code, **more):
                self.answer(status, json.dumps({"error": code}).encode(), X_Error_Code=code, X_Error_Message=code, **more)

            def do_HEAD(self):
                self.do_GET()

            def do_POST(self):
                self.answer(404)

            def do_GET(self):
                fake.log.append(("hub", self.command, self.path, dict(self.headers)))
                path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
                for old, new in fake.moved.items():
                    for start in ("/api/models/", "/"):
                        if path.startswith(f"{start}{old}/"):
                            return self.answer(307, b"moved", Location=start + new + self.path[len(start + old):])
                for start, (status, body, headers) in fake.api.items():
                    if path.startswith(start):
                        return self.answer(status, body, **headers)
                if path.startswith("/api/models/"):
                    return self.api(path[len("/api/models/"):])
                if path.startswith("/api/resolve-cache/models/"):
                    repo, rest = self.repo_of(path[len("/api/resolve-cache/models/"):])
                    return self.content(repo, rest.split("/", 2)[2]) if repo else self.error(404, "RepoNotFound")
                repo, rest = self.repo_of(path[1:])
                if repo and rest.startswith("/resolve/"):
                    rev, _, name = rest[len("/resolve/"):].partition("/")
                    return self.resolve(repo, rev, name)
                self.error(404 if not path.startswith("/api/") else 404, "RepoNotFound")

            def repo_of(self, path):
                for repo in fake.repos:
                    if path == repo or path.startswith(repo + "/"):
                        return repo, path[len(repo):]
                return None, path

            def allowed(self):
                if not fake.token or self.headers.get("Authorization") == "Bearer " + fake.token:
                    return True
                self.error(401, "RepoNotFound" if fake.private else "GatedRepo")
                return False

            def api(self, path):
                repo, rest = self.repo_of(path)
                if not repo:
                    return self.error(401, "RepoNotFound")
                if not self.allowed():
                    return
                files = fake.repos[repo]
                if rest in ("", "/revision/main", "/revision/" + fake.commit):
                    siblings = [{"rfilename": p} for p in files]
                    return self.answer(200, json.dumps({"id": repo, "sha": fake.commit, "siblings": siblings}).encode())
                if rest.partition("?")[0] in ("/tree/main", "/tree/" + fake.commit):
                    entries = [fake.entry(p, d) for p, d in files.items()]
                    half = len(entries) // 2
                    if "cursor=2" in self.path:
                        return self.answer(200, json.dumps(entries[half:]).encode())
                    link = f'<{fake.hub.split(":")[0]}://{self.headers["Host"]}{self.path}&cursor=2>; rel="next"'
                    return self.answer(200, json.dumps(entries[:half]).encode(), Link=link)
                self.error(404, "RevisionNotFound")

            def resolve(self, repo, rev, name):
                if not self.allowed():
                    return
                if rev not in ("main", fake.commit):
                    return self.error(404, "RevisionNotFound")
                if name not in fake.repos[repo]:
                    return self.error(404, "EntryNotFound", X_Repo_Commit=fake.commit)
                data = fake.repos[repo][name]
                if fake.lfs(name):
                    sha = hashlib.sha256(data).hexdigest()
                    return self.answer(302, b"see there", Location=f"{fake.cdn}/{repo}/{urllib.parse.quote(name)}?sig=1",
                                       X_Repo_Commit=fake.commit, X_Linked_Etag=f'"{sha}"', X_Linked_Size=str(len(data)),
                                       ETag='"' + git_sha1(b"pointer") + '"')
                self.answer(307, Location=f"/api/resolve-cache/models/{repo}/{fake.commit}/{urllib.parse.quote(name)}",
                            X_Repo_Commit=fake.commit)

            def content(self, repo, name):
                data = fake.repos[repo][name]
                self.answer(200, data, X_Repo_Commit=fake.commit, ETag=f'W/"{git_sha1(data)}"')

        return Handler

    def _cdn_handler(fake):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *a):
                pass

            def start(self, status, length, **headers):
                self.send_response(status)
                self.send_header("Content-Length", str(length))
                for k, v in headers.items():
                    self.send_header(k.replace("_", "-"), v)
                self.end_headers()

            def do_GET(self):
                fake.log.append(("cdn", self.command, self.path, dict(self.headers)))
                path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)[1:]
                repo = next(r for r in fake.repos if path.startswith(r + "/"))
                name = path[len(repo) + 1:]
                data = fake.repos[repo][name]
                faults = fake.fault.get(name, [])
                fault = faults.pop(0) if faults else ""
                first, last = self.headers.get("Range", "bytes=0-").split("=")[1].split("-")
                first, last = int(first), min(int(last or len(data)), len(data) - 1)
                if fault == "forbid":
                    return self.start(403, 0)
                if fault == "busy":
                    return self.start(503, 0, Retry_After="1")
                if fault == "limit":
                    return self.start(429, 0, Retry_After="-1")
                if fault == "past" or first > len(data):
                    return self.start(416, 0)
                if fault == "loop":
                    return self.start(302, 0, Location=self.path)
                if fault == "file":
                    return self.start(302, 0, Location="file:///etc/passwd")
                stamp = '"' + git_sha1(data + fault.encode()) + '"' if fake.stamps else ""
                ignored = fault == "ignore" or not fake.ranges or (fake.stamps and self.headers.get("If-Range", stamp) != stamp)
                if ignored:
                    first, last = 0, len(data) - 1
                body = data[first:last + 1]
                if fault == "wrong":
                    body = bytes([body[0] ^ 1]) + body[1:]
                if fault == "short":
                    body = body[:-1]
                if fault == "long":
                    body += b"x"
                more = {"Content_Encoding": "gzip"} if fault == "gzip" else {}
                part = "Range" in self.headers and not ignored
                if part:
                    more["Content_Range"] = f"bytes {first}-{last}/{len(data)}"
                if fake.stamps:
                    more["ETag"] = stamp
                self.start(206 if part else 200, len(body), **more)
                try:
                    if fault == "cut":
                        self.wfile.write(body[:len(body) // 2])
                        self.wfile.flush()
                        self.close_connection = True
                        self.connection.shutdown(2)
                    elif fault == "stall":
                        self.wfile.write(body[:len(body) // 2])
                        self.wfile.flush()
                        time.sleep(6)
                        self.close_connection = True
                    elif fault in ("drip", "slow"):
                        for i in range(0, len(body), max(1, len(body) // 50)):
                            self.wfile.write(body[i:i + max(1, len(body) // 50)])
                            time.sleep(0.05 if fault == "drip" else 0.005)
                    else:
                        self.wfile.write(body)
                except OSError:
                    pass

        return Handler
