"""A template's life by azure-mgmt-imagebuilder 1.3: its arguments are one JSON, and so is what it prints."""

import json
import sys
from typing import Any

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.mgmt.imagebuilder import ImageBuilderClient
from azure.mgmt.imagebuilder.models import Trigger

given: dict[str, Any] = json.loads(sys.argv[1])
url, group, body = given["url"], given["group"], given["body"]
credential = ClientSecretCredential("adfs", given["app_id"], given["secret"], authority=url)
client = ImageBuilderClient(
    credential, given["subscription"], base_url=url, credential_scopes=[f"{url}/.default"]
)
templates, triggers = client.virtual_machine_image_templates, client.triggers
told: dict[str, Any] = {}


def error_of(call: Any) -> dict[str, Any]:
    try:
        call()
    except HttpResponseError as error:
        return {"type": type(error).__name__, "code": error.error.code if error.error else None}
    return {}


told["missing"] = error_of(lambda: templates.get(group, "web"))
flat = {**{name: body[name] for name in ("location", "tags", "identity")}, **body["properties"]}
made = templates.begin_create_or_update(group, "web", flat).result()
told["made"] = made.provisioning_state
told["source"] = made.source.type
templates.begin_update(group, "web", {"tags": {"a": "b"}}).result()
told["tags"] = templates.get(group, "web").tags
templates.begin_run(group, "web").result()
told["run"] = templates.get(group, "web").last_run_status.run_state
told["outputs"] = [one.artifact_id for one in templates.list_run_outputs(group, "web")]
told["output"] = templates.get_run_output(group, "web", "golden").artifact_id
told["not running"] = error_of(lambda: templates.begin_cancel(group, "web").result())
newer = Trigger()
newer.kind = "SourceImage"
trigger = triggers.begin_create_or_update(group, "web", "newer", newer).result()
told["trigger"] = trigger.status.code
told["triggers"] = [one.name for one in triggers.list_by_image_template(group, "web")]
triggers.begin_delete(group, "web", "newer").result()
told["listed"] = [one.name for one in templates.list_by_resource_group(group)]
templates.begin_delete(group, "web").result()
told["gone"] = ResourceNotFoundError.__name__ == error_of(lambda: templates.get(group, "web"))["type"]
json.dump(told, sys.stdout)
