"""The wireserver: where a guest asks what it is to be, and reports how its provisioning went.

Formats as cloud-init (sources/helpers/azure.py) and waagent (common/protocol) read and write them; no
certificates, no extensions, and the goal state never changes. There is a place for the agent's status:
without one, waagent fetches the whole goal state again every six seconds.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vmwright.machines.azure.instance import WIRESERVER_ADDRESS
from vmwright.machines.azure.web import read_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from vmwright.machines.azure.instance import Instance

PORT = 80
HOST_PLUGIN_PORT = 32526
HOST_PLUGIN_VERSION = "2015-09-01"
MOST_DESCRIPTION = 1024
STATUS_BLOB = "status/blob"
ENDLESS = re.compile("&#[xX]?[0-9a-fA-F]{9,};?")
HEADER = '<?xml version="1.0" encoding="utf-8"?>\n'

VERSIONS = """\
<Versions>
  <Preferred><Version>2015-04-05</Version></Preferred>
  <Supported><Version>2015-04-05</Version><Version>2012-11-30</Version></Supported>
</Versions>
"""
GOAL_STATE = """\
<GoalState xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"\
 xsi:noNamespaceSchemaLocation="goalstate10.xsd">
  <Version>2012-11-30</Version>
  <Incarnation>1</Incarnation>
  <Machine>
    <ExpectedState>Started</ExpectedState>
    <StopRolesDeadlineHint>300000</StopRolesDeadlineHint>
    <LBProbePorts><Port>16001</Port></LBProbePorts>
    <ExpectHealthReport>FALSE</ExpectHealthReport>
  </Machine>
  <Container>
    <ContainerId>{container}</ContainerId>
    <RoleInstanceList>
      <RoleInstance>
        <InstanceId>{instance}</InstanceId>
        <State>Started</State>
        <Configuration>
          <HostingEnvironmentConfig>{config}hostingEnvironmentConfig</HostingEnvironmentConfig>
          <SharedConfig>{config}sharedConfig</SharedConfig>
          <ExtensionsConfig>{config}extensionsConfig</ExtensionsConfig>
          <ConfigName>{container}.0.{container}.0.{name}.1.xml</ConfigName>
        </Configuration>
      </RoleInstance>
    </RoleInstanceList>
  </Container>
</GoalState>
"""
HOSTING_ENVIRONMENT = """\
<HostingEnvironmentConfig version="1.0.0.0" goalStateIncarnation="1">
  <StoredCertificates />
  <Deployment name="{container}" guid="{{{container}}}" incarnation="0" />
  <Incarnation number="1" instance={name} guid="{{{container}}}" />
  <Role guid="{{{container}}}" name={name} settleTimeSeconds="0" />
</HostingEnvironmentConfig>
"""
SHARED = """\
<SharedConfig version="1.0.0.0" goalStateIncarnation="1">
  <Deployment name="{container}" guid="{{{container}}}" incarnation="0" />
  <Incarnation number="1" instance={name} guid="{{{container}}}" />
  <Role guid="{{{container}}}" name={name} settleTimeSeconds="0" />
  <Instances><Instance id={name} address="{address}" /></Instances>
</SharedConfig>
"""
EXTENSIONS = """\
<Extensions version="1.0.0.0" goalStateIncarnation="1">
  <GuestAgentExtension xmlns:i="http://www.w3.org/2001/XMLSchema-instance">
    <GAFamilies />
  </GuestAgentExtension>
  <Plugins />
  <PluginSettings />
  <StatusUploadBlob statusBlobType="BlockBlob">{status}</StatusUploadBlob>
</Extensions>
"""


@dataclass(frozen=True, slots=True)
class HealthReport:
    """What a guest says of its provisioning: Ready, or NotReady with a detail and a description."""

    state: str
    detail: str = ""
    description: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether the guest is provisioned."""
        return self.state == "Ready"

    @property
    def is_failure(self) -> bool:
        """Whether the guest has given up; waagent also reports that it is only starting (NotReady)."""
        return self.state == "NotReady" and self.detail == "ProvisioningFailed"


def read_health(document: bytes) -> HealthReport:
    """Read a health report. Both agents fill in one fixed form, so its elements are looked for by name:
    nothing that an XML parser could be brought to do is done for a guest.
    """
    text = document.decode(errors="replace")
    return HealthReport(_element(text, "State"), _element(text, "SubStatus"), _element(text, "Description"))


def wireserver(instance: Instance, on_report: Callable[[HealthReport], None]) -> Starlette:
    """Return the wireserver of one guest; each health report is handed to ``on_report``."""
    documents = _documents(instance)

    async def give(request: Request) -> Response:
        asked = request.query_params
        name = asked.get("type" if asked.get("comp") == "config" else "comp", "")
        if (document := documents.get(name.lower())) is None:
            return Response(status_code=HTTPStatus.NOT_FOUND)
        return Response(HEADER + document, media_type="text/xml; charset=utf-8")

    async def take(request: Request) -> Response:
        """Take a report; telemetry and roles' properties are taken and dropped."""
        if (body := await read_body(request)) is None:
            return Response(status_code=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if request.query_params.get("comp") == "health":
            on_report(read_health(body))
        return Response()

    async def take_status(request: Request) -> Response:
        """Take the agent's status as Azure's blob storage does, and drop it."""
        if await read_body(request) is None:
            return Response(status_code=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return Response(status_code=HTTPStatus.CREATED)

    return Starlette(
        routes=[
            Route("/{path:path}", give, methods=["GET"]),
            Route("/{path:path}", take, methods=["POST"]),
            Route(f"/{STATUS_BLOB}", take_status, methods=["PUT"]),
        ]
    )


def host_plugin() -> Starlette:
    """Return the host's plugin for the agent, which has its version only: agents ask the wireserver for more.

    It answers so that they do not wait for it, nor complain of it every six seconds.
    """

    async def give_versions(_request: Request) -> Response:
        return JSONResponse([HOST_PLUGIN_VERSION])

    return Starlette(routes=[Route("/versions", give_versions)])


def _documents(instance: Instance) -> dict[str, str]:
    """Return the documents by their lower-case ``comp`` or ``type``."""
    container = instance.container_id
    place = f"http://{WIRESERVER_ADDRESS}:{PORT}/machine/{container}/{instance.name}?comp=config&type="
    attribute = quoteattr(instance.name)
    return {
        "versions": VERSIONS,
        "goalstate": GOAL_STATE.format(
            container=container,
            instance=escape(f"{container}._{instance.name}"),
            name=escape(instance.name),
            config=escape(place),
        ),
        "hostingenvironmentconfig": HOSTING_ENVIRONMENT.format(container=container, name=attribute),
        "sharedconfig": SHARED.format(container=container, name=attribute, address=instance.nic.address),
        "extensionsconfig": EXTENSIONS.format(
            status=f"http://{WIRESERVER_ADDRESS}:{PORT}/{STATUS_BLOB}?comp=status"
        ),
    }


def _element(text: str, name: str) -> str:
    """Return the text of the first element of this name, as one line that a terminal can show."""
    found = re.search(rf"<{name}>([^<]*)</{name}>", text)
    # a character's number with thousands of digits is none, and html does not take it
    words = html.unescape(ENDLESS.sub("?", found[1])).split() if found else []
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(words))[:MOST_DESCRIPTION]
