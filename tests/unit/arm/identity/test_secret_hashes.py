from __future__ import annotations

from vmwright.arm.identity import secret_hashes


def test_a_secret_is_kept_with_a_salt_and_known_again() -> None:
    kept, again = secret_hashes.make("geheim"), secret_hashes.make("geheim")
    assert kept != again
    assert "geheim" not in kept
    assert secret_hashes.matches("geheim", kept)
    assert not secret_hashes.matches("Geheim", kept)


def test_nobodys_secret_is_no_secret() -> None:
    assert not secret_hashes.matches("", None)
    assert secret_hashes.NOBODYS.split("$")[:4] == secret_hashes.make("x").split("$")[:4]


def test_random_secrets_are_letters_and_digits() -> None:
    first, second = secret_hashes.random_secret(), secret_hashes.random_secret()
    assert first != second
    assert first.isalnum()
    assert len(first) == 43
