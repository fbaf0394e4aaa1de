"""Galleries and images by azure-mgmt-compute: its arguments are one JSON, and so is what it prints."""

import json
import sys
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.imagebuilder import ImageBuilderClient

given: dict[str, Any] = json.loads(sys.argv[1])
url, group, body = given["url"], given["group"], given["body"]
credential = ClientSecretCredential("adfs", given["app_id"], given["secret"], authority=url)
at = {"base_url": url, "credential_scopes": [f"{url}/.default"]}
compute = ComputeManagementClient(credential, given["subscription"], **at)
templates = ImageBuilderClient(credential, given["subscription"], **at).virtual_machine_image_templates
told: dict[str, Any] = {}

gallery = compute.galleries.begin_create_or_update(group, "ours", {"location": "westus2"}).result()
told["gallery"] = gallery.properties.provisioning_state
properties = {
    "osType": "Linux",
    "osState": "Generalized",
    "hyperVGeneration": "V1",
    "identifier": {"publisher": "us", "offer": "web", "sku": "1"},
}
wanted = {"location": "westus2", "properties": properties}
definition = compute.gallery_images.begin_create_or_update(group, "ours", "web", wanted).result()
told["definition"] = definition.properties.identifier.publisher

shared = {"type": "SharedImage", "runOutputName": "shared", "galleryImageId": definition.id}
body["properties"]["distribute"].append({**shared, "replicationRegions": ["westus2"]})
templates.begin_create_or_update(group, "web", body).result()
templates.begin_run(group, "web").result()

version = compute.gallery_image_versions.get(group, "ours", "web", "1.0.0")
told["regions"] = [one.name for one in version.properties.publishing_profile.target_regions]
told["versions"] = [
    one.name for one in compute.gallery_image_versions.list_by_gallery_image(group, "ours", "web")
]
told["image"] = compute.images.get(group, "golden").properties.storage_profile.os_disk.os_type
told["images"] = [one.name for one in compute.images.list_by_resource_group(group)]
compute.gallery_image_versions.begin_delete(group, "ours", "web", "1.0.0").result()
compute.gallery_images.begin_delete(group, "ours", "web").result()
compute.galleries.begin_delete(group, "ours").result()
compute.images.begin_delete(group, "golden").result()
told["left"] = [one.name for one in compute.galleries.list_by_resource_group(group)]
try:
    compute.images.get(group, "golden")
except ResourceNotFoundError as error:
    told["gone"] = error.error.code if error.error else None
json.dump(told, sys.stdout)
