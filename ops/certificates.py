"""Why a server's certificate is refused. libpq says only that it is, so it is looked at again."""

import os
import socket
import ssl
import struct

from sqlalchemy.engine import URL

_SSL_REQUEST = struct.pack("!II", 8, 80877103)  # PostgreSQL's own word before a handshake
_PATIENCE_SECONDS = 10
_SYSTEM = "system"


def certificate_fault(url: URL) -> str:
    """What is wrong with the certificate of the server at an address, and what to do about it."""
    root = str(url.query.get("sslrootcert", ""))
    if root == _SYSTEM:
        root = os.environ.get("SSL_CERT_FILE", "")
    found = _verdict(url, root)
    if "expired" in found or "not yet valid" in found:
        return f"the server's {found}; have it renewed (or, until then, sslmode=require)"
    if not root:
        return (
            "the server's certificate is not of an authority that psycopg knows, and with "
            "sslrootcert=system it knows none of its own; name this machine's roots by "
            "SSL_CERT_FILE, or the authority's file by sslrootcert"
        )
    return (
        f"the server's certificate is not of an authority in {root} ({found}); give the file of "
        "the server's own as sslrootcert"
    )


def _verdict(url: URL, root: str) -> str:
    """What OpenSSL finds, in its words."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    where = (str(url.query.get("hostaddr") or url.host), url.port or 5432)
    try:
        if root:
            context.load_verify_locations(root)
        with socket.create_connection(where, _PATIENCE_SECONDS) as plain:
            plain.sendall(_SSL_REQUEST)
            plain.recv(1)
            context.wrap_socket(plain).close()
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except OSError:
        pass
    return "certificate verify failed"
