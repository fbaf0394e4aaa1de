"""Getting in: what the service prints is pasted as it is; who is not known stays out."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from tests.clients.azure_tools.serving import CLIENTS, SECONDS, Az, Served, run_program
from tests.clients.azure_tools.templates import group_id
from tests.vmwright_command import Vmwright

BASH = Path("/bin/bash")
CODE = re.compile(r"open the page (\S+) and enter the code (\S+)\.")


def test_the_printed_lines_are_pasted_and_log_in(served: Served, tmp_path: Path) -> None:
    lines = ["set -e", f"export REQUESTS_CA_BUNDLE={served.ca}", *served.commands, "az account show -o tsv"]
    pasted = run_program(
        BASH,
        "-c",
        "\n".join(lines),
        AZURE_CONFIG_DIR=str(tmp_path),
        PATH=f"{CLIENTS}/azure-cli/bin:/usr/bin:/bin",
    )
    assert pasted.code == 0, pasted.err
    assert served.subscription in pasted.out.splitlines()[-1]


def test_the_account_is_shown(az: Az, served: Served) -> None:
    account = az.json("account", "show")
    assert (account["id"], account["tenantId"]) == (served.subscription, served.tenant)
    assert (account["state"], account["user"]["name"]) == ("Enabled", served.app_id)
    assert [one["id"] for one in az.json("account", "list")] == [served.subscription]


def test_regions_are_listed(az: Az) -> None:
    regions = {one["name"]: one["displayName"] for one in az.json("account", "list-locations")}
    assert regions["westus2"] == "West US 2"
    assert {"eastus", "westcentralus", "northeurope"} <= regions.keys()


def test_a_wrong_secret_is_told_as_one(az: Az, served: Served, tmp_path: Path) -> None:
    other = Az(tmp_path, served.ca)
    other("cloud", "register", "-n", "vmwright", "--endpoint-resource-manager", served.url)
    other("cloud", "set", "-n", "vmwright")
    log_in = ("login", "--service-principal", "-u", served.app_id, "--tenant", served.tenant)
    refused = other(*log_in, "-p", "wrong", code=1)
    assert "AADSTS7000215" in refused.err
    assert "Traceback" not in refused.err


def test_a_service_that_nobody_trusts_is_not_spoken_to(served: Served, tmp_path: Path) -> None:
    other = Az(tmp_path / "az", tmp_path / "empty.pem")
    other.ca.write_text("")
    refused = other("cloud", "register", "-n", "x", "--endpoint-resource-manager", served.url, code=1)
    assert "certificate" in refused.err.lower()


def test_somebody_who_was_added_reads_what_a_role_lets_him(
    az: Az, served: Served, group: str, tmp_path: Path
) -> None:
    added = Vmwright(served.home)("principals", "add", group, "--user")
    secret = shlex.split(added.out[added.out.index("az login") :].splitlines()[0])[-3]
    user = Az(tmp_path, served.ca)
    user("cloud", "register", "-n", "vmwright", "--endpoint-resource-manager", served.url)
    user("cloud", "set", "-n", "vmwright")
    log_in = ("login", "-u", group, "-p", secret, "--tenant", served.tenant)
    assert "No subscriptions found" in user(*log_in, code=1).err
    (listed,) = (one for one in Vmwright(served.home).json("principals") if one["name"] == group)
    az(
        *("role", "assignment", "create", "--role", "Reader"),
        *("--scope", group_id(served.subscription, group)),
        *("--assignee-object-id", listed["id"], "--assignee-principal-type", "User"),
    )
    user(*log_in)
    assert [one["name"] for one in user.json("group", "list")] == [group]
    refused = user("group", "update", "-n", group, "--set", "tags.a=b", code=1)
    assert "AuthorizationFailed" in refused.err


def test_a_terminal_without_a_browser_logs_in_by_a_code(served: Served, tmp_path: Path) -> None:
    user = Az(tmp_path, served.ca)
    user("cloud", "register", "-n", "vmwright", "--endpoint-resource-manager", served.url)
    user("cloud", "set", "-n", "vmwright")
    log_in = ("login", "--use-device-code", "--tenant", served.tenant)
    with user.start(*log_in) as waiting, served.client() as browser:
        assert waiting.stderr is not None
        told = next(line for line in waiting.stderr if CODE.search(line))
        page, code = CODE.findall(told)[0]
        form = {"user_code": code, "login": served.app_id, "secret": served.secret}
        assert browser.post(page, data=form).status_code == 200
        out, err = waiting.communicate(timeout=SECONDS)
    assert waiting.returncode == 0, err
    assert json.loads(out)[0]["id"] == served.subscription
