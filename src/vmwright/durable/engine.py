"""The engine: dbos in this process, its journal in a file of its own or in the PostgreSQL of the records.

It follows what was measured of dbos: an executor id of its own for each process (by the default one a
second process would run the first one's workflows again), JSON and not pickle in the database, WAL for
SQLite, a version that is raised by hand. A later attempt is a fork of the earlier one, whose workflow is
cancelled: what a process that was taken for dead still does is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from dbos import error as refusals
from sqlalchemy import create_engine, event
from sqlalchemy.exc import DBAPIError

from vmwright.durable.journal import Body, FailedError, Journal, settled
from vmwright.errors import LostBuildError, VmwrightError
from vmwright.state.engines import connection_to, log_ahead

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
    from sqlite3 import Connection as SqliteConnection

    from dbos import StepInfo, WorkflowStatus
    from sqlalchemy import URL

NAME = "vmwright"
WORKFLOW = "build"
# Raised by hand whenever steps are added, removed, renamed or put into another order.
VERSION = "pipeline-1"
POLL_SECONDS = 0.2
CLOSE_SECONDS = 0.1
BUSY_SECONDS = 30
CONNECTIONS = 5


class Engine:
    """The one engine of this process, from ``launch`` to ``close`` or to the process's end."""

    def __init__(self, executor: str) -> None:
        self._queue = executor
        self._bodies: dict[str, _Running] = {}
        self._workflow: Callable[[str], Coroutine[Any, Any, None]] = DBOS.workflow(name=WORKFLOW)(
            self._entry()
        )

    @classmethod
    async def launch(cls, url: URL, *, executor: str) -> Self:
        """Start the engine on a database, which is made or brought to the library's schema.

        :param executor: this process's id: new for each start of it.
        :raises VmwrightError: the database cannot be used.
        """
        DBOS(config=_config(url, executor))
        engine = cls(executor)
        DBOS.listen_queues([executor])
        try:
            with _in_our_words():
                # here and not in a thread: workflows run in the event loop that launches
                DBOS.launch()
        except VmwrightError:
            # what has started of it would keep the process from trying again
            await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
            raise
        return engine

    async def run(
        self, key: str, body: Body, *, after: Sequence[str] = (), again_from: str | None = None
    ) -> None:
        """Run a workflow here to the end of its body.

        :param key: names this attempt of it.
        :param after: the keys of earlier attempts, the latest first; they get no further. The results of the
            first of them that the journal knows are taken over.
        :param again_from: the step from which on they are not, though they are there.
        :raises LostBuildError: a later attempt has taken over from this one.
        """
        running = self._bodies[key] = _Running(body)
        try:
            earlier = await self._known(after)
            if earlier is not None:
                await self.cancel(earlier.workflow_id)
                await self._fork(earlier, key, again_from)
            else:
                with SetWorkflowID(key):
                    await DBOS.start_workflow_async(self._workflow, key)
            await running.over
        finally:
            del self._bodies[key]

    async def cancel(self, key: str) -> None:
        """Let an attempt, wherever it runs, begin no further step.

        :raises VmwrightError: the journal cannot be used, as with all methods from here on.
        """
        with _in_our_words():
            await DBOS.cancel_workflow_async(key)

    async def forget(self, keys: Collection[str]) -> None:
        """Remove attempts from the journal; those that are not in it are no error."""
        with _in_our_words():
            await DBOS.delete_workflows_async(list(keys))

    async def keys(self) -> tuple[str, ...]:
        """Return the keys of all attempts in the journal."""
        with _in_our_words():
            known = await DBOS.list_workflows_async(load_input=False, load_output=False)
        return tuple(one.workflow_id for one in known)

    async def executors(self) -> tuple[str, ...]:
        """Return the ids of the processes that have gone on with an attempt and not been forgotten."""
        with _in_our_words():
            return tuple(queue.name for queue in await DBOS.list_queues_async())

    async def forget_executor(self, executor: str) -> None:
        """Remove what the engine of a process has left that was killed."""
        with _in_our_words():
            await DBOS.delete_queue_async(executor)

    async def close(self) -> None:
        """Stop the engine; the process can launch another one."""
        with contextlib.suppress(VmwrightError):
            await self.forget_executor(self._queue)
        # its threads are those of the event loop, too
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)

    async def _known(self, keys: Sequence[str]) -> WorkflowStatus | None:
        for key in keys:
            if status := await DBOS.get_workflow_status_async(key):
                return status
        return None

    async def _fork(self, earlier: WorkflowStatus, key: str, again_from: str | None) -> None:
        await DBOS.register_queue_async(self._queue, polling_interval_sec=POLL_SECONDS)
        steps = await DBOS.list_workflow_steps_async(earlier.workflow_id)
        start = _first_to_run(steps, again_from) if earlier.app_version == VERSION else 1
        with SetWorkflowID(key):
            await DBOS.fork_workflow_async(
                earlier.workflow_id, start, queue_name=self._queue, application_version=VERSION
            )

    def _entry(self) -> Callable[[str], Coroutine[Any, Any, None]]:
        async def run_body(_first_key: str) -> None:
            """Run the body of this attempt; a fork is given the arguments of the first one."""
            running = self._bodies.get(key := DBOS.workflow_id or "")
            if running is None:
                raise LostBuildError(f"Nobody waits for {key} in this process")
            await running.run(Journal(key))

        return run_body


class _Running:
    """A workflow that runs in this process; ``over`` tells of its end."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, journal: Journal) -> None:
        """Run the body, and hand its end to whoever waits for it."""
        task = await settled(self._body(journal))
        if task.cancelled():
            self.over.cancel()
        elif error := task.exception():
            self.over.set_exception(error)
            raise FailedError.of(error)
        else:
            self.over.set_result(None)


def _first_to_run(steps: list[StepInfo], again_from: str | None) -> int:
    """Return the number of the first step without a result, or that is to be run again."""
    done = [step for step in steps if step["error"] is None]
    names = [step["function_name"] for step in done]
    if again_from in names:
        return done[names.index(again_from)]["function_id"]
    return max((step["function_id"] for step in done), default=0) + 1


@contextlib.contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, refusals.DBOSException) as error:
        raise VmwrightError(f"The journal of builds cannot be used: {type(error).__name__}") from error


def _config(url: URL, executor: str) -> DBOSConfig:
    config = DBOSConfig(
        name=NAME,
        executor_id=executor,
        application_version=VERSION,
        serializer=DBOSPortableJSONSerializer(),
        system_database_url=url.render_as_string(hide_password=False),
        # no workflow waits for messages: this is only how long it takes to close
        notification_listener_polling_interval_sec=CLOSE_SECONDS,
        # its errors are ours, which are told in our own words
        console_log_level="CRITICAL",
    )
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
        event.listen(engine, "connect", _configure_sqlite)
        config["system_database_engine"] = engine
    else:
        config["db_engine_kwargs"] = {"pool_size": CONNECTIONS, "connect_args": connection_to(url)}
    return config


def _configure_sqlite(connection: SqliteConnection, _record: object) -> None:
    """Set what the library sets for itself, and the log that lets it write several times as fast."""
    connection.isolation_level = "IMMEDIATE"
    log_ahead(connection)
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")
