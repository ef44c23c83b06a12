"""How much is in flight after a break."""

from chatctl.client.slow_start import SlowStart


def test_it_starts_with_everything_and_after_a_break_with_little():
    window = SlowStart(256, 1000)
    assert (window.size, window.probing) == (1000, False)
    window.restart(unanswered=True)
    assert (window.size, window.probing) == (256, True)


def test_each_answer_doubles_it_up_to_the_maximum():
    window = SlowStart(256, 1000)
    window.restart(unanswered=False)
    sizes = []
    for _ in range(3):
        window.add_answer()
        sizes.append(window.size)
    assert sizes == [512, 1000, 1000]
    assert not window.probing


def test_each_break_without_an_answer_halves_the_start_and_one_with_an_answer_doubles_it():
    window = SlowStart(256, 1000)
    sizes = []
    for _ in range(11):
        window.restart(unanswered=True)
        sizes.append(window.size)
    assert sizes == [256, 128, 64, 32, 16, 8, 4, 2, 1, 1, 1]
    for size in (2, 4):
        window.add_answer()
        window.restart(unanswered=True)
        assert window.size == size


def test_a_server_that_is_away_does_not_halve_it():
    window = SlowStart(256, 1000)
    for _ in range(5):
        window.restart(unanswered=False)
        assert window.size == 256
