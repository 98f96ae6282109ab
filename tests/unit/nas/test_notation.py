import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.core import paths
from lib.nas import parameter_counts
from lib.nas.__main__ import main
from lib.nas.layers import NetworkError
from lib.nas.notation import NotationError, parse
from lib.nas.transforms import NAMES, child, improved_space, paper_space
from lib.reported import nas as reported

PRINTED = reported.NETWORKS


@st.composite
def architectures(draw_value):
    """Random chains of transformations, in all three spaces."""
    space = draw_value(st.sampled_from([paper_space("IB"), paper_space("SEIB"), improved_space()]))
    seed, architecture = draw_value(st.integers(0, 2**32 - 1)), parse(space.initial)
    for step, name in enumerate(draw_value(st.lists(st.sampled_from(NAMES), max_size=4))):
        architecture = child(architecture, name, space, [seed, step], (28, 28, 1), set()) or architecture
    return architecture


@pytest.mark.parametrize("name", PRINTED.index)
def test_printed_architectures_come_back_as_they_are(name):
    text = PRINTED.text[name]
    assert str(parse(text)) == text


@given(architectures())
def test_text_and_architecture_are_one(architecture):
    again = parse(str(architecture))
    assert again == architecture
    assert again.hash == architecture.hash


@given(architectures())
def test_the_canonical_text_is_the_same_network(architecture):
    canonical = parse(str(architecture.canonical))
    assert canonical.canonical == canonical
    assert canonical.hash == architecture.hash
    assert canonical.count_params((28, 28, 1)) == architecture.count_params((28, 28, 1))
    assert "P(1,1)" not in str(canonical)


@pytest.mark.parametrize(
    ("text", "shape", "count"),
    [
        (PRINTED.text["M_1"], (28, 28, 1), 1_730_026),
        (PRINTED.text["M_3"], (28, 28, 1), 3_125_178),
        (PRINTED.text["MNIST BbNAS"], (28, 28, 1), 572_474),
        (PRINTED.text["KAU-BCMD SE swapped for IB"], (64, 64, 1), 2_741_027),
        (PRINTED.text["KAU-BCMD BbNAS"], (64, 64, 1), 2_428_403),
        ("C(64,3) P(1,1) IB(32,64,128,16,32,32) P(1,1) C(64,1) P(1,1) F() FC(10)", (28, 28, 1), 543_738),
    ],
)
def test_counts_that_the_paper_prints(text, shape, count):
    assert parse(text).count_params(shape) == count


@settings(max_examples=12)
@given(architectures(), st.sampled_from([(12, 12, 1), (16, 13, 3)]))
def test_count_is_what_keras_counts(architecture, shape):
    assert architecture.count_params(shape) == architecture.build(shape).count_params()


@pytest.mark.parametrize("extra", ["SEIB(4,4,8,4,4,4,2)", "CN(6,3)", "AT(3)", "P(2,2)", "C(5,2) Concat(l(-5),l(-5))"])
def test_every_kind_of_layer_counts_as_in_keras(extra):
    architecture = parse(f"C(6,3) {extra} GAP() FC(7) FC(3)")
    model = architecture.build((10, 10, 2))
    assert architecture.count_params((10, 10, 2)) == model.count_params()
    assert model.output_shape == (None, 3)


def test_spaces_between_words_and_other_separators_do_not_matter():
    loose = "C(64,3); P(1,1); IB (32,64,128,16,32,32);P(1,1) → F (); FC (10)"
    assert parse(loose) == parse(reported.M)


