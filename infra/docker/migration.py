"""The chains, run as owner before the backend starts: its container is not told that password."""

from dataclasses import dataclass
from typing import Any

from pulumi import Input, ResourceOptions, dynamic

from app.chain_folders import ChainName
from app.database_url import parse_database_url
from ops.migrate import heads, upgrade

_INPUTS = ("chain", "owner_url", "heads", "system_identifier")


class MigrationProvider(dynamic.ResourceProvider):
    """Runs a chain for the engine, in a process of its own: it holds nothing."""

    # There is nothing in it to hide; the address is secret by itself.
    serialize_as_secret_always = False

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        """A revision that is new here, and other data, ask for an update. A preview of whatever
        comes before does not know the data yet."""
        changed = any(news.get(key) not in (None, olds.get(key)) for key in _INPUTS)
        return dynamic.DiffResult(changes=changed)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Bring the database to the chain's head, if it is not there."""
        return dynamic.CreateResult(props["chain"], _migrated(props))

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        """The same again."""
        return dynamic.UpdateResult(_migrated(news))


def _migrated(props: dict[str, Any]) -> dict[str, Any]:
    upgrade(props["chain"], parse_database_url(props["owner_url"]))
    return {key: props[key] for key in _INPUTS}


@dataclass(frozen=True)
class MigrationArgs:
    """What a migration is told.

    Attributes:
        owner_url: the owner's address, as it is reached from here.
        system_identifier: of the server's data; others are migrated too.
    """

    chain: ChainName
    owner_url: Input[str]
    system_identifier: Input[str]


class Migration(dynamic.Resource, module="infra", name="Migration"):
    """A database at the head of its chain, as a resource."""

    def __init__(self, name: str, args: MigrationArgs, opts: ResourceOptions) -> None:
        """Declare it for a database that is provisioned."""
        declared = {
            "chain": args.chain,
            "owner_url": args.owner_url,
            "heads": sorted(heads(args.chain)),
            "system_identifier": args.system_identifier,
        }
        super().__init__(MigrationProvider(), name, declared, opts)
