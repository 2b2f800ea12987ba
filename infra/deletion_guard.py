"""One protected resource that depends on all others, so that it is the first that would be deleted.

The engine deletes what nothing depends on first, and refuses a protected resource only when it
comes to it. A protected volume alone is refused after all that used it has gone.
"""

import pulumi
from pulumi import (
    ComponentResource,
    CustomResource,
    Resource,
    ResourceOptions,
    ResourceTransformationArgs,
)


def watch_declared() -> list[Resource]:
    """A list that from now on gets every resource that a provider makes."""
    seen: list[Resource] = []

    def note(args: ResourceTransformationArgs) -> None:
        if isinstance(args.resource, CustomResource):
            seen.append(args.resource)

    pulumi.runtime.register_stack_transformation(note)
    return seen


class DeletionGuard(ComponentResource):
    """Keeps `destroy` from touching anything while it is protected, whoever starts it, with a
    preview or without."""

    def __init__(self, name: str, opts: ResourceOptions) -> None:
        """Declare it.

        Args:
            opts: it depends on all that it guards; its parent is a component that may be without
                resources of its own.
        """
        super().__init__("sigmasight:infra:DeletionGuard", name, {}, opts)
        self.register_outputs({})
