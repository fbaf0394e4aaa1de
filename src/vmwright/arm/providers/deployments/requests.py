"""What a client asks for: a template, its parameters, and how it is to be deployed."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vmwright.arm.http.errors import ArmError
from vmwright.arm.providers.deployments import parsing
from vmwright.template.deployment import Given
from vmwright.template.deployment.values import value_of
from vmwright.template.document import Object, plain_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmwright.arm.providers.deployments.links import Links

INCREMENTAL = "Incremental"
REQUIRED = ("$schema", "contentVersion", "resources")
OF_SUBSCRIPTIONS = "subscriptiondeploymenttemplate"
WRONG_TEMPLATE = "Deployment template parse failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A deployment as it was asked for.

    :param given: values of parameters, by names in lower case.
    :param links: ``templateLink`` and ``parametersLink``, as they are shown.
    """

    template: Object
    given: Mapping[str, Given]
    location: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, Any] = field(default_factory=dict)
    result_format: str = ""


async def read(data: bytes, links: Links, *, is_subscriptions: bool) -> Wanted:
    """Return what a request's body asks for.

    :param is_subscriptions: whether it goes to a subscription, not to a resource group.
    :raises ArmError: it is not what such a body is, or what this service does not do.
    """
    body = parsing.parse_body(data)
    properties = parsing.member(body, "properties")
    if properties is None:
        raise _invalid("InvalidRequestContent", "The request content was invalid: 'properties' is missing.")
    _check_mode(properties)
    template, shown = await _template(properties, links)
    _check_sections(template, is_subscriptions=is_subscriptions)
    parameters = parsing.member(properties, "parameters")
    if link := parsing.member(properties, "parametersLink"):
        if parameters is not None and parameters.members:
            raise _invalid(
                "InvalidDeployment", "A deployment has 'parameters' or 'parametersLink', not both."
            )
        parameters = parsing.member(await links.fetch(link, "parametersLink"), "parameters")
        shown["parametersLink"] = {"uri": links.shown(link)}
    settings = parsing.member(properties, "whatIfSettings")
    tags = parsing.member(body, "tags")
    location = parsing.text(body, "location")
    if is_subscriptions and not location:
        raise _invalid("LocationRequired", "The location property is required for this deployment.")
    return Wanted(
        template=template,
        given=given_of(parameters),
        location=location,
        tags={key: str(value) for key, value in plain_object(tags).items()} if tags else {},
        links=shown,
        result_format=parsing.text(settings, "resultFormat") if settings else "",
    )


def given_of(parameters: Object | None) -> dict[str, Given]:
    """Return the values of parameters, ``{name: {value}}``.

    :raises ArmError: one has none, or it is in a Key Vault.
    """
    found = {}
    for one in parameters.members if parameters else ():
        body = one.value
        if not isinstance(body, Object):
            raise _invalid(
                "InvalidRequestContent",
                f"The parameter '{one.key}' is not of the form {{\"value\": ...}}. "
                f"Line {one.place.line}, position {one.place.column}.",
            )
        if body.get("reference") is not None:
            raise _invalid(
                "KeyVaultParameterReferenceSecretRetrieveFailed",
                f"The value of the parameter '{one.key}' is in a Key Vault, which this service cannot ask. "
                'Give it as {"value": ...}; a parameter of the type securestring is shown to nobody.',
            )
        value = body.get("value")
        if value is None:
            raise _invalid(
                "InvalidDeploymentParameterValue",
                f"The value of deployment parameter '{one.key}' is null. Please specify the value or use the "
                "parameter reference. See https://aka.ms/arm-create-parameter-file for details.",
            )
        found[one.key.casefold()] = Given(value_of(value), f"the parameters of the deployment: {one.key}")
    return found


async def _template(properties: Object, links: Links) -> tuple[Object, dict[str, Any]]:
    template, link = (parsing.member(properties, key) for key in ("template", "templateLink"))
    if template is not None and link is None:
        return parsing.alone(template), {}
    if template is None and link is not None:
        return await links.fetch(link, "templateLink"), {"templateLink": {"uri": links.shown(link)}}
    raise _invalid("InvalidTemplate", "A deployment has one of 'template' and 'templateLink'.")


def _check_mode(properties: Object) -> None:
    """Check that only what the template names is touched.

    :raises ArmError: it is not so. ``Complete`` would delete images that are in no template.
    """
    mode = parsing.text(properties, "mode")
    if mode.casefold() == "complete":
        raise _invalid(
            "InvalidDeploymentMode",
            "The mode 'Complete' deletes whatever is not in the template, images that builds have made among "
            "it: this service does not do that. Use 'Incremental', and delete what should go.",
        )
    if mode.casefold() != INCREMENTAL.casefold():
        raise _invalid("InvalidDeploymentMode", f"The deployment mode '{mode[:80]}' is not 'Incremental'.")
    if parsing.member(properties, "onErrorDeployment"):
        raise _invalid("InvalidDeployment", "This service does not deploy another template after an error.")


def _check_sections(template: Object, *, is_subscriptions: bool) -> None:
    for key in REQUIRED:
        if template.get(key) is None:
            place = template.place
            raise _invalid(
                "InvalidTemplate",
                f"{WRONG_TEMPLATE}: 'Required property '{key}' not found in JSON. Path '', "
                f"line {place.line}, position {place.column}.'.",
            )
    if (OF_SUBSCRIPTIONS in parsing.text(template, "$schema").casefold()) != is_subscriptions:
        scope = "a subscription" if is_subscriptions else "a resource group"
        raise _invalid(
            "InvalidTemplate",
            "Deployment template validation failed: 'The $schema of the template is not that of a "
            f"deployment to {scope}.'.",
        )


_invalid = functools.partial(ArmError, 400, is_gateways=True)
