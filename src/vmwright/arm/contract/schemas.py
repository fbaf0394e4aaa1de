"""What stands in bodies, as JSON Schemas: all but image templates (``template_schema``)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from vmwright.arm.operations import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

Schema = dict[str, object]

TEXT: Schema = {"type": "string"}
TIME: Schema = {"type": "string", "format": "date-time"}
TAGS: Schema = {"type": "object", "additionalProperties": TEXT}
ANYTHING: Schema = {"type": "object"}


def reference(name: str) -> Schema:
    """Return what refers to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """Return the schema of an object, which may have more than it says."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        **({"required": list(required)} if required else {}),
    }


def resource(properties: Schema, *, located: bool = True, required: tuple[str, ...] = ()) -> Schema:
    """Return the schema of a resource, as it is sent and as it is shown.

    :param required: what a request must have.
    """
    given = {"properties": properties, **({"location": TEXT, "tags": TAGS} if located else {})}
    shown = {name: {**TEXT, "readOnly": True} for name in ("id", "name", "type")}
    return {**record({}, {**shown, **given}), **({"required": list(required)} if required else {})}


def listed(name: str) -> Schema:
    """Return the schema of a collection, or of one page of it."""
    return record({"value": {"type": "array", "items": reference(name)}}, {"nextLink": TEXT})


ERROR = record(
    {"code": TEXT, "message": TEXT},
    {"target": TEXT, "details": {"type": "array", "items": reference("ErrorDetail")}},
)
ROLE_DEFINITION = record(
    {"roleName": TEXT, "assignableScopes": {"type": "array", "items": TEXT, "minItems": 1}},
    {"description": TEXT, "permissions": {"type": "array", "items": ANYTHING}, "type": {"readOnly": True}},
)
ROLE_ASSIGNMENT = record(
    {"roleDefinitionId": TEXT, "principalId": {**TEXT, "format": "uuid"}},
    {
        "principalType": {"enum": ["ServicePrincipal", "User", "Group"]},
        "description": {"type": ["string", "null"]},
        "scope": {**TEXT, "readOnly": True},
    },
)
FORM_FIELDS = (
    *("grant_type", "client_id", "client_secret", "username", "password"),
    *("refresh_token", "device_code", "scope", "resource"),
)
SCHEMAS: Mapping[str, Schema] = MappingProxyType(
    {
        "Document": ANYTHING,
        "Resource": record({"id": TEXT, "name": TEXT, "type": TEXT}, {"location": TEXT, "tags": TAGS}),
        "Tagged": record({}, {"tags": TAGS}),
        "Error": record({"error": reference("ErrorDetail")}),
        "ErrorDetail": ERROR,
        "OAuthError": record(
            {"error": TEXT, "error_description": TEXT},
            {"error_codes": {"type": "array", "items": {"type": "integer"}}},
        ),
        "OperationStatus": record(
            {"name": TEXT, "status": {"enum": [str(status) for status in Status]}, "startTime": TIME},
            {"endTime": TIME, "error": reference("ErrorDetail")},
        ),
        "RunOutput": record(
            {
                "id": TEXT,
                "name": TEXT,
                "type": TEXT,
                "properties": record({"provisioningState": TEXT}, {"artifactId": TEXT, "artifactUri": TEXT}),
            }
        ),
        "Trigger": resource(
            record({"kind": {"enum": ["SourceImage"]}}, {"status": {**ANYTHING, "readOnly": True}}),
            required=("properties",),
        ),
        "ImageTemplatePatch": record({}, {"tags": TAGS, "identity": ANYTHING, "properties": ANYTHING}),
        "ProviderOperation": record({"name": TEXT, "display": ANYTHING, "isDataAction": {"type": "boolean"}}),
        "ResourceGroup": resource(ANYTHING, required=("location",)),
        "ManagedIdentity": resource(
            record(
                {}, {name: {**TEXT, "readOnly": True} for name in ("tenantId", "principalId", "clientId")}
            ),
            required=("location",),
        ),
        "RoleDefinition": resource(ROLE_DEFINITION, located=False, required=("properties",)),
        "RoleAssignment": resource(ROLE_ASSIGNMENT, located=False, required=("properties",)),
        "ObjectIds": record({"ids": {"type": "array", "items": TEXT, "maxItems": 1000}}),
        "Cloud": {"anyOf": [ANYTHING, {"type": "array", "items": ANYTHING}]},
        "TokenRequest": record({}, dict.fromkeys(FORM_FIELDS, TEXT)),
        "Token": record(
            {"token_type": {"const": "Bearer"}, "expires_in": {"type": "integer"}, "access_token": TEXT},
            {"refresh_token": TEXT, "id_token": TEXT},
        ),
        "DeviceCode": record(
            {
                "user_code": TEXT,
                "device_code": TEXT,
                "verification_uri": TEXT,
                "expires_in": {"type": "integer"},
                "interval": {"type": "integer"},
            }
        ),
        "ComputeResource": resource(ANYTHING, required=("location",)),
        "MarketplaceEntries": {"type": "array", "items": record({"id": TEXT, "name": TEXT})},
        "ServiceSas": record(
            {
                "canonicalizedResource": TEXT,
                "signedResource": {"enum": ["b", "c"]},
                "signedPermission": {"const": "r"},
                "signedExpiry": TIME,
            },
            {"signedStart": TIME, "signedProtocol": TEXT},
        ),
        "DeploymentRequest": record(
            {
                "properties": record(
                    {"mode": {"enum": ["Incremental", "Complete"]}},
                    {
                        "template": ANYTHING,
                        "templateLink": record({"uri": TEXT}),
                        "parameters": ANYTHING,
                        "parametersLink": record({"uri": TEXT}),
                    },
                )
            },
            {"location": TEXT},
        ),
        "Deployment": record(
            {
                "id": TEXT,
                "name": TEXT,
                "type": TEXT,
                "properties": record({"provisioningState": TEXT, "correlationId": TEXT}),
            }
        ),
        "DeviceForm": record({}, {"user_code": TEXT, "login": TEXT, "secret": TEXT}),
    }
)
