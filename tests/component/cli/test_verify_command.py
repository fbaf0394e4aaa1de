"""``vmwright verify``: a line for each file that is right, an error for each that is not."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from vmwright.cli.verify import verify

if TYPE_CHECKING:
    from pathlib import Path


def test_all_files_are_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bodies = {"good.qcow2": b"good", "bad.qcow2": b"bad", "fine.qcow2": b"fine"}
    lines = [f"{hashlib.sha256(body).hexdigest()}  {name}\n" for name, body in bodies.items()]
    (tmp_path / "SHA256SUMS").write_text("".join(lines))
    for name, body in bodies.items():
        (tmp_path / name).write_bytes(body)
    verify([tmp_path / name for name in bodies])
    assert capsys.readouterr().out.count(": OK") == len(bodies)
    (tmp_path / "bad.qcow2").write_bytes(b"worse")
    with pytest.raises(SystemExit) as ended:
        verify([tmp_path / name for name in (*bodies, "gone.qcow2")])
    assert ended.value.code == 1
    shown = capsys.readouterr()
    assert [line.rsplit("/", 1)[1] for line in shown.out.splitlines()] == ["good.qcow2: OK", "fine.qcow2: OK"]
    assert "bad.qcow2 has the SHA-256" in shown.err
    assert "gone.qcow2 has no sums beside it" in shown.err
