from __future__ import annotations

import dataclasses

from vmwright.runs.secrets import secrets_of, shown
from vmwright.template.model import File, Optimize, PlatformImage, Shell, Template, Validate, Vhd


def template(*steps: Shell | File) -> Template:
    return Template(
        api_version="2020-02-14",
        location="westus2",
        source=PlatformImage(publisher="a", offer="b", sku="c", version="1.0.0"),
        customize=steps,
        distribute=(Vhd(path="", run_output_name="out"),),
    )


def test_signatures_and_passwords_are_secrets_as_written_and_decoded() -> None:
    script = Shell(name="s", path="", script_uri="https://x.blob/y.sh?sv=2020&sig=ab%2Bcd%3D&sp=r")
    file = File(name="f", path="", source_uri="https://me:hunter2@x/y?Token=t0ken", destination="/tmp/y")
    assert set(secrets_of(template(script, file))) == {"ab+cd=", "ab%2Bcd%3D", "hunter2", "t0ken"}


def test_signed_addresses_of_s3_are_shown_without_what_grants_access() -> None:
    query = "X-Amz-Security-Token=IQoJb3JpZ2lu%2FXdz&X-Amz-Expires=3600&X-Amz-Signature=0f3a9b7c21d4"
    document = {"source": f"https://me:p%40ss%2Fword@bucket.s3/disk.qcow2?{query}", "said": "p@ss/word"}
    steps = (File(name="f", path="", source_uri=document["source"], destination="/tmp/y"),)
    signed = dataclasses.replace(template(*steps), document=document)
    hidden = "X-Amz-Security-Token=******&X-Amz-Expires=3600&X-Amz-Signature=******"
    assert shown(signed) == {"source": f"https://me:******@bucket.s3/disk.qcow2?{hidden}", "said": "******"}


def test_every_address_of_a_template_is_looked_at() -> None:
    def signed(name: str) -> str:
        return f"https://x.blob/y?sig={name}-signature"

    whole = dataclasses.replace(
        template(),
        validate=Validate(in_vm_validations=(Shell(name="v", path="", script_uri=signed("validation")),)),
        optimize=Optimize(workload_script_uri=signed("workload")),
        distribute=(Vhd(path="", run_output_name="out", uri=signed("vhd")),),
    )
    assert set(secrets_of(whole)) == {"validation-signature", "workload-signature", "vhd-signature"}


def test_addresses_without_secrets_have_none() -> None:
    script = Shell(name="s", path="", script_uri="https://x/y.sh?version=3&lang=en")
    inline = Shell(name="i", path="", inline=("echo sig=abc",))
    assert secrets_of(template(script, inline)) == ()
