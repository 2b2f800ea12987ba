"""Why no connection came about, and what to do: of what libpq and the server say about it."""

import os
import re
import socket
import ssl
import struct

import psycopg
from psycopg import errors as pg
from sqlalchemy.engine import URL

from app.database_url import place_of
from ops.errors import ConfigurationError, DatabaseUnavailableError, SigmaSightError

_SSL_REQUEST = struct.pack("!II", 8, 80877103)  # PostgreSQL's own word before a handshake
_PATIENCE_SECONDS = 10
_SYSTEM = "system"


def refusal(url: URL, place: str, error: psycopg.Error) -> SigmaSightError:
    """The error that says what to do about an address at `place` that gave this one."""
    text = str(error)
    if isinstance(error, pg.InvalidPassword) or "password authentication failed" in text:
        return ConfigurationError(
            f"{place} refuses the password of role {url.username!r}; correct it in the URL"
        )
    if "certificate verify failed" in text:
        return ConfigurationError(f"{place}: {_certificate_fault(url)}")
    for pattern, advice in _REFUSALS:
        if re.search(pattern, text):
            return ConfigurationError(f"{place}: {advice}")
    if re.search(_STOPPING, text):
        return DatabaseUnavailableError(f"{place} is starting or stopping; try again shortly")
    for pattern, advice in _UNREACHED:
        if re.search(pattern, text):
            return DatabaseUnavailableError(f"{place}: {advice}")
    if found := re.search(r"FATAL:\s+(.+)", text):
        return ConfigurationError(f"{place} refuses the connection: {found[1]}")
    return DatabaseUnavailableError(
        f"no PostgreSQL server answers at {place}; start it or correct the URL"
    )


_STOPPING = r"starting up|shutting down|recovery|not (yet )?accepting connections|terminating"

_UNREACHED = (
    (
        r"failed to resolve host|could not translate host name",
        "no host of that name is known here; correct the URL, or this machine's DNS",
    ),
    (
        r"Network is unreachable|Cannot assign requested address",
        "no network leads there from this machine (a host with an IPv6 address alone, and no IPv6 "
        "here?); use an address that can be reached, as a provider's IPv4 or pooler address",
    ),
)

_REFUSALS = (
    (
        r"invalid URI query parameter|invalid \w+ value|forbidden value",
        "libpq does not know a parameter of the URL, or its value; correct or remove it",
    ),
    (
        r"session is (not )?read-only|server is (not )?in hot standby mode",
        "the server is not what target_session_attrs asks for; correct or remove that parameter",
    ),
    (
        r"unsupported startup parameter",
        "a pooler there refuses what a session is begun with; use the server's direct address, or "
        "name `options` in the pooler's ignore_startup_parameters",
    ),
    (
        r"certificate.* does not match host name",
        "the server's certificate is for another host name; use one that it bears, or "
        "sslmode=verify-ca",
    ),
    (
        r"root certificate file|weak sslmode",
        "sslrootcert is no file of certificates, or system without sslmode=verify-full; correct it",
    ),
    (r"does not support SSL", "the server offers no TLS; have it do so, or correct sslmode"),
    (r"database .* does not exist", "there is no such database; create it or correct the URL"),
    (r"role .* does not exist", "there is no such role; create it or correct the URL"),
    (r"no pg_hba.conf entry|SSL", "the server does not accept this way of connecting (pg_hba/TLS)"),
    (r"not permitted to log in", "this role may not log in; use another or grant LOGIN"),
    (r"permission denied for database", "this role may not connect; grant CONNECT or use another"),
    (
        r"too many (connections|clients)|connection slots",
        "the server has no free connection; try later",
    ),
    (r"No space left on device", "its disk is full; free space and run the command again"),
    (r"no password supplied", "the server wants a password; add it to the URL"),
)


def _certificate_fault(url: URL) -> str:
    """What is wrong with a server's certificate. libpq says only that something is, so it is looked
    at again."""
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
    host, port = place_of(url)
    try:
        if root:
            context.load_verify_locations(root)
        where = (str(url.query.get("hostaddr") or host), port)
        with socket.create_connection(where, _PATIENCE_SECONDS) as plain:
            plain.sendall(_SSL_REQUEST)
            plain.recv(1)
            context.wrap_socket(plain).close()
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except OSError:
        pass
    return "certificate verify failed"
