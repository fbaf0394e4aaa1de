"""The step cache as a build uses it: what it takes at its beginning, what it leaves as it goes."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from vmwright.artifacts.sums import data_digest
from vmwright.builds import baseline, ground
from vmwright.builds.made_before import CachedImage
from vmwright.caching.keys import Keys
from vmwright.caching.layers import CachedLayers, Origin
from vmwright.caching.secret import secret_of
from vmwright.errors import VmwrightError
from vmwright.events import StepCached

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from vmwright.builds.build import Build
    from vmwright.builds.inputs import ReadySteps
    from vmwright.builds.layers import Layers
    from vmwright.caching.keys import Ground
    from vmwright.caching.layers import CachedLayer
    from vmwright.runs.layer import Layer
    from vmwright.sources.base_disk import BaseDisk

GENERALIZE = "generalize"
# The layers that lead from one step to the next; more than one where a VM finished a container's disk.
Links = tuple["CachedLayer", ...]


class StepCache:
    """What the cache has for a build; ``take`` comes first, ``close`` last."""

    def __init__(self, build: Build) -> None:
        self._build = build
        self._cached = CachedLayers(build.database)
        self._keys: tuple[str, ...] = ()
        self._keeping: asyncio.Task[None] | None = None
        self._image: CachedImage | None = None
        self.is_on = build.request.uses_cache and build.settings.cache.max_size_gib > 0

    async def take(self, base: BaseDisk, steps: ReadySteps, layers: Layers) -> None:
        """Put on the disk what earlier builds have made of the same steps, as far as that goes.

        A later attempt at a build takes nothing: what somebody wants done again is done again.

        :raises VmwrightError: the cache or the database cannot be used.
        """
        if not self.is_on:
            return
        where = await ground.ground_of(self._build, base, disk_bytes=layers.size_bytes)
        self._keys = self._keys_of(Keys(secret_of(self._build.settings.home)), where, steps)
        if self._build.claim.previous_attempt is not None or layers.newest is not None:
            return
        found = list(self._found())
        taken = found if await self._has_all(found) else await self._whole(found)
        if not taken:
            return
        if (before := taken[0][0].baseline) is not None:
            await baseline.keep(self._build, before.encode())
        done = []
        for links in taken:
            if not await self._adopt(links, layers):
                break
            done.append(links[-1])
        self._cached.used(one.id for links in taken for one in links)
        self._tell(done, steps)
        if layers.is_generalized:
            reason = "no step had to be run: this is what its layers were made by"
            self._build.records.set(
                machine=where.machine, accelerator=where.accelerator, machine_reason=reason
            )

    def keep(self, layer: Layer, below: Layer | None, *, network_used: bool) -> None:
        """Leave a layer to later builds, once it is hashed; one that was taken from there is there.

        :param below: what it stands on.
        :param network_used: whether its step may have fetched something.
        """
        if not self._keys or self._cached.has(layer.path):
            return
        is_step = layer.step > (below.step if below else 0)
        key = self._keys[layer.step - 1] if is_step else None
        self._keeping = asyncio.create_task(
            self._keep(layer, below, key, after=self._keeping, network_used=network_used)
        )

    def image(self, disk: Path) -> CachedImage | None:
        """Return what the cache has of the finished disk; None where the build does without the cache."""
        if self._keys and (self._image is None or self._image.disk != disk):
            self._image = CachedImage(self._build, disk, recorded=self.close)
        return self._image

    async def close(self) -> None:
        """Wait until what was left to later builds is recorded."""
        if self._keeping is not None:
            await self._keeping

    def _keys_of(self, keys: Keys, where: Ground, steps: ReadySteps) -> tuple[str, ...]:
        """Return the key of the disk after each step, and behind all."""
        sums = {row.number: row.sha256 for row in self._build.records.inputs()}
        if not all(ready.number in sums for ready in steps.customize):
            return ()  # steps that are done, whose scripts are not kept
        found, key = [], keys.first(where)
        for ready in steps.customize:
            key = keys.after(key, ground.step_key(ready, sums[ready.number]))
            found.append(key)
        return (*found, keys.after(key, ground.end_key(where.user)))

    def _found(self) -> Iterator[Links]:
        """Yield the layers of each step that the cache has, from the first on."""
        refresh, on = self._build.request.refresh_from, None
        most = timedelta(hours=self._build.settings.cache.max_age_hours)
        now = self._cached.now()
        for number, key in enumerate(self._keys, start=1):
            if refresh is not None and number >= refresh:
                return
            links = self._cached.find(key, on)
            if not links:
                return
            if any(one.is_too_old(now, most) for one in links):
                self._build.events.note(
                    f"The cache has {self._title(number)}, but it used the network longer ago than [cache] "
                    "max_age_hours: it is run again"
                )
                return
            yield links
            on = links[-1].id

    async def _has_all(self, found: list[Links]) -> bool:
        """Whether all that the build is to leave is there: its layers are not read then, only looked at."""
        if len(found) < len(self._keys) or self._build.template.validate:
            return False
        if not all(one.seems_whole() for links in found for one in links):
            return False
        image = self.image(found[-1][-1].path)
        return image is not None and await image.has_all()

    async def _whole(self, found: list[Links]) -> list[Links]:
        """Return the layers up to the first one whose file is not what it was; that one is given up."""
        now = self._cached.now()
        sound = await asyncio.gather(*(self._is_whole(one, now) for links in found for one in links))
        states = iter(sound)
        for place, links in enumerate(found):
            for one in links:
                if not next(states):
                    self._build.events.warn(
                        f"The cache has {self._title(one.step)} in a file that is damaged, or gone "
                        f"({one.path}): it is made anew"
                    )
                    self._cached.drop(one.id)
                    return found[:place]
        return found

    async def _is_whole(self, layer: CachedLayer, now: datetime) -> bool:
        if layer.is_known_whole(now):
            return True
        try:
            ctime_ns = layer.path.stat().st_ctime_ns
            if await data_digest(layer.path) != layer.data_digest:
                return False
        except OSError:
            return False
        self._cached.checked(layer.id, ctime_ns=ctime_ns)
        return True

    async def _adopt(self, links: Links, layers: Layers) -> bool:
        """Put the layers of one step on the disk; False where they were given up meanwhile."""
        for one in links:
            try:
                await layers.adopt(
                    one.path,
                    step=one.step,
                    deprovisioning=one.deprovisioning,
                    provisioning=one.provisioning,
                )
            except FileNotFoundError:
                return False
        return True

    def _tell(self, done: list[CachedLayer], steps: ReadySteps) -> None:
        """Say and record which steps are not run."""
        build, total = self._build, self._build.request.step_count
        for one in done:
            ready = steps.customize[one.step - 1] if one.step <= len(steps.customize) else None
            name, kind = (ready.step.name, ready.step.kind) if ready else (GENERALIZE, "")
            build.events.say(
                StepCached(
                    number=one.step, total=total, name=name, kind=kind, build=one.made_by, made_at=one.made_at
                )
            )
            if ready:
                build.records.step_cached(one.step, name=name, kind=kind)
        build.records.set(
            from_cache=[
                {"step": self._title(one.step), "build": one.made_by, "madeAt": one.made_at.isoformat()}
                for one in done
            ]
        )

    async def _keep(
        self,
        layer: Layer,
        below: Layer | None,
        key: str | None,
        *,
        after: asyncio.Task[None] | None,
        network_used: bool,
    ) -> None:
        try:
            ctime_ns = layer.path.stat().st_ctime_ns
            digest = await data_digest(layer.path)
            if after is not None:
                await after
            before = await baseline.read(self._build)
            origin = Origin(
                key=key,
                template=self._build.request.name,
                name=self._title(layer.step),
                build_id=self._build.id,
                baseline=before.decode() if before else None,
                network_used=network_used,
            )
            on = below.path if below else None
            self._cached.keep(layer, digest, origin, ctime_ns=ctime_ns, on=on)
        except (VmwrightError, OSError) as error:
            self._build.events.warn(f"{self._title(layer.step)} is not kept in the cache: {error}")

    def _title(self, number: int) -> str:
        customizers = self._build.template.customize
        if number > len(customizers):
            return GENERALIZE
        if number == 0:
            return "the disk before its first step"
        step = customizers[number - 1]
        return f"step {number} '{step.name}' ({step.kind})"
