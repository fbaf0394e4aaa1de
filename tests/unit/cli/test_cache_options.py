"""What people write about the cache: sizes, and the step from which on nothing is taken."""

from __future__ import annotations

import pytest

from vmwright.cli.build import refreshed
from vmwright.cli.cache import bytes_of
from vmwright.errors import TemplateError
from vmwright.template.model import PlatformImage, Shell, Template


@pytest.mark.parametrize(
    ("text", "size"),
    [("10GiB", 10 << 30), ("500 MiB", 500 << 20), ("1.5G", 3 << 29), ("0", 0), ("12B", 12), ("2kib", 2048)],
)
def test_sizes(text: str, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "-1", "ten", "10 PiB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(TemplateError, match="not a size"):
        bytes_of(text)


def template(*names: str) -> Template:
    return Template(
        api_version="2022-07-01",
        location="westus2",
        source=PlatformImage(publisher="a", offer="b", sku="c", version="latest"),
        distribute=(),
        customize=tuple(Shell(name=name, path="p", inline=("true",)) for name in names),
    )


@pytest.mark.parametrize(
    ("wish", "numbers"), [(None, [None, None]), ("2", [2, 2]), ("Web", [1, None]), ("3", [None, 3])]
)
def test_a_step_is_refreshed_by_its_number_or_name(wish: str | None, numbers: list[int | None]) -> None:
    assert refreshed(wish, [template("Web", "Page"), template("One", "Two", "Three")]) == numbers


def test_a_step_that_none_of_the_templates_has_is_refused() -> None:
    with pytest.raises(TemplateError, match="--refresh Nginx: there is no such step") as refused:
        refreshed("Nginx", [template("Web", "Page")])
    assert refused.value.hint == "its number or name: 1 Web, 2 Page"
