import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.nas import parameter_counts
from lib.nas.layers import KINDS, Concat, NetworkError
from lib.nas.notation import parse
from lib.nas.transforms import (
    NAMES,
    add_block,
    add_layer,
    child,
    concat,
    draw,
    improved_space,
    paper_space,
    widen,
)
from lib.reported import nas as reported

M = parse(reported.M)


def test_table_one_is_reproduced():
    table = parameter_counts.transformations()
    assert table.same.all()
    assert table.made.str.replace("l(", "1(").equals(table.printed)


def test_transformations_leave_the_parent_as_it_was():
    before = str(M)
    for name in NAMES:
        assert draw(M, name, paper_space("IB", 10), np.random.default_rng(0)) != M
    assert str(M) == before


def test_widen_takes_branches_or_filters():
    assert str(widen(M, 3, 32)).split()[2] == "IB(64,64,160,16,64,64)"
    assert str(widen(M, 1, 16)).startswith("C(80,3)")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: widen(M, 2),
        lambda: concat(M, -9),
        lambda: concat(M, -1),
    ],
)
def test_what_cannot_be_done_is_said(wrong):
    with pytest.raises(NetworkError):
        wrong()


def test_a_concat_keeps_what_it_joins_when_layers_come_between():
    joined = concat(M, -4)
    grown = widen(add_layer(add_block(joined, KINDS["IB"](1, 2, 3, 4, 5, 6)), KINDS["C"](8, 1)), 1)
    assert (joined.layers[4].first, joined.layers[4].second) == (3, 2)
    places = [(index, layer) for index, layer in enumerate(grown.layers) if isinstance(layer, Concat)]
    assert [(index, layer.first, layer.second) for index, layer in places] == [(4, 3, 2)]
    assert parse(str(grown)) == grown


@given(st.sampled_from(NAMES), st.integers(0, 2**32 - 1), st.booleans())
def test_children_are_new_and_draws_repeat(name, seed, improved):
    space = improved_space(10) if improved else paper_space("SEIB", 10)
    parent = parse(space.initial)
    first = child(parent, name, space, [seed], (28, 28, 1), {parent.hash})
    assert first is not None
    assert first.hash != parent.hash
    assert child(parent, name, space, [seed], (28, 28, 1), {parent.hash}) == first


@given(st.integers(0, 2**32 - 1), st.lists(st.sampled_from(NAMES), min_size=1, max_size=4))
def test_each_transformation_adds_parameters_or_a_map(seed, names):
    space, shape = paper_space("IB", 10), (28, 28, 1)
    parent = parse(space.initial)
    for step, name in enumerate(names):
        grown = child(parent, name, space, [seed, step], shape, {parent.hash})
        if grown is None:
            continue
        assert grown.layers[-1] == parent.layers[-1]
        assert len(grown) >= len(parent)
        if name in ("widen", "concat"):
            assert grown.count_params(shape) > parent.count_params(shape)
        parent = grown


def test_a_child_that_does_not_fit_the_input_is_not_drawn():
    parent = parse("C(4,3) P(1,1) F() FC(10)")
    drawn = [child(parent, "add_layer", paper_space("IB", 10), [seed], (3, 3, 1), set()) for seed in range(8)]
    assert {str(one).split()[2] for one in drawn} == {"C(64,1)"}
