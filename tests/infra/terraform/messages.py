"""As much of the protocol of Terraform's providers (version 5) as a stack needs: its messages, by name.

Field numbers: tfplugin5.proto of terraform-plugin-go 0.28. A map travels as a list of its entries, an enumeration as a
number.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "tfplugin5"
#: Message → its fields; ``*`` is a list, a capital letter another message.
_FIELDS = {
    "DynamicValue": "msgpack:bytes=1",
    "Step": "attribute_name:string=1 element_key_string:string=2 element_key_int:int64=3",
    "AttributePath": "steps:*Step=1",
    "Diagnostic": "severity:int32=1 summary:string=2 detail:string=3 attribute:AttributePath=4",
    "Attribute": "name:string=1 type:bytes=2 required:bool=4 optional:bool=5 computed:bool=6",
    "NestedBlock": "type_name:string=1 block:Block=2 nesting:int32=3 min_items:int64=4 max_items:int64=5",
    "Block": "version:int64=1 attributes:*Attribute=2 block_types:*NestedBlock=3",
    "Schema": "version:int64=1 block:Block=2",
    "SchemaEntry": "key:string=1 value:Schema=2",
    "GetSchemaRequest": "",
    "GetSchemaResponse": "provider:Schema=1 resource_schemas:*SchemaEntry=2",
    "ConfigureRequest": "terraform_version:string=1 config:DynamicValue=2",
    "ConfigureResponse": "diagnostics:*Diagnostic=1",
    "ValidateResourceTypeConfigRequest": "type_name:string=1 config:DynamicValue=2",
    "ValidateResourceTypeConfigResponse": "diagnostics:*Diagnostic=1",
    "PlanResourceChangeRequest": "type_name:string=1 prior_state:DynamicValue=2 proposed_new_state:DynamicValue=3 "
    "config:DynamicValue=4 prior_private:bytes=5",
    "PlanResourceChangeResponse": "planned_state:DynamicValue=1 requires_replace:*AttributePath=2 "
    "planned_private:bytes=3 diagnostics:*Diagnostic=4",
    "ApplyResourceChangeRequest": "type_name:string=1 prior_state:DynamicValue=2 planned_state:DynamicValue=3 "
    "config:DynamicValue=4 planned_private:bytes=5",
    "ApplyResourceChangeResponse": "new_state:DynamicValue=1 private:bytes=2 diagnostics:*Diagnostic=3",
}


def messages() -> dict[str, Any]:
    """Classes by name."""
    file = descriptor_pb2.FileDescriptorProto(name="tfplugin5.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for text in fields.split():
            field, _, rest = text.partition(":")
            kind, _, number = rest.partition("=")
            _add(message, field, kind, int(number))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _FIELDS}


def _add(message: Any, name: str, kind: str, number: int) -> None:
    kinds = descriptor_pb2.FieldDescriptorProto
    field = message.field.add(name=name, number=number, label=kinds.LABEL_OPTIONAL)
    if kind.startswith("*"):
        field.label, kind = kinds.LABEL_REPEATED, kind[1:]
    if kind in _FIELDS:
        field.type, field.type_name = kinds.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    else:
        field.type = getattr(kinds, f"TYPE_{kind.upper()}")
