"""Where a build is: what a time-out or a cancel interrupted."""

from __future__ import annotations

from vmwright.events import Event, Outcome, Phase, PhaseStarted, StepEnded, StepStarted


class Whereabouts:
    """A reader of the event stream that remembers the running phase and step."""

    def __init__(self) -> None:
        self._phase = "start"
        self._step: StepStarted | None = None

    def __call__(self, event: Event) -> None:
        """Follow the build."""
        match event:
            # the clean-up is not what was interrupted: it follows that
            case PhaseStarted() if event.phase is not Phase.FINISH:
                self._phase, self._step = event.phase, None
            case StepStarted():
                self._step = event
            case StepEnded(outcome=Outcome.SUCCEEDED):
                self._step = None

    @property
    def text(self) -> str:
        """The phase, or the step within it, for a sentence: ``step 2 of 5 'x' (Shell)``."""
        if self._step is None:
            return f"the phase '{self._phase}'"
        step = self._step
        return f"step {step.number} of {step.total} '{step.name}' ({step.kind})"
