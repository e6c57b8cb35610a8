# test_hub_net.py -- ckpt pull over TLS and through proxies: who is trusted, and who sees the token
import http.server
import os
import shutil
import socket
import ssl
import subprocess
import threading
import unittest
import urllib.parse

from hub_case import FILES, HubCase

TOKEN = "hf_" + "s" * 30


class Proxy:
    """A forward proxy: absolute requests for http, CONNECT for the rest; keeps a log."""

    def __init__(self):
        log = self.log = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *a):
                pass

            def pump(self, a, b):
                try:
                    while data := a.recv(65536):
                        b.sendall(data)
                    b.shutdown(socket.SHUT_WR)
                except OSError:
                    pass

            def reach(self, host, port, first):
                with socket.create_connection((host, port)) as there:
                    there.sendall(first)
                    back = threading.Thread(target=self.pump, args=(there, self.connection))
                    back.start()
                    self.pump(self.connection, there)
                    back.join()
                self.close_connection = True

            def do_CONNECT(self):
                log.append(("CONNECT", self.path, dict(self.headers)))
                host, _, port = self.path.rpartition(":")
                self.send_response(200)
                self.end_headers()
                self.reach(host, int(port), b"")

            def do_GET(self):
                log.append(("GET", self.path, dict(self.headers)))
                url = urllib.parse.urlsplit(self.path)
                head = [f"GET {url.path}{'?' + url.query if url.query else ''} HTTP/1.1"]
                head += [f"{k}: {v}" for k, v in self.headers.items() if not k.lower().startswith("proxy-")] + ["Connection: close"]
                self.reach(url.hostname, url.port, "\r\n".join(head + ["", ""]).encode())

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Net(HubCase):
    """What goes over which connection to whom."""


    def env(self, **more):
        env = super().env()
        for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
            env.pop(name, None)
        return {**env, **more}

    def certificate(self, name, who):
        """A self-signed certificate and its key, in one file."""
        path = os.path.join(self.dir, name)
        if not shutil.which("openssl"):
            self.skipTest("certificates are made by the command openssl")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", "/CN=test", "-addext", f"subjectAltName={who}", "-keyout", path + ".key", "-out", path],
                       check=True, capture_output=True)
        return path

    def tls_hub(self, path, **more):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path, path + ".key")
        return self.hub({"org/model": dict(FILES)}, tls=context, **more)

    def seen(self, fake, kind):
        return {h.get("Authorization") for k, _, _, h in fake.log if k == kind}

    def test_certificates(self):
        mine, other = self.certificate("mine.pem", "IP:127.0.0.1"), self.certificate("other.pem", "DNS:hub.example")
        self.fake = self.tls_hub(mine)
        self.assertTrue(self.fake.hub.startswith("https://"))

        def refused(**more):
            run = self.ckpt("pull", "org/model", code=7, HF_TOKEN=TOKEN, **more)
            self.assertIn("certificate", run.stderr)
            self.assertNotIn("next try", run.stderr)  # a second look would see the same
            self.assertNotIn(TOKEN, run.stderr)
            self.assertEqual(self.fake.log, [])
            self.assertFalse(os.path.exists(self.repo()))
        refused()
        refused(SSL_CERT_FILE=other)
        for variable in ("CURL_INSECURE", "PYTHONHTTPSVERIFY", "HF_HUB_DISABLE_SSL_VERIFICATION", "GIT_SSL_NO_VERIFY"):
            refused(**{variable: "0" if variable.startswith("PYTHON") else "1"})
        for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            shutil.rmtree(self.repo(), True)
            self.assertEqual(len(self.pull("org/model", **{variable: mine})["files"]), 3)
        shutil.rmtree(self.repo())
        folder = os.path.join(self.dir, "certificates")
        os.mkdir(folder)
        name = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", mine], check=True, capture_output=True, text=True).stdout
        shutil.copy(mine, os.path.join(folder, name.strip() + ".0"))
        self.pull("org/model", SSL_CERT_DIR=folder)
        # trusted, and of somebody else
        self.fake = self.tls_hub(other)
        shutil.rmtree(self.repo())
        refused(SSL_CERT_FILE=other)
        # the file is not there
        self.ckpt("pull", "org/model", code=7, SSL_CERT_FILE=os.path.join(self.dir, "nowhere.pem"))

    def test_token_stays_with_its_scheme(self):
        mine = self.certificate("mine.pem", "IP:127.0.0.1")
        plain = self.hub({"org/model": dict(FILES)})
        self.fake = self.tls_hub(mine, token=TOKEN)
        self.fake.cdn = plain.cdn  # of this machine, so that http may be spoken at all
        self.pull("org/model", HF_TOKEN=TOKEN, SSL_CERT_FILE=mine)
        self.assertEqual(self.seen(self.fake, "hub"), {"Bearer " + TOKEN})
        self.assertEqual(self.seen(plain, "cdn"), {None})

    def test_plain_http_is_for_this_machine(self):
        self.fake = self.hub({"org/model": dict(FILES)})
        for endpoint in ("http://huggingface.co", "http://127.0.0.1.example.com", "ftp://127.0.0.1", "http://user:word@127.0.0.1"):
            run = self.ckpt("pull", "org/model", code=3, HF_ENDPOINT=endpoint, HF_TOKEN=TOKEN)
            self.assertIn("only https is", run.stderr)
            self.assertNotIn("word", run.stderr)
        self.pull("org/model", HF_ENDPOINT=self.fake.hub.replace("127.0.0.1", "localhost"))

    def test_proxies(self):
        mine = self.certificate("mine.pem", "IP:127.0.0.1")
        proxy = Proxy()
        self.addCleanup(proxy.close)
        address = "http://user:sesame@" + proxy.host
        self.fake = self.hub({"org/model": dict(FILES)}, token=TOKEN)
        got = self.pull("org/model", HF_TOKEN=TOKEN, http_proxy=address)
        self.assertEqual(got["bytes_transferred"], got["bytes_missing"])
        self.assertEqual(len(proxy.log), len(self.fake.log))
        self.assertEqual(self.seen(self.fake, "cdn"), {None})
        self.assertEqual([r for r in self.fake.log if "Proxy-Authorization" in r[3]], [])
        del proxy.log[:]
        for more in ({"NO_PROXY": "127.0.0.1"}, {"no_proxy": "*"}):
            shutil.rmtree(self.repo())
            self.pull("org/model", HF_TOKEN=TOKEN, http_proxy=address, **more)
        self.assertEqual(proxy.log, [])
        # a tunnel: the proxy sees names of hosts and its own password, and no more
        self.fake = self.tls_hub(mine, token=TOKEN)
        for variable in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            shutil.rmtree(self.repo())
            del proxy.log[:], self.fake.log[:]
            self.pull("org/model", HF_TOKEN=TOKEN, SSL_CERT_FILE=mine, **{variable: address})
            self.assertEqual({(k, p) for k, p, _ in proxy.log}, {("CONNECT", u[len("https://"):]) for u in (self.fake.hub, self.fake.cdn)})
            self.assertEqual([h for _, _, h in proxy.log if "Authorization" in h], [])
            self.assertTrue(all(h.get("Proxy-Authorization") for _, _, h in proxy.log))
            self.assertEqual([r for r in self.fake.log if "Proxy-Authorization" in r[3]], [])

    def test_renamed(self):
        """A repository that moved: the cache keeps the name that was typed, and the token goes along on the same host."""
        self.fake = self.hub({"org/model": dict(FILES)}, token=TOKEN, moved={"old-name": "org/model"})
        got = self.pull("old-name", HF_TOKEN=TOKEN)
        self.assertIn("models--old-name", got["path"])
        self.assertFalse(os.path.exists(self.repo()))
        self.assertEqual(self.seen(self.fake, "hub"), {"Bearer " + TOKEN})
        before = len(self.fake.bodies())
        path = self.python("file", "old-name", "model.safetensors", HF_TOKEN=TOKEN)
        self.assertEqual(path, os.path.join(got["path"], "model.safetensors"))
        self.assertEqual(len(self.fake.bodies()), before)


if __name__ == "__main__":
    unittest.main()
