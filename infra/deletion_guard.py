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

    def __init__(self, last: ComponentResource, guarded: list[Resource], *, protect: bool) -> None:
        """Declare it.

        Args:
            last: a component that may be without resources of its own.
        """
        options = ResourceOptions(parent=last, depends_on=guarded, protect=protect)
        super().__init__("sigmasight:infra:DeletionGuard", "deletion-guard", {}, options)
        self.register_outputs({})
