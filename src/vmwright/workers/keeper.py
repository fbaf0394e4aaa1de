"""The keeper: a program beside a process that runs builds, which ends its machines when it no longer can.

    python -m vmwright.workers.keeper

It reads from its standard input, a pipe of its owner's, one line for each thing:

    owner TOKEN                                     what the owner's programs carry (``marks.py``)
    claim process TOKEN | release process TOKEN     programs that carry a mark of the ledger
    claim cgroup NAME | release cgroup NAME         a container
    beat UNTIL                                      I shall be heard of again by then (``clock.py``)
    end                                             what is still claimed goes; nothing else is to be done

When the pipe closes, its owner has died: everything that it had started is killed. When no beat comes, its
owner is stopped and others may take its builds over: the same, again and again until the next beat.
The owner's side of it is in ``keeping.py``. Both may be killed with their group: each is in one of its own.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

from vmwright.machines.cgroup_trees import kill_all
from vmwright.marks import kill_marked, kill_owned
from vmwright.workers.clock import seconds

CHUNK = 1 << 16
# As long as the owner is silent, its programs are looked for again: it may have lived for a moment.
AGAIN_SECONDS = 1.0
# The clock is looked at as often as this: while the host sleeps, a wait stands still, but no lease does.
LOOK_SECONDS = 1.0
END = "end"
# A program that is being started lets go of its owner's pipe a moment before its marks can be read.
STARTING_SECONDS = 0.5


class Charge:
    """What is to be killed, and when at the latest the owner must be heard of."""

    def __init__(self) -> None:
        self.owners: set[str] = set()
        self.claims: dict[str, set[str]] = {"process": set(), "cgroup": set()}
        self.deadline: float | None = None
        self._said: set[str] = set()

    def hear(self, line: str) -> None:
        """Take note of one line."""
        match line.split():
            case ["owner", token]:
                self.owners.add(token)
            case ["claim", kind, name] if kind in self.claims:
                self.claims[kind].add(name)
            case ["release", kind, name] if kind in self.claims:
                self.claims[kind].discard(name)
            case ["beat", until]:
                self.deadline = float(until)
            case _:
                say(f"not understood: {line}")

    @property
    def is_overdue(self) -> bool:
        """Whether the owner has been silent for too long."""
        return self.deadline is not None and seconds() >= self.deadline

    def patience(self) -> float | None:
        """Return for how many seconds to listen before the clock is looked at; None: for ever."""
        return None if self.deadline is None else min(max(0.0, self.deadline - seconds()), LOOK_SECONDS)

    def kill(self, why: str) -> int:
        """Kill all that the owner has started, or what it has claimed where it can still see to the rest."""
        killed = kill_marked(*self.claims["process"]) + kill_owned(*self.owners)
        killed += sum(kill_all(name) for name in self.claims["cgroup"])
        if killed or why not in self._said:
            say(f"{why}: {killed} programs killed")
        self._said.add(why)
        return killed

    def kill_to_the_last(self, why: str) -> None:
        """Kill all that the owner has started, also what it was just starting."""
        self.kill(why)
        time.sleep(STARTING_SECONDS)
        while self.kill(why):
            time.sleep(STARTING_SECONDS)


def watch(pipe: int) -> None:
    """Listen to the owner until it is done, or dead."""
    charge, rest = Charge(), b""
    while True:
        if not select.select([pipe], [], [], charge.patience())[0]:
            if charge.is_overdue:
                charge.kill("the owner is silent")
                charge.deadline = seconds() + AGAIN_SECONDS
            continue
        heard = os.read(pipe, CHUNK)
        if not heard:
            charge.kill_to_the_last("the owner is gone")
            return
        *lines, rest = (rest + heard).split(b"\n")
        for line in lines:
            if line == END.encode():
                charge.owners.clear()
                charge.kill("the owner is done")
                return
            charge.hear(line.decode())


def say(what: str) -> None:
    """Write a line to the log that the owner has opened."""
    sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} keeper {os.getpid()}: {what}\n")
    sys.stderr.flush()


def main() -> None:
    """Run until the pipe closes; what ends a group of programs is not meant for this one."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watch(sys.stdin.fileno())


if __name__ == "__main__":
    main()
