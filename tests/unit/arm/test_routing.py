"""Which route a path has."""

from __future__ import annotations

import pytest

from vmwright.arm.http.answer import Answer
from vmwright.arm.http.call import Call
from vmwright.arm.http.errors import ArmError
from vmwright.arm.http.routing import Route, Router, split


async def nothing(call: Call) -> Answer:
    return Answer()


def router(*patterns: str, method: str = "GET") -> Router:
    return Router(Route(method=method, pattern=pattern, handler=nothing) for pattern in patterns)


def found(router: Router, path: str, method: str = "GET") -> tuple[str, dict[str, str]]:
    match = router.match(method, split(path))
    return match.route.pattern, dict(match.names)


GROUP = "/subscriptions/{subscription}/resourceGroups/{group}"


def test_paths_are_matched_in_any_case_and_names_stay_as_they_were_written() -> None:
    assert found(router(GROUP), "/SUBSCRIPTIONS/S//resourcegroups/Web/") == (
        GROUP,
        {"subscription": "S", "group": "Web"},
    )


def test_literal_parts_win_over_places_in_any_order() -> None:
    patterns = ("/a/{x}/{y}", "/a/{x}/list", "/a/b/list")
    for given in (patterns, patterns[::-1]):
        assert found(router(*given), "/a/b/list")[0] == "/a/b/list"
        assert found(router(*given), "/a/c/list")[0] == "/a/{x}/list"


def test_of_open_ends_the_longest_is_taken() -> None:
    patterns = ("/a/{x}/**", "/a/{x}/b/**")
    for given in (patterns, patterns[::-1]):
        assert found(router(*given), "/a/1/b/c/d") == ("/a/{x}/b/**", {"x": "1", "rest": "c/d"})
        assert found(router(*given), "/a/1/c") == ("/a/{x}/**", {"x": "1", "rest": "c"})


def test_head_has_its_own_route_or_that_of_get() -> None:
    own = Router(
        [
            Route(method="GET", pattern="/a/{x}", handler=nothing),
            Route(method="HEAD", pattern="/a/{y}", handler=nothing),
        ]
    )
    assert found(own, "/a/1", "HEAD")[0] == "/a/{y}"
    assert found(router("/a/{x}"), "/a/1", "HEAD")[0] == "/a/{x}"
    with pytest.raises(ArmError) as caught:
        found(router("/a/{x}", method="PUT"), "/a/1", "HEAD")
    assert (caught.value.status, caught.value.headers) == (405, {"Allow": "PUT"})


@pytest.mark.parametrize(
    "path", ["/a/..", "/./a", "/a%2Fb", "/a%5Cb", "/%0A", "/%00", "/%FF", "/%ED%A0%80", "/\udcff"]
)
def test_a_part_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(ArmError) as caught:
        split(path)
    assert (caught.value.status, caught.value.code) == (400, "InvalidUri")
