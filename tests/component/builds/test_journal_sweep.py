"""What the journal keeps: as long as somebody can go on from it."""

from __future__ import annotations

from sqlalchemy import delete

from tests.building import runner
from tests.component.builds.conftest import Bench, shell
from tests.component.builds.test_resuming import Scripts
from tests.scripted import ScriptedMachine
from vmwright.builds.journal_keys import journal_key
from vmwright.events import Outcome
from vmwright.state.tables import LayerRow


async def journal_of(bench: Bench) -> tuple[str, ...]:
    async with runner(bench.settings, bench.database) as opened:
        await opened.sweep_journal()
        return await (await opened.engine()).keys()


async def test_the_journal_of_a_build_goes_with_it(bench: Bench, machine: ScriptedMachine) -> None:
    Scripts(machine, 2)
    failed = await bench.build(shell(1, "one"), shell(2, "two"))
    assert failed.outcome is Outcome.FAILED
    assert await journal_of(bench) == (journal_key(failed.id, 1),)
    with bench.database.session() as session:
        session.execute(delete(LayerRow))
    assert await journal_of(bench) == ()


async def test_a_build_that_has_succeeded_leaves_none(bench: Bench, machine: ScriptedMachine) -> None:
    await bench.build(shell(1))
    assert await journal_of(bench) == ()
