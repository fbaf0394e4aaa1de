"""The rules over distributors: names, targets, versions, regions (reference §4, §5.3 and §11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.regions import api_name
from vmwright.template.catalogue import Rule
from vmwright.template.contract import STRICT_SINCE, reaches
from vmwright.template.problems import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vmwright.template.checked import Checked
    from vmwright.template.problems import Problem


def check_distribute(properties: Checked, version: str) -> Iterator[Problem]:
    """Give what the rules find in the distributors of one template."""
    distributors = properties.parts("distribute")
    if properties.is_empty("distribute"):
        message, hint = "`distribute` is empty.", "name one distributor or more"
        yield Rule.DISTRIBUTE_EMPTY.at(properties.at("distribute"), message, hint=hint)
    yield from _repeated(
        distributors,
        lambda one: one.text("runOutputName") if one.known("runOutputName") else "",
        lambda one, first: Rule.DISTRIBUTE_RUN_OUTPUT.at(
            one.at("runOutputName"),
            f"`{one.text('runOutputName')}` is also the runOutputName of {first.place.path}.",
            hint="give every distributor a name of its own",
        ),
    )
    yield from _repeated(
        distributors,
        lambda one: one.text("imageId").casefold(),
        lambda one, first: Rule.DISTRIBUTE_TARGET.at(
            one.at("imageId"), f"This overwrites the image that {first.place.path} writes."
        ),
    )
    yield from _repeated(
        distributors,
        lambda one: one.text("galleryImageId").casefold() if _is_explicit(one) else "",
        lambda one, first: Rule.DISTRIBUTE_TARGET.at(
            one.at("galleryImageId"),
            f"{first.place.path} makes this version; then it is there, and this distributor fails.",
            hint="a version of its own, or replicate the first one to more regions",
        ),
    )
    source = properties.part("source")
    source_id = source.text("imageVersionId") if source else ""
    for distributor in distributors:
        yield from _version(distributor, version)
        yield from _regions(distributor)
        if _definition(distributor.text("galleryImageId")) == _definition(source_id) != "":
            message = "The version goes into the definition of its own source: no trigger can be set on that."
            hint = "a definition of its own, where Azure is to rebuild when the source changes"
            yield Rule.DISTRIBUTE_SOURCE.at(distributor.at("galleryImageId"), message, hint=hint)


def _repeated(
    parts: Iterable[Checked],
    key: Callable[[Checked], str],
    say: Callable[[Checked, Checked], Problem],
) -> Iterator[Problem]:
    """Give what ``say`` says of each part whose key an earlier one had ("" is no key)."""
    first: dict[str, Checked] = {}
    for part in parts:
        name = key(part)
        if name and first.setdefault(name, part) is not part:
            yield say(part, first[name])


def _definition(gallery_id: str) -> str:
    """Return the definition's part of the id of a definition or a version, comparable."""
    return gallery_id.casefold().partition("/versions/")[0]


def _is_explicit(distributor: Checked) -> bool:
    return "/versions/" in distributor.text("galleryImageId").casefold()


def _version(distributor: Checked, version: str) -> Iterator[Problem]:
    explicit = _is_explicit(distributor)
    if explicit and not reaches(version, "2020-02-14"):
        message = f"A version of one's own came with 2020-02-14; {version} has not got it."
        yield Rule.DISTRIBUTE_VERSION.at(
            distributor.at("galleryImageId"), message, hint="end the id with the definition's name"
        )
    versioning = distributor.part("versioning")
    if versioning is None:
        return
    if explicit:
        message = "`versioning` has no effect: `galleryImageId` gives the version."
        yield Rule.DISTRIBUTE_VERSIONING.at(versioning.place, message, hint="keep one of them")
    if "major" in versioning.values and versioning.text("scheme") not in {"", "Latest"}:
        message = f"`major` belongs to the scheme Latest, not to {versioning.text('scheme')}."
        severity = Severity.ERROR if reaches(version, STRICT_SINCE) else Severity.WARNING
        place = versioning.at("major")
        yield Rule.DISTRIBUTE_MAJOR.at(place, message, hint="leave it out", severity=severity)


def _regions(distributor: Checked) -> Iterator[Problem]:
    regions, targets = distributor.texts("replicationRegions"), distributor.parts("targetRegions")
    if regions and targets:
        message = "`replicationRegions` and `targetRegions` are both here."
        yield Rule.DISTRIBUTE_REGIONS.at(
            distributor.at("replicationRegions"), message, hint="keep `targetRegions`"
        )
    if distributor.has("storageAccountType") and not regions:
        message = "`storageAccountType` belongs to `replicationRegions`, which is not here."
        hint = "give it in each of `targetRegions`" if targets else "leave it out"
        yield Rule.DISTRIBUTE_STORAGE.at(distributor.at("storageAccountType"), message, hint=hint)
    named = [(name, distributor.at(f"replicationRegions[{at}]")) for at, name in enumerate(regions)]
    for one in (named, [(target.text("name"), target.at("name")) for target in targets]):
        seen: set[str] = set()
        for region, place in one:
            if region and api_name(region) in seen:
                yield Rule.DISTRIBUTE_REGION.at(place, f"The region `{region}` is here twice.")
            seen.add(api_name(region))
