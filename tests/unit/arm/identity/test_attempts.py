from __future__ import annotations

from vmwright.arm.identity.logins import MOST_FAILURES, MOST_NAMES, WINDOW_SECONDS, Attempts


def test_who_has_failed_too_often_waits_until_a_failure_is_old_enough() -> None:
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    for second in range(MOST_FAILURES):
        assert not attempts.are_over("owner")
        now[0] = second
        attempts.fail("owner")
    assert attempts.are_over("owner")
    assert not attempts.are_over("another")
    now[0] = WINDOW_SECONDS
    assert not attempts.are_over("owner")
    attempts.fail("owner")
    assert attempts.are_over("owner")


def test_names_that_nobody_has_do_not_fill_the_memory() -> None:
    attempts = Attempts(lambda: 0.0)
    for number in range(2 * MOST_NAMES):
        attempts.fail(str(number))
    assert len(attempts._failures) == MOST_NAMES
