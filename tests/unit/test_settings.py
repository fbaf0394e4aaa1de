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


def test_stores_are_by_region_in_any_spelling(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "vmwright.toml").write_text('[stores]\n"West US 2" = "/srv/west"\n')
    monkeypatch.setenv("VMWRIGHT_STORES__EASTUS", "~/east")
    assert settings.load().stores == {"westus2": Path("/srv/west"), "eastus": Path.home() / "east"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('machne = "vm"\n', "machne"),
        ('machine = "docker"\n', "machine"),
        ("[debian]\ndisk_size_gib = 0\n", "debian.disk_size_gib"),
        ("machine = \n", "vmwright.toml"),
        ('[networks]\nsubnet = "user"\n', "subnet is neither the resource id of a subnet"),
        ('[networks]\n"rg/vnet/subnet" = "host"\n', 'rg/vnet/subnet: host is not "user"'),
        ('[networks]\ndefault = "bridge:a name"\n', "default: bridge:a name is not"),
        ('[stores]\nwestus = "stores/here"\n', "stores: .*westus: stores/here is not an absolute path"),
        ('[stores]\nwestus = "/a"\n"West US" = "/b"\n', "a region is here twice"),
        ("[storse]\n", "storse: there is no such key"),
        ("[identities.builder]\n", "builder is not the resource id"),
        ('[identities."*".storage.a]\n', "identities.*.storage.a: .*give one of sas, account_key"),
        ('[identities."*".storage.a]\nsas = "s"\naccount_key = "k"\n', "give one of sas"),
        ('[identities."*".storage.a]\nsas = {}\n', "give either env or file"),
        ('[identities."*".storage.a]\nsas = "s"\nclient_id = "c"\n', "client_id goes with"),
        ('[identities."*".storage.a]\nazure_identity = "cli"\n', "azure_identity"),
        ('[identities."*".storage.a]\nsas = "s"\nendpoint = "h:1/a"\n', "endpoint"),
        ('[service]\nlisten = "8443"\n', "service.listen: 8443 is not HOST:PORT"),
        ('[service]\nlisten = "localhost:70000"\n', "service.listen: localhost:70000 is not HOST:PORT"),
        ('[service]\nlisten = "::1:8443"\n', "service.listen: ::1:8443 is not HOST:PORT"),
        ('[service]\ntenant = "contoso"\n', "service.tenant"),
        ('[service]\nnames = ["a b"]\n', "service.names.0"),
        ('[service.oidc]\nissuer = "http://a/"\naudience = "a"\n', "service.oidc.issuer"),
    ],
)
def test_what_cannot_be_used_is_named(home: Path, text: str, said: str) -> None:
    (home / "vmwright.toml").write_text(text)
    with pytest.raises(TemplateError, match=said):
        settings.load()


def test_the_service_listens_on_loopback_unless_told_otherwise(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = settings.load().service
    assert (service.host, service.port) == ("127.0.0.1", 8443)
    monkeypatch.setenv("VMWRIGHT_SERVICE__LISTEN", "[::]:443")
    service = settings.load().service
    assert (service.host, service.port) == ("::", 443)


def test_secrets_of_the_configuration_are_not_shown(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '{"*": {"storage": {"a": {"sas": "sv=1&sig=hunter2"%s}}}}'
    monkeypatch.setenv("VMWRIGHT_IDENTITIES", text % "")
    assert "hunter2" not in repr(settings.load())
    monkeypatch.setenv("VMWRIGHT_IDENTITIES", text % ', "account_key": "k"')
    with pytest.raises(TemplateError) as caught:
        settings.load()
    assert "hunter2" not in caught.value.message


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
