"""Server reflection, grpc.reflection.v1 and v1alpha: it finds the file of every symbol of the services.

The library's service implements v1alpha only. Both versions have the same messages, so that one service answers both.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import grpc
from google.protobuf import text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import Default, DescriptorPool
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

V1ALPHA_PACKAGE, V1_PACKAGE = "grpc.reflection.v1alpha", "grpc.reflection.v1"
V1_SERVICE = f"{V1_PACKAGE}.ServerReflection"
METHOD = "ServerReflectionInfo"


class SymbolPool:
    """The files of some services, with an index of every symbol in them.

    It has the methods of a DescriptorPool that the library's reflection service calls. Unlike a DescriptorPool, it finds
    methods, fields and enum values, and it has no files of other libraries.
    """

    def __init__(self, services: Iterable[str]) -> None:
        self._pool = DescriptorPool()
        self._files: dict[str, Any] = {}
        self._symbols: dict[str, str] = {}
        for service in services:
            self._add_file(Default().FindServiceByName(service).file)
        self._add(_v1_file())
        self.FindFileByName = self._pool.FindFileByName
        self.FindMessageTypeByName = self._pool.FindMessageTypeByName
        self.FindExtensionByNumber = self._pool.FindExtensionByNumber
        self.FindAllExtensions = self._pool.FindAllExtensions

    def FindFileContainingSymbol(self, symbol: str) -> Any:
        """Return the file that defines a symbol. Raises KeyError."""
        return self._pool.FindFileByName(self._symbols[symbol])

    def _add_file(self, descriptor: Any) -> None:
        if descriptor.name not in self._files:
            for dependency in descriptor.dependencies:
                self._add_file(dependency)
            file = FileDescriptorProto()
            descriptor.CopyToProto(file)
            self._add(file)

    def _add(self, file: FileDescriptorProto) -> None:
        self._pool.Add(file)
        self._files[file.name] = file
        self._symbols.update(dict.fromkeys(_file_symbols(file), file.name))


def _v1_file() -> FileDescriptorProto:
    """Return the file of grpc.reflection.v1: that of v1alpha with other names."""
    file = FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(file)
    named = text_format.MessageToString(file).replace(V1ALPHA_PACKAGE, V1_PACKAGE)
    v1 = text_format.Parse(named, FileDescriptorProto())
    v1.name = f"{V1_PACKAGE.replace('.', '/')}/reflection.proto"
    return v1


def _file_symbols(file: FileDescriptorProto) -> Iterator[str]:
    """Yield the full name of each thing that a file defines."""
    prefix = f"{file.package}." if file.package else ""
    for message in file.message_type:
        yield from _message_symbols(prefix, message)
    for enum in file.enum_type:
        yield from _enum_symbols(prefix, enum)
    for extension in file.extension:
        yield prefix + extension.name
    for service in file.service:
        yield prefix + service.name
        yield from (f"{prefix}{service.name}.{method.name}" for method in service.method)


def _message_symbols(prefix: str, message: Any) -> Iterator[str]:
    yield prefix + message.name
    inner = f"{prefix}{message.name}."
    for named in (*message.field, *message.oneof_decl, *message.extension):
        yield inner + named.name
    for nested in message.nested_type:
        yield from _message_symbols(inner, nested)
    for enum in message.enum_type:
        yield from _enum_symbols(inner, enum)


def _enum_symbols(prefix: str, enum: Any) -> Iterator[str]:
    """Yield the names of an enum. Its values belong to the scope around it; grpcurl before 1.9 puts them into the enum."""
    yield prefix + enum.name
    for value in enum.value:
        yield prefix + value.name
        yield f"{prefix}{enum.name}.{value.name}"


def add_reflection(services: Iterable[str], server: Any) -> None:
    """Add both versions of the reflection service to a server. They list these services and themselves."""
    names = (*services, reflection.SERVICE_NAME)
    servicer = reflection.aio.ReflectionServicer((*names, V1_SERVICE), pool=SymbolPool(names))
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
    request, response = reflection_pb2.ServerReflectionRequest, reflection_pb2.ServerReflectionResponse
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo, request.FromString, response.SerializeToString
    )
    server.add_registered_method_handlers(V1_SERVICE, {METHOD: handler})
