"""The command as a program: what it prints, and its exit codes, where no machine is needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.vmwright_command import Vmwright, shell, write_template


@pytest.fixture
def vmwright(tmp_path: Path) -> Vmwright:
    home = tmp_path / "home"
    home.mkdir()
    return Vmwright(home)


def test_version_and_help(vmwright: Vmwright) -> None:
    assert vmwright("--version").out == "vmwright 0.1.0\n"
    done = vmwright("build", "--help")
    assert done.code == 0
    assert "--set" in done.out


def test_a_wrong_word_is_a_usage_error_that_helps(vmwright: Vmwright) -> None:
    done = vmwright("chek")
    assert done.code == 2
    assert 'Did you mean "check"' in done.err


def test_check_of_a_good_template(vmwright: Vmwright, tmp_path: Path) -> None:
    done = vmwright("check", write_template(tmp_path, shell("true")))
    assert done.code == 0
    assert done.out.splitlines()[-1].endswith("template.json: 1 note")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "empty"),
        (b"[]", "list"),
        (b'{"a": 1', "not JSON"),
        (b"[" * 100_000, "deep"),
        (b"\xff\xfe\x00", "UTF-8"),
    ],
    ids=["empty", "list", "broken", "brackets", "bytes"],
)
@pytest.mark.parametrize("command", ["check", "build"])
def test_what_is_no_template_is_said(
    vmwright: Vmwright, tmp_path: Path, command: str, text: bytes, said: str
) -> None:
    file = tmp_path / "template.json"
    file.write_bytes(text)
    done = vmwright(command, file)
    assert done.code == 2
    assert said in done.out + done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("command", ["check", "build"])
def test_a_file_that_is_not_there(vmwright: Vmwright, tmp_path: Path, command: str) -> None:
    done = vmwright(command, tmp_path / "gone.json")
    assert done.code == 2
    assert "gone.json cannot be read: No such file or directory" in done.out + done.err
    assert "Traceback" not in done.err


def test_a_file_that_is_not_there_does_not_keep_others_from_being_checked(
    vmwright: Vmwright, tmp_path: Path
) -> None:
    bad = write_template(tmp_path, {"type": "Shell", "name": "none"})
    first, second = json.loads(vmwright("check", tmp_path / "gone", bad, "--format", "json").out)
    assert [problem["code"] for problem in first["problems"]] == ["file/unreadable"]
    assert [problem["path"] for problem in second["problems"] if problem["severity"] == "error"]


def test_a_pipe_that_nobody_reads_ends_quietly(vmwright: Vmwright) -> None:
    with vmwright.start("runs", "--json") as process:
        assert process.stdout is not None
        process.stdout.close()
        process.wait(timeout=60)
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_a_home_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = Vmwright(tmp_path / "file" / "home")("runs", cwd=tmp_path)
    assert done.code == 1
    assert "cannot be used" in done.err
    assert "Traceback" not in done.err


def test_a_name_that_leads_elsewhere_is_refused(vmwright: Vmwright, tmp_path: Path) -> None:
    done = vmwright("build", write_template(tmp_path, shell("true")), "--name", "../../x")
    assert (done.code, "not a name" in done.err) == (2, True)


def test_a_port_that_is_none_is_refused(vmwright: Vmwright) -> None:
    done = vmwright("boot", "x", "--forward", "99999")
    assert (done.code, "[HOST:]GUEST" in done.err) == (2, True)


def test_check_reports_several_files_as_json(vmwright: Vmwright, tmp_path: Path) -> None:
    good = write_template(tmp_path, shell("true"), name="good")
    bad = write_template(tmp_path, {"type": "Shell", "name": "none"}, {"type": "Fiel"}, name="bad")
    done = vmwright("check", good, bad, "--format", "json")
    assert done.code == 2
    first, second = json.loads(done.out)
    assert (first["valid"], second["valid"]) == (True, False)
    errors = [problem for problem in second["problems"] if problem["severity"] == "error"]
    assert {problem["path"] for problem in errors} >= {"properties.customize[0]"}
    assert all(problem["line"] > 0 and problem["code"] for problem in errors)


def test_a_placeholder_is_filled_by_set(vmwright: Vmwright, tmp_path: Path) -> None:
    file = write_template(tmp_path, {"type": "Shell", "name": "s", "scriptUri": "<script>"})
    assert vmwright("build", file).code == 2
    done = vmwright("build", file, "--set", "scrpt=https://x/y.sh")
    assert done.code == 2
    assert "scrpt" in done.err
    assert vmwright("check", file, "--set", "script=https://x/y.sh").code == 0


def test_formats_need_a_folder_and_a_known_name(vmwright: Vmwright, tmp_path: Path) -> None:
    file = write_template(tmp_path, shell("true"))
    done = vmwright("build", file, "--format", "qcow2")
    assert (done.code, "--out" in done.err) == (2, True)
    done = vmwright("build", file, "--format", "vmdk", "--out", tmp_path / "out")
    assert (done.code, "not a format" in done.err) == (2, True)


def test_a_configuration_that_cannot_be_used(vmwright: Vmwright, tmp_path: Path) -> None:
    (vmwright.home / "vmwright.toml").write_text('machne = "vm"\n')
    done = vmwright("runs")
    assert done.code == 2
    assert "machne" in done.err
    assert "Traceback" not in done.err


def test_lists_are_empty_arrays_at_first(vmwright: Vmwright) -> None:
    assert vmwright.json("images") == []
    assert vmwright.json("runs") == []
    assert vmwright.json("sources", "list") == []
    assert "Debian:debian-12:12:latest" in vmwright("sources", "list").out


def test_a_run_that_is_not_there(vmwright: Vmwright) -> None:
    done = vmwright("logs", "none")
    assert done.code == 1
    assert "hint: vmwright runs lists them" in done.err


def test_an_image_that_is_not_there(vmwright: Vmwright) -> None:
    done = vmwright("boot", "none")
    assert done.code == 2
    assert "neither a disk file nor an image" in done.err


def test_the_doctor_names_what_is_missing_and_how_to_add_it(vmwright: Vmwright, tmp_path: Path) -> None:
    poor = tmp_path / "bin"
    poor.mkdir()
    for name in ("env", "unshare", "true"):
        (poor / name).symlink_to(Path("/usr/bin") / name)
    done = Vmwright(vmwright.home, {"PATH": str(poor)})("doctor", "--json")
    report = json.loads(done.out)
    missing = [state["tool"]["name"] for state in report["tools"] if state["version"] is None]
    assert "qemu-img" in missing
    assert done.code == 3
