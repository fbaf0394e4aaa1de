"""Every rule that a template is held against: code, usual severity, what it says, where it comes from.

A table: the code of a rule never changes, docs/templates.md lists each one, and a test keeps them together.
"""

from __future__ import annotations

from enum import Enum

from vmwright.template.problems import Place, Problem, Severity

E, W, N = Severity.ERROR, Severity.WARNING, Severity.NOTE
JSON = "RFC 8259, The JavaScript Object Notation"
MAY_2019 = "Azure's template reference, May 2019"
JUNE_2020 = "Azure's template reference, June 2020"
FEB_2021 = "Azure's template reference, February 2021"
CONTRACT = "Azure's REST contract of the api-version"
TROUBLESHOOTING = "Azure VM Image Builder's troubleshooting guide"
VMWRIGHT = "vmwright"
ARM = "Azure Resource Manager's template structure and syntax"
ARM_EXPRESSIONS = "Azure Resource Manager's expression syntax"
ARM_FUNCTIONS = "Azure Resource Manager's template functions"


class Rule(Enum):
    """One rule; ``severity`` is the usual one."""

    FILE_UNREADABLE = ("file/unreadable", E, "the file cannot be read", VMWRIGHT)
    JSON_TOO_LARGE = (
        "json/too-large",
        E,
        "a template has more than 4 MiB or 50000 values",
        "Azure Resource Manager's limits",
    )
    JSON_NOT_UTF8 = ("json/not-utf-8", E, "the file is not UTF-8", JSON)
    JSON_BOM = ("json/byte-order-mark", W, "the file begins with a byte order mark", JSON)
    JSON_EMPTY = ("json/empty", E, "the file is empty", JSON)
    JSON_INVALID = ("json/invalid", E, "the file is not JSON", JSON)
    JSON_TOO_DEEP = ("json/too-deep", E, "values are nested more than 64 deep", VMWRIGHT)
    JSON_NOT_OBJECT = ("json/not-an-object", E, "the file holds something else than one object", CONTRACT)
    JSON_DUPLICATE_KEY = ("json/duplicate-key", W, "an object has a key twice; the last one counts", JSON)
    JSON_NOT_STRICT = ("json/not-strict", N, "comments or trailing commas, which strict JSON has not", JSON)
    JSON_CHARACTER = ("json/character", E, "a text holds NUL or half of a surrogate pair", VMWRIGHT)

    VERSION_UNKNOWN = ("api-version/unknown", E, "there is no such api-version", CONTRACT)
    VERSION_ASSUMED = ("api-version/assumed", N, "the template names no api-version", VMWRIGHT)
    VERSION_UNUSED = ("api-version/option-unused", N, "the option loses against the template", VMWRIGHT)
    VERSION_IN_BODY = (
        "api-version/in-body",
        N,
        "`apiVersion` in the body is refused by Azure since 2024-02-01",
        TROUBLESHOOTING,
    )

    RESOURCE_TYPE_SHORT = ("resource/type-incomplete", W, "`type` lacks `/imageTemplates`", MAY_2019)
    RESOURCE_TYPE_OTHER = ("resource/type-other", E, "`type` is of another resource", MAY_2019)
    RESOURCE_DEPENDS_ON = ("resource/depends-on", N, "`dependsOn` has no effect on a local build", VMWRIGHT)

    FIELD_UNKNOWN = ("field/unknown", W, "no such field (an error since 2024-02-01)", CONTRACT)
    FIELD_SPELLING = (
        "field/spelling",
        W,
        "another spelling of a field (an error since 2024-02-01)",
        CONTRACT,
    )
    FIELD_TWICE = ("field/twice", W, "one field in two spellings; the last one counts", CONTRACT)
    FIELD_MISSING = ("field/missing", E, "a required field is missing", CONTRACT)
    FIELD_VERSION = (
        "field/not-in-version",
        W,
        "the field is not in this api-version (an error since 2024-02-01)",
        CONTRACT,
    )
    FIELD_READ_ONLY = ("field/read-only", N, "the service fills this field in; it is not read", CONTRACT)

    VALUE_TYPE = ("value/type", E, "a value of the wrong kind", CONTRACT)
    VALUE_LOOSE = ("value/loose-type", W, "a text where the contract has a list, number or boolean", CONTRACT)
    VALUE_EMPTY = ("value/empty", E, "a required value is empty", CONTRACT)
    VALUE_RANGE = ("value/range", E, "a number out of its range", CONTRACT)
    VALUE_CHOICE = ("value/choice", E, "not one of the allowed values", CONTRACT)
    VALUE_CASING = ("value/casing", W, "an allowed value in another casing", CONTRACT)
    TYPE_UNKNOWN = (
        "type/unknown",
        E,
        "no such kind of source, customizer, validator or distributor",
        CONTRACT,
    )
    TYPE_SPELLING = (
        "type/spelling",
        W,
        "a kind in another spelling, such as `sharedImage` (an error since 2024-02-01)",
        CONTRACT,
    )
    TYPE_VERSION = ("type/not-in-version", W, "a kind that this api-version has not", CONTRACT)

    ID_MALFORMED = ("arm-id/malformed", E, "not the resource id that belongs here", TROUBLESHOOTING)
    NAME_PATTERN = ("name/pattern", E, "a name is not 1 to 64 letters, digits, `-`, `_` or `.`", CONTRACT)
    NAME_DOT = ("name/dot", W, "a dot in a name before 2019-05-01-preview", CONTRACT)
    URI_MALFORMED = ("uri/malformed", E, "not a URI", MAY_2019)
    URI_SCHEME = ("uri/scheme", E, "a URI that is neither https, http nor file", MAY_2019)
    URI_HTTP = ("uri/http", W, "plain http: anybody on the way can change it", VMWRIGHT)
    URI_FILE = ("uri/file", N, "a file of this machine: the command line reads it, Azure does not", VMWRIGHT)
    URI_WEB_PAGE = ("uri/web-page", W, "a web page about the file, not the file", VMWRIGHT)
    CHECKSUM_MALFORMED = ("checksum/malformed", E, "not a SHA-256 of 64 hexadecimal digits", JUNE_2020)
    CHECKSUM_UPPER = ("checksum/upper-case", W, "a SHA-256 in upper case, read as lower case", JUNE_2020)
    REGION_UNKNOWN = ("location/unknown-region", W, "not a region of the api-version's editions", FEB_2021)

    IDENTITY_MISSING = (
        "identity/missing",
        W,
        "no identity, which Azure requires (an error since 2021-10-01)",
        FEB_2021,
    )
    IDENTITY_SEVERAL = ("identity/several", E, "more than one identity", MAY_2019)
    TIMEOUT_TOO_SHORT = ("timeout/too-short", E, "`buildTimeoutInMinutes` from 1 to 5", TROUBLESHOOTING)
    TIMEOUT_WINDOWS = ("timeout/short-for-windows", W, "less than 60 minutes for a Windows guest", JUNE_2020)

    SOURCE_LATEST = ("source/latest", W, "version `latest`, which the first edition did not have", MAY_2019)
    SOURCE_LATEST_IMAGE = ("source/latest-image", W, "`versions/latest` before 2022-07-01", CONTRACT)
    SOURCE_DIRECT = (
        "source/direct-shared-gallery",
        W,
        "a gallery that is shared directly, before 2022-07-01",
        CONTRACT,
    )
    ISO_DEPRECATED = ("iso/deprecated", W, "an ISO source: Azure takes none since 31 March 2020", JUNE_2020)
    ISO_REMOVED = ("iso/removed", E, "an ISO source in an api-version that has none", JUNE_2020)

    SCRIPT_OR_INLINE = ("script/exactly-one", E, "not exactly one of `scriptUri` and `inline`", CONTRACT)
    CHECKSUM_INLINE = ("script/checksum-of-inline", W, "a checksum, but nothing is downloaded", VMWRIGHT)
    SYSTEM_ELEVATED = ("powershell/system-needs-elevated", E, "`runAsSystem` without `runElevated`", CONTRACT)
    EXIT_CODES = ("powershell/no-success-code", W, "`validExitCodes` without 0", VMWRIGHT)
    CUSTOMIZE_NAME = (
        "customize/duplicate-name",
        W,
        "two customizers with one name (a note since 2021-10-01)",
        MAY_2019,
    )
    CUSTOMIZE_MIXED = ("customize/mixed-guests", E, "customizers of Linux and of Windows together", FEB_2021)
    CUSTOMIZE_POWERSHELL = ("customize/powershell-with-shell", W, "PowerShell and Shell together", FEB_2021)
    CUSTOMIZE_FOREIGN = ("customize/shell-on-windows", E, "Shell, but the source is Windows", CONTRACT)
    RESTART_TIMEOUT = ("restart/timeout", E, "`restartTimeout` is not a number with a unit", MAY_2019)
    FILE_RELATIVE = ("file/relative-destination", E, "`destination` is not an absolute path", MAY_2019)
    FILE_DIRECTORY = ("file/directory-destination", E, "`destination` is a directory", MAY_2019)
    FILE_OUTSIDE_TMP = ("file/outside-tmp", E, "`destination` on Linux is not below /tmp", MAY_2019)
    FILE_FOREIGN = ("file/windows-destination", W, "a Windows path in a template for Linux", MAY_2019)

    INLINE_WAITS = ("inline/waits-for-input", W, "an installation that asks for a yes", FEB_2021)
    INLINE_SECRET = ("inline/secret", W, "what looks like a secret in a line", FEB_2021)
    INLINE_REBOOT = ("inline/reboot", W, "a line that restarts the guest", FEB_2021)
    INLINE_DEPROVISION = ("inline/deprovision", W, "a line that deprovisions the guest", MAY_2019)
    INLINE_CR = ("inline/carriage-return", W, "a line with a carriage return", VMWRIGHT)

    DISTRIBUTE_EMPTY = ("distribute/empty", E, "no distributor", CONTRACT)
    DISTRIBUTE_RUN_OUTPUT = ("distribute/duplicate-run-output", E, "one `runOutputName` twice", MAY_2019)
    DISTRIBUTE_TARGET = ("distribute/same-target", W, "two distributors write one image", MAY_2019)
    DISTRIBUTE_REGION = ("distribute/duplicate-region", W, "one region twice, in any spelling", MAY_2019)
    DISTRIBUTE_REGIONS = (
        "distribute/both-kinds-of-regions",
        E,
        "`replicationRegions` and `targetRegions` together",
        CONTRACT,
    )
    DISTRIBUTE_STORAGE = (
        "distribute/storage-without-regions",
        E,
        "`storageAccountType` without `replicationRegions`",
        CONTRACT,
    )
    DISTRIBUTE_VERSIONING = (
        "distribute/versioning-and-version",
        W,
        "`versioning`, but `galleryImageId` gives the version",
        VMWRIGHT,
    )
    DISTRIBUTE_MAJOR = (
        "distribute/major-without-latest",
        W,
        "`major` without the scheme Latest (an error since 2024-02-01)",
        CONTRACT,
    )
    DISTRIBUTE_SOURCE = (
        "distribute/source-definition",
        N,
        "a version goes into the definition of its own source",
        "Azure VM Image Builder's guide to triggers",
    )
    DISTRIBUTE_VERSION = (
        "distribute/explicit-version",
        W,
        "a version of one's own before 2020-02-14",
        FEB_2021,
    )

    VALIDATE_SOURCE = (
        "validate/source-only",
        W,
        "customizers, although only the source is validated",
        CONTRACT,
    )
    DISK_SIZE = ("data-disk/size", W, "a data disk without a size, or above 32767 GB", VMWRIGHT)

    NETWORK_NAMES = (
        "vnet/incomplete",
        E,
        "not all of `name`, `subnetName` and `resourceGroupName`",
        JUNE_2020,
    )
    NETWORK_CONTAINER = (
        "vnet/container-subnet-alone",
        E,
        "`containerInstanceSubnetId` without `subnetId`",
        CONTRACT,
    )
    NETWORK_OTHER = (
        "vnet/container-subnet-elsewhere",
        E,
        "`containerInstanceSubnetId` in another network than `subnetId`",
        CONTRACT,
    )
    NETWORK_SAME = (
        "vnet/container-subnet-same",
        E,
        "`containerInstanceSubnetId` and `subnetId` are one subnet",
        CONTRACT,
    )
    NETWORK_PROXY = ("vnet/proxy-size-alone", E, "`proxyVmSize` without `subnetId`", CONTRACT)
    NETWORK_NO_PROXY = (
        "vnet/proxy-size-and-container",
        E,
        "`proxyVmSize` and `containerInstanceSubnetId` together",
        CONTRACT,
    )

    NO_EFFECT = ("local/no-effect", N, "what Azure does with a field has no meaning here", VMWRIGHT)

    ARM_DEPLOYMENT = ("arm/deployment", E, "a deployment template where one image template belongs", VMWRIGHT)
    ARM_STRUCTURE = ("arm/structure", E, "a part of a deployment template is of the wrong shape", ARM)
    ARM_NO_IMAGE = ("arm/no-image-template", E, "a deployment template without an image template", VMWRIGHT)
    ARM_SYNTAX = ("arm/syntax", E, "an expression that cannot be read", ARM_EXPRESSIONS)
    ARM_FUNCTION_UNKNOWN = ("arm/unknown-function", E, "no such function", ARM_FUNCTIONS)
    ARM_NAME_UNKNOWN = ("arm/unknown-name", E, "a parameter or variable that is not declared", ARM)
    ARM_EVALUATION = ("arm/evaluation", E, "an expression that cannot be evaluated", ARM_FUNCTIONS)
    ARM_CYCLE = ("arm/cycle", E, "values or resources that need each other", ARM)
    ARM_LIMIT = ("arm/limit", E, "an expression or a loop makes too much", "Azure Resource Manager's limits")
    ARM_DEPENDS_ON = ("arm/unknown-dependency", E, "`dependsOn` names what the template has not", ARM)
    ARM_RESOURCE_TWICE = ("arm/duplicate-resource", E, "one resource twice", ARM)
    ARM_NOT_MADE = ("arm/not-made", N, "a resource of a type that is not made here", VMWRIGHT)
    ARM_CONDITION = ("arm/condition-false", N, "an image template whose condition is false", VMWRIGHT)
    ARM_DEFAULT = (
        "arm/default",
        N,
        "a subscription, resource group or location has its local default",
        VMWRIGHT,
    )
    ARM_PLAIN = (
        "arm/expression-outside-deployment",
        W,
        "an ARM expression in a plain image template, where it is a text",
        VMWRIGHT,
    )
    PARAMETER_OPEN = ("parameter/no-value", N, "a parameter has no value (an error in `build`)", ARM)
    PARAMETER_VALUE = ("parameter/value", E, "a value that its parameter does not take", ARM)
    PARAMETER_UNKNOWN = ("parameter/unknown-name", E, "a value for a parameter that is not declared", ARM)
    PARAMETER_FILE = ("parameter/file", E, "a parameter file that cannot be read", ARM)

    PLACEHOLDER_DEFAULT = ("placeholder/default", N, "a placeholder was given its local default", VMWRIGHT)
    PLACEHOLDER_OPEN = (
        "placeholder/no-value",
        N,
        "a placeholder has no value (an error in `build`)",
        VMWRIGHT,
    )
    PLACEHOLDER_UNKNOWN = ("placeholder/unknown-name", E, "`--set` of a name that nothing uses", VMWRIGHT)

    ARM_RUNTIME = (
        "unsupported/arm-runtime-value",
        N,
        "an ARM expression whose value only Azure knows (an error in `build`)",
        VMWRIGHT,
    )
    ARM_FUNCTION_MISSING = (
        "unsupported/arm-function",
        N,
        "a function of ARM that this version does not evaluate (an error in `build`)",
        VMWRIGHT,
    )
    KEY_VAULT = (
        "unsupported/key-vault",
        N,
        "a parameter's value in a Key Vault (an error in `build`)",
        VMWRIGHT,
    )
    NOT_BUILT_WINDOWS = ("unsupported/windows", N, "a Windows guest (an error in `build`)", VMWRIGHT)
    NOT_BUILT_SOURCE = ("unsupported/source", N, "a kind of source (an error in `build`)", VMWRIGHT)
    NOT_BUILT_CUSTOMIZER = (
        "unsupported/customizer",
        N,
        "a kind of customizer or validator (an error in `build`)",
        VMWRIGHT,
    )
    NOT_BUILT_PROPERTY = ("unsupported/property", N, "a property (an error in `build`)", VMWRIGHT)

    def __init__(self, code: str, severity: Severity, says: str, source: str) -> None:
        self.code = code
        self.severity = severity
        self.says = says
        self.source = source

    def at(
        self,
        place: Place | None,
        message: str,
        *,
        hint: str = "",
        azure_message: str = "",
        severity: Severity | None = None,
        source: str = "",
    ) -> Problem:
        """Return the problem that this rule finds at ``place`` (None: not a place in the file)."""
        return Problem(
            code=self.code,
            severity=severity or self.severity,
            message=message,
            path=place.path if place else "",
            line=place.line if place else 0,
            column=place.column if place else 0,
            hint=hint,
            source=source or self.source,
            azure_message=azure_message,
        )
