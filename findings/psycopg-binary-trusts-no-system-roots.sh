#!/usr/bin/env bash
# psycopg-binary 3.3.9 (libpq 18.4 and OpenSSL of its own, Linux x86-64): sslrootcert=system trusts no
# authority at all.
#
# What most expect: libpq's "system" means the authorities that the machine trusts, as it does for the
# libpq of a distribution, so that sslmode=verify-full works against a managed database with a public
# certificate.
# What happens: "system" is what the OpenSSL beside it was built to look for, and the wheel's looks in
# a folder of the machine that built it. Every certificate is refused ("certificate verify failed"),
# whoever signed it. SSL_CERT_FILE, which OpenSSL reads, names the machine's list and mends it.
# Output seen: "looks in /usr/lib/psycopg-openssl/cert.pem: not there" (or a folder of that kind),
# "with SSL_CERT_FILE: verified", "without: certificate verify failed".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check 'psycopg[binary]==3.3.9' cryptography==46.0.3
cat > "$folder/ask.py" <<'PY'
import sys

import psycopg

try:
    psycopg.connect(
        f"host=localhost hostaddr=127.0.0.1 port={sys.argv[1]} user=x sslmode=verify-full"
        " sslrootcert=system gssencmode=disable connect_timeout=10"
    )
except psycopg.OperationalError as error:
    print("certificate verify failed" if "verify failed" in str(error) else "verified")
PY
"$folder/venv/bin/python" - "$folder" <<'PY'
import ctypes
import datetime
import os
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import psycopg  # noqa: F401 (before psycopg_binary)
import psycopg_binary
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

folder = Path(sys.argv[1])
libraries = Path(psycopg_binary.__file__).parents[1] / "psycopg_binary.libs"
openssl = ctypes.CDLL(str(next(libraries.glob("libcrypto*"))))
openssl.X509_get_default_cert_file.restype = ctypes.c_char_p
looked = openssl.X509_get_default_cert_file().decode()
print(f"looks in {looked}: {'there' if os.path.exists(looked) else 'not there'}")

key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
now = datetime.datetime.now(datetime.timezone.utc)
certificate = (
    x509.CertificateBuilder()
    .subject_name(name)
    .issuer_name(name)
    .public_key(key.public_key())
    .serial_number(1)
    .not_valid_before(now)
    .not_valid_after(now + datetime.timedelta(days=1))
    .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    .sign(key, hashes.SHA256())
)
pem = serialization.Encoding.PEM
(folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
(folder / "key.pem").write_bytes(
    key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.set_alpn_protocols(["postgresql"])
context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
listener = socket.create_server(("127.0.0.1", 0))


def serve() -> None:
    """Speak PostgreSQL as far as its handshake, direct TLS or by request."""
    while True:
        plain, _ = listener.accept()
        try:
            if plain.recv(1, socket.MSG_PEEK) != b"\x16":
                plain.recv(8)
                plain.sendall(b"S")
            context.wrap_socket(plain, server_side=True).close()
        except OSError:
            plain.close()


threading.Thread(target=serve, daemon=True).start()
port = str(listener.getsockname()[1])


def asked(**more: str) -> str:
    run = [sys.executable, folder / "ask.py", port]
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("SSL_", "PG"))}
    return subprocess.run(run, env=plain | more, capture_output=True, text=True).stdout.strip()


found = asked(SSL_CERT_FILE=str(folder / "cert.pem")), asked()
print(f"with SSL_CERT_FILE: {found[0]}\nwithout: {found[1]}")
sys.exit(os.path.exists(looked) or found != ("verified", "certificate verify failed"))
PY
