"""Addresses over TLS, on a real server with certificates of an authority of one's own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import URL

from ops.connection import connect
from ops.embedded.account import server_account
from ops.embedded.server import LOOPBACK
from ops.errors import ConfigurationError
from ops.waiting import wait_until
from tests.certificates import Certified, authority, certified
from tests.debian_server import debian_server, packaged

pytestmark = packaged

OWN = authority("own")
CERTIFICATES: dict[str, Certified] = {
    "good": certified(OWN, LOOPBACK),
    "another host's": certified(OWN, "db.example"),
    "expired": certified(OWN, LOOPBACK, days=-1),
}

Serve = Callable[[str], URL]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("roots")
    OWN.write(folder, "own")
    authority("other").write(folder, "other")
    (folder / "empty.crt").touch()
    return folder


@pytest.fixture(scope="module")
def server() -> Iterator[URL]:
    with debian_server({}) as url:
        yield url


@pytest.fixture
def serve(server: URL) -> Serve:
    """The address of a server with a certificate; with none it speaks no TLS."""

    def set_certificate(name: str) -> URL:
        with connect(server, application_name="tests", autocommit=True) as session:
            data = Path(session.execute("SHOW data_directory").fetchall()[0][0])
            if found := CERTIFICATES.get(name):
                for path, place in zip(found.write(data, "new"), ("crt", "key"), strict=True):
                    server_account().own(path)
                    path.rename(data / f"server.{place}")
            session.execute(f"ALTER SYSTEM SET ssl = {'on' if found else 'off'}")
            before = asked(server, "SELECT pg_conf_load_time()")
            session.execute("SELECT pg_reload_conf()")
        assert wait_until(lambda: asked(server, "SELECT pg_conf_load_time()") > before, 10)
        return server

    return set_certificate


def asked(url: URL, question: str) -> Any:
    with connect(url, application_name="tests") as session:
        return session.execute(question).fetchall()[0][0]


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_an_authority_of_ones_own_is_enough(mode: str, serve: Serve, folder: Path) -> None:
    url = serve("good").update_query_dict({"sslmode": mode, "sslrootcert": str(folder / "own.crt")})
    assert asked(url, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")


REFUSED = [
    ("another host's", "own.crt", "certificate is for another host name"),
    ("expired", "own.crt", "certificate has expired; have it renewed"),
    ("good", "other.crt", r"not of an authority in .*other\.crt \(unable to get local issuer"),
    ("good", "system", "SSL_CERT_FILE"),
    ("good", "none.crt", "sslrootcert is no file of certificates"),
    ("good", "empty.crt", "sslrootcert is no file of certificates"),
    ("none", "own.crt", "the server offers no TLS"),
]


@pytest.mark.parametrize(("certificate", "root", "cause"), REFUSED)
def test_the_line_names_the_cause(
    certificate: str, root: str, cause: str, serve: Serve, folder: Path
) -> None:
    place = root if root == "system" else str(folder / root)
    url = serve(certificate).update_query_dict({"sslmode": "verify-full", "sslrootcert": place})
    with pytest.raises(ConfigurationError, match=cause):
        connect(url, application_name="tests")
