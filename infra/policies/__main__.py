"""The pack as the policy engine runs it: `pulumi preview --policy-pack infra/policies`."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pulumi
import pulumi_policy.policy
from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)
from pulumi_policy.policy import _PolicyAnalyzerServicer
from pulumi_policy.proxy import UnknownValueError

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from infra.policies.rules import RULES, Allowances, Declared, Rule


class _ToldOfTheStack(_PolicyAnalyzerServicer):  # type: ignore[misc]
    """What the engine tells of the stack; the SDK (1.21) keeps none of its configuration."""

    def ConfigureStack(self, request: Any, context: Any) -> Any:
        for key, value in request.config.items():
            pulumi.runtime.set_config(key, value)
        return super().ConfigureStack(request, context)


pulumi_policy.policy._PolicyAnalyzerServicer = _ToldOfTheStack


def _policy(rule: Rule) -> ResourceValidationPolicy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        resource = Declared(args.resource_type, args.name, _known(args.props), args.opts.protect)
        for line in rule.violations(resource, _allowances()):
            report(line)

    return ResourceValidationPolicy(name=rule.name, description=rule.description, validate=validate)


def _allowances() -> Allowances:
    config = pulumi.Config("sigmasight")
    return Allowances(
        local_image=config.get_bool("allowLocalImage") or False,
        public_ports=config.get_bool("allowPublicPorts") or False,
    )


def _known(value: Any) -> Any:
    """A copy without what is unknown at preview, which reads as None."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return {key: _known_item(value, key) for key in value}
    if isinstance(value, Sequence):
        return [_known_item(value, index) for index in range(len(value))]
    return value


def _known_item(container: Any, key: Any) -> Any:
    try:
        return _known(container[key])
    except UnknownValueError:
        return None


PolicyPack(
    name="sigmasight",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[_policy(rule) for rule in RULES],
)
