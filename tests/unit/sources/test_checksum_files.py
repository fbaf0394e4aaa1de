from __future__ import annotations

import pytest

from vmwright.sources.checksums import Sum, find_sum

A, B, LONG = "a" * 64, "b" * 64, "c" * 128


@pytest.mark.parametrize(
    "text",
    [
        f"{B}  other.img\n{A}  disk.img\n",
        f"{B} *other.img\n{A} *disk.img\n",
        f"{A.upper()}  ./disk.img\r\n",
        f"# disk.img: 12 bytes\nSHA256 (disk.img) = {A}\n",
        f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nSHA256 (disk.img) = {A}\n-----BEGIN PGP",
        f"{'0' * 32}  disk.img\n{'0' * 40}  disk.img\n{A}  disk.img\n",
    ],
)
def test_the_sum_of_a_file_is_found(text: str) -> None:
    assert find_sum(text, "disk.img") == Sum("sha256", A)


def test_the_stronger_sum_is_taken() -> None:
    text = f"SHA256 (disk.img) = {A}\nSHA512 (disk.img) = {LONG}\n"
    assert find_sum(text, "disk.img") == Sum("sha512", LONG)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{A}  disk.img.xz\n",
        f"{A}  folder/disk.img\n",
        f"{A}\n",
        f"{'a' * 96}  disk.img\n",
        "<html>not a checksum file</html>",
    ],
)
def test_a_sum_of_another_file_is_none(text: str) -> None:
    assert find_sum(text, "disk.img") is None


def test_a_file_for_one_disk_need_not_name_it() -> None:
    assert find_sum(f"{A}\n", "disk.img", alone=True) == Sum("sha256", A)
    assert find_sum(f"{A}  disk-build-7.img\n", "disk.img", alone=True) == Sum("sha256", A)
    assert find_sum(f"{A}  one.img\n{B}  two.img\n", "disk.img", alone=True) is None
