"""Stands in for docker's provider under the real engine: it keeps nothing but what it is told.

Run by a program of the provider's name on PATH, which the engine looks for.
"""

import sys
from concurrent import futures
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

SOME, NONE = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE


class DockerProvider(provider_pb2_grpc.ResourceProviderServicer):
    """Whatever differs is an update of the provider, and a replacement of anything else."""

    def GetPluginInfo(self, _request: Any, _context: Any) -> Any:
        return plugin_pb2.PluginInfo(version="5.2.0")

    def Configure(self, _request: Any, _context: Any) -> Any:
        return provider_pb2.ConfigureResponse()

    def CheckConfig(self, request: Any, _context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, _context: Any) -> Any:
        changed = request.old_inputs != request.news
        return provider_pb2.DiffResponse(changes=SOME if changed else NONE)

    Check = CheckConfig

    def Diff(self, request: Any, _context: Any) -> Any:
        old, new = request.old_inputs, request.news
        keys = [
            key for key in {*old, *new} if key not in old or key not in new or old[key] != new[key]
        ]
        return provider_pb2.DiffResponse(changes=SOME if keys else NONE, replaces=keys)

    def Create(self, request: Any, _context: Any) -> Any:
        known = request.properties
        known["imageId"] = "sha256:" + "1" * 64
        return provider_pb2.CreateResponse(id=request.name, properties=known)

    def Read(self, request: Any, _context: Any) -> Any:
        return provider_pb2.ReadResponse(
            id=request.id, properties=request.properties, inputs=request.inputs
        )

    def Cancel(self, _request: Any, _context: Any) -> Any:
        return empty_pb2.Empty()


def main() -> None:
    """Serve until the engine ends it."""
    server = grpc.server(futures.ThreadPoolExecutor(4))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(DockerProvider(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
