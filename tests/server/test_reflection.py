"""Server reflection: both versions find the file of every symbol of our contracts."""

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2

from chatctl.server.reflection import SymbolPool
from chatctl.tutorial import chat_pb2 as tutorial_pb2
from chatctl.v1 import chat_pb2 as pb
from tests.support.waiting import TIMEOUT_SECONDS

VERSIONS = ["v1", "v1alpha"]
CONTRACTS = {"chatctl.v1": pb.DESCRIPTOR, "grpc.chat": tutorial_pb2.DESCRIPTOR}
Request, Response = reflection_pb2.ServerReflectionRequest, reflection_pb2.ServerReflectionResponse


@pytest.fixture(scope="module")
def server(start_shared_server):
    return start_shared_server()


@pytest.fixture
def ask(server, connect):
    """Send questions on one stream of a version, and return the answers in order. Both versions have the same messages."""

    def ask(version, **questions):
        method = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
        call = connect(server).stream_stream(
            method, request_serializer=Request.SerializeToString, response_deserializer=Response.FromString
        )
        ((kind, asked),) = questions.items()
        requests = [Request(**{kind: question}) for question in asked]
        answers = list(call(iter(requests), timeout=TIMEOUT_SECONDS))
        assert [answer.original_request for answer in answers] == requests
        return answers

    return ask


def files(answer):
    """Return the names of the files in an answer: first the one that was asked for."""
    return [FileDescriptorProto.FromString(data).name for data in answer.file_descriptor_response.file_descriptor_proto]


def symbols(file):
    """Return the full name of everything that a contract defines, as descriptors name it."""
    names = []
    messages = list(file.message_types_by_name.values())
    while messages:
        message = messages.pop()
        messages += message.nested_types
        names += [message.full_name, *(field.full_name for field in message.fields)]
        names += [oneof.full_name for oneof in message.oneofs]
        assert not message.enum_types, "extend this test: an enum in a message"
    for enum in file.enum_types_by_name.values():
        scope = enum.full_name.rpartition(".")[0]
        names += [enum.full_name, *(f"{scope}.{value.name}" for value in enum.values)]
        names += [f"{enum.full_name}.{value.name}" for value in enum.values]  # as grpcurl before 1.9 asks for it
    for service in file.services_by_name.values():
        names += [service.full_name, *(method.full_name for method in service.methods)]
    return names


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("package", CONTRACTS)
def test_every_symbol_of_a_contract_is_found(ask, version, package):
    asked = symbols(CONTRACTS[package])
    assert len(asked) > 10
    for symbol, answer in zip(asked, ask(version, file_containing_symbol=asked), strict=True):
        assert files(answer)[:1] == [CONTRACTS[package].name], symbol


@pytest.mark.parametrize("version", VERSIONS)
def test_a_file_comes_with_all_that_it_imports(ask, version):
    (by_symbol,) = ask(version, file_containing_symbol=["chatctl.v1.Receipt.number"])
    (by_name,) = ask(version, file_by_filename=[pb.DESCRIPTOR.name])
    assert set(files(by_symbol)) == {pb.DESCRIPTOR.name, *(file.name for file in pb.DESCRIPTOR.dependencies)}
    assert files(by_symbol) == files(by_name)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_service_of_each_version_has_its_own_file(ask, version):
    name = f"grpc.reflection.{version}.ServerReflection"
    (answer,) = ask(version, file_containing_symbol=[name])
    (data,) = answer.file_descriptor_response.file_descriptor_proto
    file = FileDescriptorProto.FromString(data)
    assert file.package == name.rpartition(".")[0]
    assert file.name.endswith(f"/{version}/reflection.proto")
    assert {method.input_type for method in file.service[0].method} == {f".{file.package}.ServerReflectionRequest"}


@pytest.mark.parametrize("version", VERSIONS)
def test_unknown_symbols_and_files_are_not_found(ask, version):
    names = ["chatctl.v1.ChatService.GetNothing", "chatctl", "", "google.protobuf.DescriptorProto"]
    for kind in ("file_containing_symbol", "file_by_filename", "all_extension_numbers_of_type"):
        assert [answer.error_response.error_code for answer in ask(version, **{kind: names})] == [5] * len(names)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_message_without_extensions_has_none(ask, version):
    (answer,) = ask(version, all_extension_numbers_of_type=["chatctl.v1.Run"])
    found = answer.all_extension_numbers_response
    assert (found.base_type_name, list(found.extension_number)) == ("chatctl.v1.Run", [])


def test_enums_and_extensions_inside_of_messages_are_found():
    pool = SymbolPool(["grpc.health.v1.Health"])
    for symbol in ("ServingStatus", "ServingStatus.SERVING", "SERVING"):
        assert pool.FindFileContainingSymbol(f"grpc.health.v1.HealthCheckResponse.{symbol}").package == "grpc.health.v1"
    with pytest.raises(KeyError):
        pool.FindFileContainingSymbol("chatctl.v1.ChatService")
