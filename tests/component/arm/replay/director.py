"""What happens behind the requests of a conversation, told by what the recorded answers show of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from tests.component.arm.replay.exchanges import Conversation, Exchange
from tests.scripted_builds import ScriptedBuilder
from vmwright.arm.providers.image_templates.faults import OTHER, ProvisioningError
from vmwright.arm.providers.image_templates.finding import Found, find_source
from vmwright.arm.service import Service
from vmwright.template.model import PlatformImage, Template

TEMPLATE = "Microsoft.VirtualMachineImages/imageTemplates"
OUTPUTS = f"{TEMPLATE}/runOutputs"
NETWORK = "/Microsoft.Network/"
ENDED = ("Succeeded", "Failed", "PartiallySucceeded", "Canceled")


class Director:
    """Lets the scripted builder go on, and finds sources, as the recording goes on."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._runs = {
            _last_part(exchange.headers["azure-asyncoperation"])
            for exchange in conversation
            if exchange.kind == f"POST {TEMPLATE}/run" and "azure-asyncoperation" in exchange.headers
        }

    @property
    def exact_versions(self) -> dict[str, str]:
        """The exact versions of marketplace images, as the templates show them once they are provisioned."""
        found: dict[str, str] = {}
        for exchange in self._conversation:
            source = _properties(exchange).get("source", {})
            names = [source.get(name, "") for name in ("publisher", "offer", "sku", "version")]
            if all(names) and source.get("exactVersion", "latest") != "latest":
                found[":".join(names)] = source["exactVersion"]
        return found

    async def find(self, template: Template, service: Service) -> Found:
        """Find the source of a template.

        :raises ProvisioningError: the template was not provisioned when this was recorded.
        """
        if failed := self._failure(template.name or ""):
            raise failed
        source = template.source
        if not isinstance(source, PlatformImage):
            return await find_source(template, service)
        names = ":".join((source.publisher, source.offer, source.sku, source.version))
        return Found(exact_version=self.exact_versions.get(names, source.version))

    async def go_on(self, exchange: Exchange, builder: ScriptedBuilder) -> None:
        """Let happen what has happened before a request was answered as it was."""
        if exchange.kind == f"GET {OUTPUTS}" and exchange.status == 200:
            await builder.succeed()
        elif exchange.kind == f"POST {TEMPLATE}/cancel":
            builder.take()
        elif exchange.kind == f"GET {TEMPLATE}":
            await _as_shown(_properties(exchange).get("lastRunStatus", {}), builder)
        elif _last_part(exchange.path) in self._runs and exchange.answered.get("status") in ENDED:
            await _end(exchange.answered["status"], exchange.answered.get("error", {}), builder)

    @property
    def networks(self) -> dict[str, str]:
        """The subnets that were there: those of templates that were provisioned."""
        found: dict[str, str] = {}
        for exchange in self._conversation:
            properties = _properties(exchange)
            subnet = properties.get("vmProfile", {}).get("vnetConfig", {}).get("subnetId")
            if subnet and properties.get("provisioningState") == "Succeeded":
                found[subnet] = "user"
        return found

    def _failure(self, name: str) -> ProvisioningError | None:
        """Return why the provisioning of the template of a name has failed, None where it has not."""
        written = (one for one in self._conversation if one.kind == f"PUT {TEMPLATE}")
        operations = {
            _last_part(one.headers.get("azure-asyncoperation", ""))
            for one in written
            if _last_part(one.path) == name
        }
        for exchange in self._conversation:
            if _last_part(exchange.path) in operations and exchange.answered.get("status") == "Failed":
                error = exchange.answered["error"]
                if NETWORK in error["message"]:
                    return None  # this service looks for networks itself
                return ProvisioningError(OTHER, error["message"], code=error["code"])
        return None


async def _as_shown(status: Mapping[str, Any], builder: ScriptedBuilder) -> None:
    if status.get("runState") in ENDED:
        await _end(status["runState"], status, builder)
    elif status.get("runSubState", "Queued") != "Queued":
        builder.take()


async def _end(state: str, told: Mapping[str, Any], builder: ScriptedBuilder) -> None:
    if state == "Succeeded":
        await builder.succeed()
    else:
        builder.fail(told.get("message", ""))


def _properties(exchange: Exchange) -> dict[str, Any]:
    answered = exchange.answered
    return answered.get("properties", {}) if isinstance(answered, dict) else {}


def _last_part(path: str) -> str:
    return urlsplit(path).path.rpartition("/")[2].lower()
