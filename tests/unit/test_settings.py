from __future__ import annotations

from pathlib import Path

import pytest

from vmwright import settings
from vmwright.errors import TemplateError
from vmwright.settings import MachineChoice


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    monkeypatch.setenv("VMWRIGHT_HOME", str(home))
    monkeypatch.chdir(work)
    return home


def test_defaults_work_without_any_file(home: Path) -> None:
    loaded = settings.load()
    assert (loaded.home, loaded.machine, dict(loaded.mirrors)) == (home, MachineChoice.AUTO, {})


def test_the_working_folder_wins_over_home_and_a_variable_over_both(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "vmwright.toml").write_text('machine = "container"\n[debian]\ndisk_size_gib = 8\n')
    assert settings.load().machine is MachineChoice.CONTAINER
    Path("vmwright.toml").write_text('machine = "vm"\n')
    assert settings.load().machine is MachineChoice.VM
    monkeypatch.setenv("VMWRIGHT_MACHINE", "auto")
    monkeypatch.setenv("VMWRIGHT_DEBIAN__DISK_SIZE_GIB", "16")
    loaded = settings.load()
    assert (loaded.machine, loaded.debian.disk_size_gib) == (MachineChoice.AUTO, 16)


def test_mirrors_are_a_table(home: Path) -> None:
    (home / "vmwright.toml").write_text('[mirrors]\n"https://example.com/" = "file:///srv/mirror/"\n')
    assert settings.load().mirrors == {"https://example.com/": "file:///srv/mirror/"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('machne = "vm"\n', "machne"),
        ('machine = "docker"\n', "machine"),
        ("[debian]\ndisk_size_gib = 0\n", "debian.disk_size_gib"),
        ("machine = \n", "vmwright.toml"),
    ],
)
def test_what_cannot_be_used_is_named(home: Path, text: str, said: str) -> None:
    (home / "vmwright.toml").write_text(text)
    with pytest.raises(TemplateError, match=said):
        settings.load()


def test_a_variable_that_is_no_key_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMWRIGHT_MACHIN", "vm")
    with pytest.raises(TemplateError, match="VMWRIGHT_MACHIN: there is no such key"):
        settings.load()


def test_home_is_absolute_whatever_is_given(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMWRIGHT_HOME", "relative")
    assert settings.load().home == Path.cwd() / "relative"
    monkeypatch.setenv("VMWRIGHT_HOME", "")
    monkeypatch.setenv("XDG_DATA_HOME", "/srv/data")
    assert settings.load().home == Path("/srv/data/vmwright")
