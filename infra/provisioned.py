"""A database whose server the stack makes, on docker and on railway: its roles and addresses."""

import pulumi
from pulumi import Input, Output, Resource, ResourceOptions
from sqlalchemy.engine import URL

from infra.components import Place, PostgresInstance
from infra.docker.provisioning import Provisioning, ProvisioningArgs, vector_warning
from ops.connection import conninfo
from ops.provision import APP, OWNER


class ProvisionedPostgres(PostgresInstance):
    """A database on a server of the stack.

    Attributes:
        ready: what whoever uses the database has to wait for.
        internal_owner_url: the owner's address within the server's own network; secret.
        internal_app_url: the backend's; secret.
    """

    def provision(
        self, args: ProvisioningArgs, server: Resource, within: str, **kept: Input[str]
    ) -> None:
        """Declare the roles, and say where it answers.

        Args:
            server: what makes it.
            within: its host in its own network, where it has PostgreSQL's own port.
            kept: `volume` and `container`, by their names in Docker.
        """
        self._args = args
        options = ResourceOptions(parent=self, depends_on=[server])
        self.ready = Provisioning(f"{args.database}-provisioning", args, options)
        self.ready.vector_version.apply(self._warn)
        self.internal_owner_url, self.internal_app_url = self._urls(within, 5432)
        urls = self._urls(args.host, args.port)
        self.answers_at(Place(args.host, args.port, *urls, **kept))

    def _warn(self, version: str | None) -> None:
        if (line := vector_warning(self._args.database, version)) is not None:
            pulumi.log.warn(line, self.ready)

    def _urls(self, host: Input[str], port: Input[int]) -> tuple[Output[str], Output[str]]:
        """The owner's and the backend's. Known only when the roles exist, so that whoever uses one
        waits for them."""
        args = self._args

        def url(role: str, password: Output[str]) -> Output[str]:
            def address(found: list[str]) -> str:
                query = {"sslmode": args.sslmode(found[1])} if args.sslmode else {}
                place = (found[1], int(found[2]), self._spec.database)
                return conninfo(URL.create("postgresql+psycopg", role, found[0], *place, query))

            return Output.secret(Output.all(password, host, port, self.ready.id).apply(address))

        return url(OWNER, args.passwords.owner), url(APP, args.passwords.app)
