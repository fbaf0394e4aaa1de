"""The sources that this host makes by itself: bootstrapped once, kept, renewed when the user asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.errors import SourceError
from vmwright.sources.catalogue import BUILT_IN, BUILT_IN_SOURCES
from vmwright.sources.urn import Urn

if TYPE_CHECKING:
    from vmwright.sources.catalogue import CatalogueEntry
    from vmwright.sources.context import SourceContext

SOURCES = BUILT_IN_SOURCES
# Where machines/probe.py looks for a kernel to prove KVM with.
KERNELS = "kernels"


def is_built_in(urn: Urn) -> bool:
    """Return whether this host makes that image: its newest version, or one that is not named."""
    return any(urn.is_same_family(known) for known in SOURCES) and (urn.is_latest or not urn.version)


async def pull(urn: Urn, context: SourceContext) -> CatalogueEntry:
    """Make a built-in source anew; it takes the place of the one that the catalogue has.

    :raises SourceError: it is not built in.
    :raises ProcessError: the bootstrap failed.
    """
    if not is_built_in(urn):
        raise SourceError(
            f"{urn} is not made by this host, so there is nothing to pull",
            target=str(urn),
            hint=f"pull renews {', '.join(map(str, SOURCES))} and fetches what vmwright sources list names; "
            "for others: vmwright sources add",
        )
    known = next(known for known in SOURCES if urn.is_same_family(known))
    with context.staging() as folder:
        made = await context.bootstrap(
            folder, settings=context.settings.debian, events=context.events, ledger=context.ledger
        )
        artifact = await context.artifacts.adopt(made.path, "qcow2")
        kernels = context.settings.home / KERNELS
        kernels.mkdir(exist_ok=True)
        made.kernel.replace(kernels / made.kernel.name)
        named = Urn(known.publisher, known.offer, known.sku, made.version)
        return context.catalogue.insert(
            named, digest=artifact.digest, facts=made.facts.image, origin=BUILT_IN
        )
