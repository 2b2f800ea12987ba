from infra.program import declare

declare()
