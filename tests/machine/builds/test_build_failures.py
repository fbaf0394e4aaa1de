"""What goes wrong in real builds: each gives a clear error, its exit code, and leaves nothing on the host."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.building import run_build
from tests.vmwright_command import Vmwright, shell, write_template
from vmwright.errors import BuildTimeoutError
from vmwright.events import Events
from vmwright.runs.request import BuildRequest
from vmwright.settings import Settings
from vmwright.state.database import open_database
from vmwright.template import Template, read

pytestmark = pytest.mark.machine


def test_a_script_that_fails_in_the_middle(vmwright: Vmwright, tmp_path: Path) -> None:
    out = tmp_path / "out"
    steps = [shell("echo one"), shell("echo before", "false", "echo after", name="Broken"), shell("echo no")]
    done = vmwright("build", write_template(tmp_path, *steps), "--out", out)
    assert done.code == 1
    assert "Step 2 of 3 'Broken' (Shell) failed: Script exited with non-zero exit status: 1" in done.err
    said, _, hint = done.err.rstrip().rpartition("\n")
    assert said.endswith("before")
    assert hint.startswith("hint: `vmwright resume ")
    assert hint.endswith("` goes on from step 2")
    assert "step 3/3" not in done.out
    assert list(out.iterdir()) == []


def test_a_script_that_waits_for_input_gets_end_of_file(vmwright: Vmwright, tmp_path: Path) -> None:
    step = shell("read -r answer && echo got $answer", name="Asks")
    done = vmwright("build", write_template(tmp_path, step), "--out", tmp_path / "out")
    assert done.code == 1
    assert "Step 1 of 1 'Asks' (Shell) failed: Script exited with non-zero exit status: 1" in done.err


def test_a_disk_that_gets_full(vmwright: Vmwright, tmp_path: Path) -> None:
    step = shell("dd if=/dev/zero of=$HOME/fill bs=1M count=8000 status=none", name="Fill")
    done = vmwright("build", write_template(tmp_path, step), "--out", tmp_path / "out")
    assert done.code == 1
    assert "'Fill' (Shell) failed" in done.err
    assert "No space left on device" in done.err


async def test_a_build_that_takes_too_long(
    vmwright: Vmwright, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = read(write_template(tmp_path, shell("sleep 600", name="Sleeps")).read_bytes(), for_build=True)
    assert reading.template is not None
    # six minutes are the least that a template may ask for: here the build has half of one
    monkeypatch.setattr(Template, "timeout_seconds", 30.0)
    result = await run_build(
        BuildRequest(template=reading.template, name="slow", out=tmp_path / "out"),
        settings=Settings(home=vmwright.home),
        database=open_database(Settings(home=vmwright.home)),
        events=Events(),
    )
    assert isinstance(result.error, BuildTimeoutError)
    assert "context deadline exceeded" in result.error.message
    assert "during step 1 of 1 'Sleeps' (Shell)" in result.error.message


def test_what_a_container_cannot_do_says_what_can(vmwright: Vmwright, tmp_path: Path) -> None:
    template = write_template(tmp_path, shell("sudo update-grub", name="Grub"))
    done = vmwright("build", template, "--machine", "container", "--out", tmp_path / "out")
    assert done.code == 1
    assert "'Grub' (Shell) failed" in done.err
    assert (
        "hint: a container has no kernel, devices or boot loader of its own: `--machine vm` has" in done.err
    )


def test_a_guest_that_is_switched_off(vmwright: Vmwright, tmp_path: Path) -> None:
    done = vmwright("build", write_template(tmp_path, shell("sudo poweroff", name="Off")), "--out", tmp_path)
    assert done.code == 1
    assert "'Off' (Shell) failed: The guest was switched off by a step" in done.err


def test_a_source_larger_than_the_disk(vmwright: Vmwright, tmp_path: Path) -> None:
    template = write_template(tmp_path, shell("true"), vmProfile={"osDiskSizeGB": 1})
    done = vmwright("build", template, "--out", tmp_path / "out")
    assert done.code == 2
    assert "properties.vmProfile.osDiskSizeGB" in done.err


def test_an_unknown_platform_image(vmwright: Vmwright, tmp_path: Path) -> None:
    source = {
        "type": "PlatformImage",
        "publisher": "Debian",
        "offer": "debian-12",
        "sku": "13",
        "version": "latest",
    }
    done = vmwright("build", write_template(tmp_path, source=source), "--out", tmp_path / "out")
    assert done.code == 3
    assert "No disk stands for Debian:debian-12:13:latest" in done.err
    assert "did you mean Debian:debian-13:13 or Debian:debian-12:12" in done.err
    assert "vmwright sources add" in done.err


class NotFound(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_script_that_is_not_there(vmwright: Vmwright, tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), NotFound) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/gone.sh"
        step = {"type": "Shell", "name": "Gone", "scriptUri": url}
        done = vmwright("build", write_template(tmp_path, step), "--out", tmp_path / "out")
        server.shutdown()
    assert done.code == 1
    assert "Step 1 of 1 'Gone' (Shell) failed: " in done.err
    assert "404" in done.err
    assert "machine" not in [line.split()[1].rstrip(":") for line in done.out.splitlines()]


def test_a_folder_for_the_files_that_gets_full(vmwright: Vmwright, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["/usr/bin/mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", out], check=True)
    try:
        done = vmwright("build", write_template(tmp_path, shell("true")), "--out", out)
        assert done.code == 1
        assert "Failed in distributing 1 images out of total 1" in done.err
        assert "No space left on device" in done.err
        assert list(out.iterdir()) == []
    finally:
        subprocess.run(["/usr/bin/umount", out], check=True)


def test_an_output_that_cannot_be_written(vmwright: Vmwright, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = vmwright("build", write_template(tmp_path), "--out", tmp_path / "file")
    assert done.code == 3
    assert "cannot be written" in done.err
    assert "--out" in done.err


def test_what_is_not_built_yet_is_refused_by_its_path(vmwright: Vmwright, tmp_path: Path) -> None:
    template = write_template(tmp_path, shell("true"), errorHandling={"onCustomizerError": "abort"})
    template.write_text(template.read_text().replace("2020-02-14", "2023-07-01"))
    done = vmwright("build", template)
    assert done.code == 3
    assert "error[unsupported/property] properties.errorHandling" in done.err


def test_a_template_for_windows_is_refused_in_one_line(vmwright: Vmwright, tmp_path: Path) -> None:
    steps = ({"type": "PowerShell", "name": "ps", "inline": ["dir"]}, {"type": "WindowsRestart", "name": "r"})
    done = vmwright("build", write_template(tmp_path, *steps))
    assert done.code == 3
    (line,) = (line for line in done.err.splitlines() if "error[" in line)
    assert "unsupported/windows" in line
    assert "PowerShell, WindowsRestart" in line


def test_a_template_with_two_errors_says_both(vmwright: Vmwright, tmp_path: Path) -> None:
    steps = ({"type": "Shell", "name": "none"}, {"type": "File", "name": "f", "sourceUri": "https://x/y"})
    done = vmwright("build", write_template(tmp_path, *steps))
    assert done.code == 2
    assert "properties.customize[0]" in done.err
    assert "properties.customize[1]" in done.err


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
@pytest.mark.parametrize("phase", ["machine", "customize", "generalize", "distribute"])
def test_a_cancel_takes_everything_down(
    vmwright: Vmwright, tmp_path: Path, phase: str, how: signal.Signals
) -> None:
    out = tmp_path / "out"
    step = shell("sleep 2")
    with vmwright.start("build", write_template(tmp_path, step), "--out", out) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.split()[1].rstrip(":") == phase:
                break
        process.send_signal(how)
        begun = time.monotonic()
        rest, err = process.communicate(timeout=60)
        took = time.monotonic() - begun
    assert process.returncode == 130, err + rest
    assert took < 10
    assert "cancelled during" in err
    assert not out.exists() or list(out.iterdir()) == []


def test_what_a_killed_build_leaves_is_removed_by_the_next(vmwright: Vmwright, tmp_path: Path) -> None:
    with vmwright.start(
        "build", write_template(tmp_path, shell("sleep 60")), "--out", tmp_path / "a"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "step 1/1" in line:
                break
        process.kill()
    done = vmwright("build", write_template(tmp_path, shell("true"), name="next"), "--out", tmp_path / "b")
    assert done.code == 0, done.err
    assert "Clearing up after 1 interrupted build" in done.out
    killed = vmwright.json("runs")[1]
    assert killed["lastRunStatus"]["runState"] == "Failed"
    assert killed["lastRunStatus"]["message"].startswith("The build was interrupted")
