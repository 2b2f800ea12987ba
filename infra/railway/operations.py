"""The GraphQL operations that are asked of Railway; docs/decisions/0019 cites each field."""

_PAGE = """
query ($project: String!, $environment: String!, $after: String) {
  environment(id: $environment, projectId: $project) {
    projectId
    %s(after: $after) { edges { node { %s } } pageInfo { hasNextPage endCursor } }
  }
}"""
SERVICES = _PAGE % ("serviceInstances", "serviceId serviceName latestDeployment { id status }")
VOLUMES = _PAGE % ("volumeInstances", "serviceId isPendingDeletion volume { id name }")
CREATE_SERVICE = """
mutation ($input: ServiceCreateInput!) { serviceCreate(input: $input) { id } }"""
DELETE_SERVICE = """
mutation ($environment: String!, $service: String!) {
  serviceDelete(environmentId: $environment, id: $service)
}"""
CREATE_VOLUME = """
mutation ($input: VolumeCreateInput!) { volumeCreate(input: $input) { id } }"""
DELETE_VOLUME = """
mutation ($volume: String!) { volumeDelete(volumeId: $volume) }"""
PROXIES = """
query ($environment: String!, $service: String!) {
  tcpProxies(environmentId: $environment, serviceId: $service) {
    domain proxyPort applicationPort
  }
}"""
CREATE_PROXY = """
mutation ($input: TCPProxyCreateInput!) {
  tcpProxyCreate(input: $input) { domain proxyPort applicationPort }
}"""
SET_VARIABLES = """
mutation ($input: VariableCollectionUpsertInput!) { variableCollectionUpsert(input: $input) }"""
SET_SETTINGS = """
mutation ($environment: String!, $service: String!, $input: ServiceInstanceUpdateInput!) {
  serviceInstanceUpdate(environmentId: $environment, serviceId: $service, input: $input)
}"""
DEPLOY = """
mutation ($environment: String!, $service: String!) {
  serviceInstanceDeployV2(environmentId: $environment, serviceId: $service)
}"""
DEPLOYMENT = """
query ($deployment: String!) { deployment(id: $deployment) { status } }"""
STOP = """
mutation ($deployment: String!) { deploymentStop(id: $deployment) }"""
