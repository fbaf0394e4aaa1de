"""Metrics for Prometheus: of requests as they are answered, of builds as the database has them.

No label has an id, a name or anything else that clients choose.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from vmwright.arm.observing.asked import Asked
from vmwright.errors import VmwrightError
from vmwright.runs.figures import BOUNDS, figures

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.metrics_core import Metric

    from vmwright.arm.live.watches import Watches
    from vmwright.arm.service import Service
    from vmwright.runs.figures import BuildFigures, Distribution, Labels

Told = TypeVar("Told")
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
ANSWER_SECONDS = 5.0
REQUEST_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class RequestMetrics:
    """Requests, counted and timed."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._open = Gauge("vmwright_http_requests_open", "Requests under way.", registry=registry)
        self._count = Counter(
            "vmwright_http_requests",
            "Requests by method, pattern of their path, and status; 0: the client went before the answer.",
            ("method", "route", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "vmwright_http_request_seconds",
            "Time until requests were answered; of a stream, until its end.",
            ("method", "route"),
            buckets=REQUEST_BOUNDS,
            registry=registry,
        )

    def begun(self) -> None:
        """Count a request that begins."""
        self._open.inc()

    def ended(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that has ended."""
        self._open.dec()
        self._count.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)


class Metrics:
    """All metrics of a service, in a registry of its own."""

    def __init__(self, service: Service, watches: Watches) -> None:
        self._service = service
        self._registry = CollectorRegistry()
        self._home = service.settings.home
        self._read = Asked(self._figures, seconds=ANSWER_SECONDS)
        self._disk = Asked(lambda: shutil.disk_usage(self._home), seconds=ANSWER_SECONDS)
        ProcessCollector(registry=self._registry)
        followers = Gauge("vmwright_followers", "Streams of logs and events.", registry=self._registry)
        followers.set_function(lambda: watches.followers)
        self.requests = RequestMetrics(self._registry)

    async def text(self) -> bytes:
        """Return the metrics as Prometheus reads them."""
        found = await _told(self._read)
        disk = await _told(self._disk)
        now = CollectorRegistry()
        now.register(_Recorded(found, disk))
        return generate_latest(self._registry) + generate_latest(now)

    def _figures(self) -> _Figures:
        service = self._service
        return _Figures(figures(service.database), service.operations.count_open())


class _Disk(Protocol):
    """A disk, in bytes."""

    @property
    def free(self) -> int: ...

    @property
    def total(self) -> int: ...


@dataclass(frozen=True, slots=True)
class _Figures:
    builds: BuildFigures
    operations: Mapping[str, int]


async def _told(asked: Asked[Told]) -> Told | None:
    """Return an answer; None where there is none, which a metric or its absence says."""
    try:
        return await asked.answer()
    except (VmwrightError, OSError):
        return None


class _Recorded(Collector):
    """What was read for one answer; None: it could not be."""

    def __init__(self, found: _Figures | None, disk: _Disk | None) -> None:
        self._found = found
        self._disk = disk

    def collect(self) -> Iterator[Metric]:
        yield _gauge("vmwright_database_up", "Whether the database answers.", float(self._found is not None))
        if self._disk is not None:
            yield _gauge("vmwright_home_free_bytes", "Free space on the disk of the home.", self._disk.free)
            yield _gauge("vmwright_home_size_bytes", "Size of that disk.", self._disk.total)
        if self._found is not None:
            told = "Operations under way, without those of runs."
            yield _gauges("vmwright_operations_open", told, ("kind",), self._found.operations)
            yield from _of_builds(self._found.builds)


def _of_builds(found: BuildFigures) -> Iterator[Metric]:
    yield _gauges("vmwright_builds", "Builds that are recorded.", ("state", "sub_state"), found.builds)
    yield _gauge("vmwright_builds_waiting", "Builds in the queue.", found.waiting)
    yield _gauge(
        "vmwright_builds_oldest_waiting_seconds", "Age of the oldest of those.", found.oldest_waiting
    )
    yield _gauges("vmwright_executors", "Processes that run builds.", ("kind", "state"), found.executors)
    yield _histogram(
        "vmwright_build_seconds", "From when a build was taken to its end.", ("state",), found.took
    )
    yield _histogram(
        "vmwright_build_waited_seconds", "From when a build was asked for to then.", (), found.waited
    )
    yield _histogram("vmwright_step_seconds", "Time that steps took.", ("kind", "state"), found.steps)


def _gauge(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(name, told, value=value)


def _gauges(name: str, told: str, labels: Labels, values: Mapping[str, int] | Mapping[Labels, int]) -> Metric:
    family = GaugeMetricFamily(name, told, labels=labels)
    for label, value in values.items():
        family.add_metric((label,) if isinstance(label, str) else label, value)
    return family


def _histogram(name: str, told: str, labels: Labels, found: Mapping[Labels, Distribution]) -> Metric:
    family = HistogramMetricFamily(name, told, labels=labels)
    for label, one in found.items():
        buckets = [(str(float(bound)), count) for bound, count in zip(BOUNDS, one.within, strict=True)]
        family.add_metric(label, buckets=[*buckets, ("+Inf", one.count)], sum_value=one.seconds)
    return family
