"""The stacks that Pulumi declares, and what drives its engine."""

import os

# Read when Pulumi imports gRPC. Servers run under another account, for which Python forks where it
# would share memory otherwise; with gRPC's support for forks such a child may end before it is what
# it is to be (grpcio 1.85).
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"