def test_identity_pooling_and_the_spelling_of_concat_do_not_make_another_network():
    a = parse("C(8,3) P(1,1) IB(4,4,4,4,4,4) P(1,1) Concat() F() FC(2)")
    b = parse("C(8,3) IB(4,4,4,4,4,4) Concat(l(-4),l(-4)) F() FC(2)")
    assert a.hash == b.hash
    assert str(a.canonical) == str(b.canonical) == "C(8,3) IB(4,4,4,4,4,4) Concat(l(-4),l(-4)) F() FC(2)"
    assert a.hash != parse("C(8,3) P(2,2) IB(4,4,4,4,4,4) Concat(l(-4),l(-4)) F() FC(2)").hash


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("C(64,3) X(1) F() FC(2)", 8, "known: C, P"),
        ("C(64;3) F() FC(2)", 0, "takes whole numbers"),
        ("C(64,3", 0, "expected a layer"),
        ("C(64) F() FC(2)", 0, "from 1: filters, size"),
        ("IB(1,2,3,4,5) F() FC(2)", 0, "from 1: one, reduce_three"),
        ("SEIB(1,2,3,4,5,6,7,8) F() FC(2)", 0, "from 1: one, reduce_three"),
        ("C(8,3) F(2) FC(2)", 7, "from 1: none"),
        ("C(0,3) F() FC(2)", 0, "from 1"),
        ("C(a,3) F() FC(2)", 0, "takes whole numbers"),
        ("C 64", 0, "expected a layer"),
        ("C(64,3) FC(2)", 8, "FC follows F"),
        ("C(64,3) F() C(2,1) FC(2)", 12, "only FC"),
        ("C(64,3) F()", 8, "last layer"),
        ("C(64,3) Concat() F() FC(2)", 8, "outside"),
        ("C(64,3) P(1,1) Concat(l(-9),l(-4)) F() FC(2)", 15, "outside"),
        ("C(64,3) P(1,1) Concat(l(3),l(-4)) F() FC(2)", 15, "from the end"),
        ("C(8,3) C(8,1) C(9,1) Concat(l(-5),l(-6)) F() FC(2)", 14, "no layer reads"),
        ("", 0, "expected a layer"),
    ],
)
def test_malformed_text_points_at_the_layer(text, position, says):
    with pytest.raises(NotationError, match=says) as caught:
        parse(text)
    assert f"at character {position + 1}:" in str(caught.value)
    assert str(caught.value).splitlines()[-1] == " " * (position + 2) + "^"


def test_sizes_that_do_not_match_are_named():
    with pytest.raises(NetworkError, match=r"layer 3.*Concat"):
        parse("C(8,3) C(8,3) Concat() F() FC(2)").shapes((9, 9, 1))
    with pytest.raises(NetworkError, match="does not fit"):
        parse("C(8,3) C(8,3) F() FC(2)").build((4, 4, 1))


def test_layers_can_be_put_together_only_in_an_order_that_works():
    good = parse(reported.M)
    with pytest.raises(NetworkError, match="last layer"):
        type(good)(good.layers[:-1])


def test_counts_have_the_known_verdicts():
    verdicts = parameter_counts.counts().verdict
    assert (verdicts == "match").sum() == 4
    assert set(verdicts.index[verdicts == "explained"]) == {"M_0", "KAU-BCMD BbNAS", "KAU-BCMD SE-BbNAS"}
    assert set(verdicts.index[verdicts == "open"]) == {"M_2", "MNIST SE-BbNAS"}


def test_describe_sums_up_and_draws(capsys, tmp_path):
    main(["describe", reported.M, "--input", "28", "28", "1", "--out", str(tmp_path / "m.svg")])
    assert "1,610,938" in capsys.readouterr().out
    assert "<svg" in (tmp_path / "m.svg").read_text()
    with pytest.raises(SystemExit) as ended:
        main(["describe", "C(64,3) F("])
    assert ended.value.code == 2
    assert "^" in capsys.readouterr().err


def test_multiply_adds_are_counted_layer_by_layer():
    costs = parse("C(8,3) AT(2) IB(1,2,3,4,5,6) GAP() FC(4)").describe((6, 6, 2)).multiply_adds
    inception = 8 * (1 + 2 + 4 + 6) + 9 * 2 * 3 + 25 * 4 * 5
    attention = 16 * 4 * 8 * 8 + 2 * 16 * 16 * 8
    assert costs.tolist()[:5] == [16 * 9 * 2 * 8, attention, 16 * inception, 0, 15 * 4]
    assert costs["total"] == sum(costs.tolist()[:5])


def test_counting_does_not_load_keras():
    code = f"import sys; from lib.nas.notation import parse; parse({reported.M!r}).count_params((28, 28, 1))"
    check = f"{code}; sys.exit('keras' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], cwd=paths.ROOT, check=True)
