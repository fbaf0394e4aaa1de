"""The kinds of customizers and of validators."""

from __future__ import annotations

from vmwright.template.contract import INT32_MAX, Field, Format, Kind, Shape
from vmwright.template.shapes.fields import CHECKSUM, INLINE, JUNE_2020, MAY_2019, NAME, SCRIPT_URI, TYPE

SHELL = (TYPE, NAME, SCRIPT_URI, INLINE, CHECKSUM)
POWERSHELL = (
    TYPE,
    NAME,
    SCRIPT_URI,
    INLINE,
    CHECKSUM,
    Field(
        name="runElevated",
        about="Whether the script runs with full rights; false by default.",
        kind=Kind.BOOLEAN,
        since="2019-05-01-preview",
        documented=JUNE_2020,
    ),
    # In the contract since 2021-10-01; the service already answers it for 2020-02-14 (reference §3).
    Field(
        name="runAsSystem",
        about="Whether the script runs as Local System, which needs `runElevated`; false by default.",
        kind=Kind.BOOLEAN,
        since="2020-02-14",
    ),
    Field(
        name="validExitCodes",
        about="The exit codes that are no failure; 0 by default.",
        kind=Kind.INTEGERS,
        spellings=("valid_exit_codes",),
        since="2019-02-01-preview",
        documented=JUNE_2020,
    ),
)
FILE = (
    TYPE,
    NAME,
    Field(
        name="sourceUri",
        about="The address of the file.",
        format=Format.URI,
        required=True,
        documented=MAY_2019,
    ),
    Field(
        name="destination",
        about="The file's absolute path in the guest; on Linux below /tmp.",
        required=True,
        documented=MAY_2019,
    ),
    CHECKSUM,
)

CUSTOMIZERS = (
    Shape(
        name="Shell",
        early_type_name="shell",
        about="A shell script for Linux.",
        documented=MAY_2019,
        fields=SHELL,
    ),
    Shape(
        name="PowerShell",
        about="A PowerShell script.",
        since="2019-02-01-preview",
        documented=MAY_2019,
        fields=POWERSHELL,
    ),
    Shape(
        name="File",
        about="A file that is put into the guest.",
        since="2019-05-01-preview",
        documented=MAY_2019,
        fields=FILE,
    ),
    Shape(
        name="WindowsRestart",
        about="A restart of a Windows guest.",
        since="2019-02-01-preview",
        documented=MAY_2019,
        fields=(
            TYPE,
            NAME,
            Field(
                name="restartCommand",
                about='The command that restarts; by default shutdown /r /f /t 0 /c "packer restart".',
                documented=MAY_2019,
            ),
            Field(
                name="restartCheckCommand",
                about="A command that succeeds once the guest is back; none by default.",
                documented=MAY_2019,
            ),
            Field(
                name="restartTimeout",
                about="The longest wait, a number with a unit such as 2h; 5m by default.",
                format=Format.DURATION,
                documented=MAY_2019,
            ),
        ),
    ),
    Shape(
        name="WindowsUpdate",
        about="Updates from Windows Update, with the restarts that they need.",
        since="2019-05-01-preview",
        documented=JUNE_2020,
        fields=(
            TYPE,
            NAME,
            Field(
                name="searchCriteria",
                about="Which updates are looked for, in the Windows Update Agent's words; all by default.",
                documented=JUNE_2020,
            ),
            Field(
                name="filters",
                about="Which of those are taken, one filter a line; all by default.",
                kind=Kind.TEXTS,
                documented=JUNE_2020,
            ),
            Field(
                name="updateLimit",
                about="The largest number of updates at a time; 0, the default, means 1000.",
                kind=Kind.INTEGER,
                minimum=0,
                maximum=INT32_MAX,
                documented=JUNE_2020,
            ),
        ),
    ),
)

VALIDATORS = (
    Shape(
        name="ShellValidator",
        type_name="Shell",
        about="A shell script that tests a Linux image.",
        since="2022-02-14",
        fields=SHELL,
    ),
    Shape(
        name="PowerShellValidator",
        type_name="PowerShell",
        about="A PowerShell script that tests an image.",
        since="2022-02-14",
        fields=POWERSHELL,
    ),
    Shape(
        name="FileValidator",
        type_name="File",
        about="A file that a test needs.",
        since="2022-07-01",
        fields=FILE,
    ),
)
