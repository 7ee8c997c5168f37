#!/usr/bin/python3
# A scripted receiver of webhooks: what it answers is the path of the request. It makes the
# certificates itself, serves plain and TLS ports on loopback until its standard input ends, and
# verifies signatures with hmac and cryptography alone.
#
# Usage: webhook_server.py FOLDER WHSEC SEED…   secrets of HMAC and of ed25519, as the database has them
# FOLDER gets ca.pem, ports (JSON, at last) and log: one JSON object per connection and per request.
import base64
import datetime
import hashlib
import hmac
import http.server
import json
import os
import ssl
import sys
import threading
import time

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

FOLDER, SECRETS = sys.argv[1], sys.argv[2:]
LOCK = threading.Lock()
SEEN = {}


def log(**entry):
    with LOCK, open(os.path.join(FOLDER, "log"), "a") as file:
        file.write(json.dumps(entry) + "\n")


def matching(headers, body):
    """The secrets, by their place, with which one of the signatures is right."""
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    found = []
    for place, secret in enumerate(SECRETS):
        kind, key = secret.split("_", 1)
        key = base64.b64decode(key, validate=True)
        for entry in headers["webhook-signature"].split(" "):
            version, signature = entry.split(",", 1)
            signature = base64.b64decode(signature, validate=True)
            if kind == "whsec" and version == "v1":
                if hmac.compare_digest(signature, hmac.new(key, content, hashlib.sha256).digest()):
                    found.append(place)
            if kind == "whsk" and version == "v1a":
                public = ed25519.Ed25519PrivateKey.from_private_bytes(key[:32]).public_key()
                try:
                    public.verify(signature, content)
                    found.append(place)
                except InvalidSignature:
                    pass
    return found


class Receiver(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def answer(self, status, headers=(), body=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_CONNECT(self):
        log(connect=self.path)
        self.answer(403)

    def do_GET(self):
        log(get=self.path)
        self.answer(200)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        seen = SEEN[self.path] = SEEN.get(self.path, 0) + 1
        log(path=self.path, id=self.headers["webhook-id"], timestamp=int(self.headers["webhook-timestamp"]),
            now=time.time(), body=body.decode(), secrets=matching(self.headers, body),
            signatures=len(self.headers["webhook-signature"].split(" ")), type=self.headers["Content-Type"],
            names=sorted(name for name in self.headers if name.startswith("webhook-")))
        name = self.path.strip("/").split("/")[0]
        if name.isdigit():
            headers = {"301": [("Location", "/moved")], "429": [("Retry-After", "7200")]}.get(name, [])
            self.answer(int(name), headers, b"" if name == "204" else b"said\n\x1b[31m\xff by the receiver")
        elif name == "flaky":
            self.answer(500 if seen == 1 else 200)
        elif name == "nothing":
            self.close_connection = True
        elif name == "silent":
            time.sleep(8)
        elif name == "slow_status":
            for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n":
                self.wfile.write(bytes([byte]))
                time.sleep(0.5)
        elif name == "slow_body":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            for _ in range(16):
                self.wfile.write(b"x")
                time.sleep(0.5)
        elif name == "endless":
            self.send_response(200)
            self.send_header("Content-Length", str(10 * 1024 ** 3))
            self.end_headers()
            self.pour(b"x" * 65536)
        elif name == "endless_headers":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            self.pour(b"X-More: " + b"x" * 8000 + b"\r\n")

    def pour(self, bytes_):
        """Until the other side has had enough."""
        poured = 0
        try:
            while poured < 10 * 1024 ** 3:
                poured += self.wfile.write(bytes_)
        except OSError:
            pass
        log(path=self.path, poured=poured)
        self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    context = None

    def get_request(self):
        connection, address = super().get_request()
        log(connection=self.name)
        return connection, address

    def finish_request(self, request, address):
        try:
            if self.context is not None:
                request.settimeout(20)
                request = self.context.wrap_socket(request, server_side=True)
            super().finish_request(request, address)
        except OSError:
            pass

    def handle_error(self, *arguments):
        pass


def certificate(name, issuer, issuer_key, key, days=(-1, 30), authority=False):
    now = datetime.datetime.utcnow()
    builder = (x509.CertificateBuilder()
               .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
               .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(now + datetime.timedelta(days=days[0]))
               .not_valid_after(now + datetime.timedelta(days=days[1]))
               .add_extension(x509.BasicConstraints(authority, None), True))
    if not authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
    return builder.sign(issuer_key, hashes.SHA256())


def pem(certificate_, key=None):
    text = certificate_.public_bytes(serialization.Encoding.PEM)
    if key is not None:
        text += key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                  serialization.NoEncryption())
    return text


def main():
    ca_key, other_ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    with open(os.path.join(FOLDER, "ca.pem"), "wb") as file:
        file.write(pem(certificate("ca", "ca", ca_key, ca_key, authority=True)))
    made = {
        "plain": None,
        "good": certificate("hooks.test", "ca", ca_key, key),
        "wrong_name": certificate("other.test", "ca", ca_key, key),
        "expired": certificate("hooks.test", "ca", ca_key, key, days=(-30, -2)),
        "unknown_issuer": certificate("hooks.test", "nobody", other_ca_key, key),
    }
    ports = {}
    for name, made_ in made.items():
        server = Server(("127.0.0.1", 0), Receiver)
        server.name = name
        if made_ is not None:
            path = os.path.join(FOLDER, name + ".pem")
            with open(path, "wb") as file:
                file.write(pem(made_, key))
            server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.context.load_cert_chain(path)
        ports[name] = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
    with open(os.path.join(FOLDER, "ports.new"), "w") as file:
        json.dump(ports, file)
    os.rename(os.path.join(FOLDER, "ports.new"), os.path.join(FOLDER, "ports"))
    sys.stdin.read()


main()
