"""What can go wrong, as data.

    VmwrightError
    ├── TemplateError        the template cannot be built as written             exit 2
    ├── UnsupportedError     this host or this version cannot do it              exit 3
    ├── BuildCanceledError   the user, or a signal, ended the build              exit 130
    ├── HandedOverError      this process has left the build to another one      exit 1
    ├── LostBuildError       another process has taken the build over            exit 1
    └── BuildError           everything that fails once a build has begun        exit 1
        ├── SourceError      the source cannot be resolved, fetched or read
        ├── DownloadError    a script, file or disk could not be had
        ├── ProcessError     a program on this host failed
        ├── MachineError     the machine did not start, answer or stop
        │   ├── MachineLostError  a program of this host that it needs was killed
        │   └── SnapshotError     no memory snapshot of it can be made, or used
        ├── StepError        a customizer failed
        ├── DistributeError  one or more distributors failed
        ├── StoreError       the store that hosts share cannot be used
        └── BuildTimeoutError  buildTimeoutInMinutes is over

Every error carries a stable ``code`` (CamelCase, as ARM writes them), a ``message`` for people, a
``target`` (JSON path, path or resource id) and a ``hint`` (what to do). The command line prints
``error:`` and ``hint:``; the service will put the same fields into ARM's envelope.
"""

from __future__ import annotations

from typing import ClassVar


class VmwrightError(Exception):
    """Base of all errors that a user may see."""

    code: ClassVar[str] = "InternalOperationError"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, target: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.target = target
        self.hint = hint


class TemplateError(VmwrightError):
    """The template cannot be built as it is written."""

    code = "ValidationFailed"
    exit_code = 2


class UnsupportedError(VmwrightError):
    """This host, or this version of vmwright, cannot do what is asked; said before anything starts."""

    code = "NotSupported"
    exit_code = 3


class BuildCanceledError(VmwrightError):
    """The build was cancelled by a signal or by its owner."""

    code = "Canceled"
    exit_code = 130


class HandedOverError(VmwrightError):
    """This process ends, and has left the build to another executor."""

    code = "BuildHandedOver"


class LostBuildError(VmwrightError):
    """Another executor has this build now: whoever had it before may not touch it any more."""

    code = "BuildLost"


class BuildError(VmwrightError):
    """A build that had begun has failed."""

    code = "BuildFailed"


class SourceError(BuildError):
    """The source of a template cannot be resolved, fetched or read."""

    code = "BadSource"


class DownloadError(BuildError):
    """A script, file or disk could not be downloaded, or is not what its checksum says."""

    code = "DownloadFailed"


class ProcessError(BuildError):
    """A program of this host failed, was missing, or did not end in time."""

    code = "HostProcessFailed"


class MachineError(BuildError):
    """The machine did not start, did not answer, or did not stop."""

    code = "MachineFailed"


class MachineLostError(MachineError):
    """A program of this host that the machine needs was killed: what ran in it may be run again."""

    code = "MachineLost"


class SnapshotError(MachineError):
    """A virtual machine's memory could not be saved, or nothing can go on from what was saved: boot it."""

    code = "SnapshotFailed"


class StepError(BuildError):
    """A customizer failed."""

    code = "PackerBuildFailed"


class DistributeError(BuildError):
    """One or more distributors failed."""

    code = "DistributeFailed"


class StoreError(BuildError):
    """The store that hosts share cannot be used, or what it has is damaged."""

    code = "StoreFailed"


class BuildTimeoutError(BuildError):
    """The time that buildTimeoutInMinutes allows is over."""

    code = "BuildTimeout"
