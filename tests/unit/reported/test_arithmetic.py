from lib.reported import arithmetic


def test_shares_of_a_whole_number():
    assert arithmetic.is_share(0.9241, 79)  # 73 of 79
    assert not arithmetic.is_share(0.9241, 80)
    assert arithmetic.is_share(0.8425, 127)  # 107 of 127, as of no tenth of 5,662 images
    assert not any(arithmetic.is_share(0.8425, n) for n in (566, 567))
    holds, most = arithmetic.checks()["B-kau-shares"]
    assert (holds, most) == (False, "at most 1 of 3 for any")


def test_what_the_printed_numbers_exclude():
    excluded = {name for name, (holds, _) in arithmetic.checks().items() if not holds}
    assert {"B-epochs-text", "B-best-child", "B-se-fewer", "B-block-widths"} <= excluded
    assert not [name for name in excluded if name.startswith("A")]
