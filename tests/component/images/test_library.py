from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from vmwright.artifacts import ArtifactStore
from vmwright.artifacts.facts import ImageFacts
from vmwright.errors import DistributeError, VmwrightError
from vmwright.images import ImageLibrary, ManagedImageRecord
from vmwright.template.model import Generation, OsType

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.state.database import Database

GROUP = "/subscriptions/s1/resourceGroups/rg1/providers/Microsoft.Compute/images"


@pytest.fixture
def store(tmp_path: Path, database: Database) -> ArtifactStore:
    return ArtifactStore(tmp_path, database)


@pytest.fixture
def library(database: Database, store: ArtifactStore) -> ImageLibrary:
    return ImageLibrary(database, store)


@pytest.fixture
def put(tmp_path: Path, database: Database, store: ArtifactStore, library: ImageLibrary) -> Any:
    async def put_one(resource_id: str, body: str, location: str = "westus") -> ManagedImageRecord:
        (tmp_path / "new").write_text(body)
        return library.put(
            resource_id,
            location=location,
            artifact=await store.adopt(tmp_path / "new", "qcow2"),
            facts=ImageFacts(
                os_type=OsType.LINUX,
                os_name="Debian GNU/Linux 12 (bookworm)",
                generation=Generation.V1,
                size_bytes=(4 << 30) + 1,
            ),
            tags={"VMImageBuilderSource": "PlatformImage a::b::c::latest (1.2.3)"},
            writing=database.session,
        )

    return put_one


async def test_an_image_is_found_whatever_the_case_of_its_id(put: Any, library: ImageLibrary) -> None:
    image = await put(f"{GROUP}/Web", "1")
    assert library.get(f"{GROUP}/web".upper()) == image
    assert library.get("WEB") == image
    assert library.find(f"{GROUP}/other") is None
    with pytest.raises(VmwrightError, match="no image eb"):
        library.get("eb")


async def test_overwriting_drops_the_older_bytes(
    put: Any, library: ImageLibrary, store: ArtifactStore
) -> None:
    older = await put(f"{GROUP}/web", "1")
    newer = await put(f"{GROUP}/WEB", "2", "West US")
    assert library.list() == [newer]
    with pytest.raises(VmwrightError):
        store.get(older.digest)
    again = await put(f"{GROUP}/web", "2")
    assert store.get(again.digest).size_bytes == 1


async def test_bytes_that_another_image_has_stay(
    put: Any, library: ImageLibrary, store: ArtifactStore
) -> None:
    first = await put(f"{GROUP}/a", "same")
    await put(f"{GROUP}/b", "same")
    assert library.remove(f"{GROUP}/a") == first
    assert store.get(first.digest)
    library.remove("b")
    assert library.list() == []
    with pytest.raises(VmwrightError):
        store.get(first.digest)


async def test_an_image_stays_in_its_location(put: Any, library: ImageLibrary) -> None:
    image = await put(f"{GROUP}/web", "1")
    with pytest.raises(DistributeError, match="exists in westus"):
        await put(f"{GROUP}/web", "2", "eastus")
    with pytest.raises(DistributeError):
        library.check_location(f"{GROUP}/Web", "eastus")
    library.check_location(f"{GROUP}/Web", "WestUS")
    library.check_location(f"{GROUP}/new", "eastus")
    assert library.list() == [image]


async def test_newest_first(put: Any, library: ImageLibrary) -> None:
    for name in ("b", "a", "c"):
        await put(f"{GROUP}/{name}", name)
    assert [image.name for image in library.list()] == ["c", "a", "b"]


async def test_one_name_in_two_groups_is_not_guessed(put: Any, library: ImageLibrary) -> None:
    await put(f"{GROUP}/web", "1")
    await put(f"{GROUP.replace('rg1', 'rg2')}/web", "2")
    with pytest.raises(VmwrightError, match="Several images") as caught:
        library.remove("web")
    assert "rg2" in str(caught.value.hint)


async def test_the_shape_of_the_resource(put: Any) -> None:
    resource = (await put(f"{GROUP}/web", "1")).as_resource()
    assert resource["id"] == f"{GROUP}/web"
    assert resource["tags"] == {"VMImageBuilderSource": "PlatformImage a::b::c::latest (1.2.3)"}
    assert resource["properties"] == {
        "storageProfile": {
            "osDisk": {
                "osType": "Linux",
                "osState": "Generalized",
                "diskSizeGB": 5,
                "caching": "None",
                "storageAccountType": "Standard_LRS",
            },
            "dataDisks": [],
        },
        "provisioningState": "Succeeded",
        "hyperVGeneration": "V1",
    }
