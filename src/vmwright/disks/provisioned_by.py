"""From what a Linux image is provisioned at its first boot, told by its agents and their configuration.

The rule is one, wherever the image is looked at: on its disk, or in the guest before it is generalized.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vmwright.artifacts.facts import Provisioning

if TYPE_CHECKING:
    from collections.abc import Iterable

CLOUD_INIT = ("/usr/bin/cloud-init", "/usr/local/bin/cloud-init")
WAAGENT = ("/usr/sbin/waagent", "/usr/bin/waagent", "/usr/local/sbin/waagent")
CONFIGURATION = "/etc/cloud/cloud.cfg"
FOLDER = "/etc/cloud/cloud.cfg.d"
# a list in brackets, over several lines maybe, or one with a line for each name
DATA_SOURCES = re.compile(r"^datasource_list:\s*(\[[^\]]*\]|(?:\n[ \t]*-[^\n]*)+)", re.MULTILINE)


def provisioned_by(*, has_waagent: bool, has_cloud_init: bool, configuration: Iterable[str]) -> Provisioning:
    """Say what provisions an image: Azure's platform where it has Azure's agent, or knows nothing else.

    :param configuration: the texts of cloud-init's files in the order of their names, cloud.cfg first.
    """
    known = _data_sources(configuration) if has_cloud_init else set()
    if known and "azure" not in known:
        return Provisioning.NOCLOUD
    if has_waagent or (known and "nocloud" not in known):
        return Provisioning.AZURE
    return Provisioning.NOCLOUD


def _data_sources(configuration: Iterable[str]) -> set[str]:
    """Return the data sources that cloud-init may use, in lower case; none where it may use all it has."""
    known: set[str] = set()
    for text in configuration:
        without_comments = re.sub(r"(^|\s)#[^\n]*", r"\1", text)
        for found in DATA_SOURCES.finditer(without_comments):
            known = {name.lower() for name in re.findall(r"[A-Za-z0-9]+", found[1])} - {"none"}
    return known
