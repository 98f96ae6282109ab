from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.nas import parameter_counts as forensics
from lib.nas.inheritance import InheritanceError, inherit
from lib.nas.notation import parse
from lib.nas.training import predict
from lib.nas.transforms import (
    NAMES,
    TransformError,
    add_block,
    add_layer,
    child,
    concat,
    improved_space,
    paper_space,
    table_one,
    widen,
)
from lib.reported import nas as reported

M = parse(reported.M)
SHAPE = (10, 10, 1)
SMALL = {
    "IB": "C(6,3) P(1,1) IB(4,3,5,2,3,2) P(1,1) F() FC(3)",
    "SEIB": "C(6,3) P(1,1) SEIB(4,3,5,2,3,2,4) P(1,1) F() FC(3)",
    "CN": "CN(5,3) P(2,2) SEIB(4,3,5,2,3,2,4) CN(16,3) GAP() FC(3)",
}


def test_table_one_is_reproduced():
    assert forensics.transformations().same.all()
    for name, (_, made) in table_one().items():
        assert str(made).replace("l(", "1(") == reported.architectures().text[name]


def test_transformations_leave_the_parent_as_it_was():
    before = str(M)
    for transformation in (add_layer, add_block, lambda a: widen(a, 1), lambda a: concat(a, -4)):
        assert transformation(M) != M
    assert str(M) == before


def test_widen_takes_the_papers_text_or_its_table():
    assert str(widen(M, 3, 32)).split()[2] == "IB(64,64,160,16,64,64)"
    assert str(widen(M, 3, 32, which="first")).split()[2] == "IB(64,96,160,48,32,32)"
    assert str(widen(M, 1, 16)).startswith("C(80,3)")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: widen(M, 2),
        lambda: widen(M, 99),
        lambda: widen(M, 3, which="all"),
        lambda: concat(M, 1),
        lambda: concat(M, -1),
        lambda: add_block(M, position=7),
    ],
)
def test_what_cannot_be_done_is_said(wrong):
    with pytest.raises(TransformError):
        wrong()


def test_a_concat_keeps_what_it_joins_when_layers_come_before_and_behind():
    joined = concat(M, -4)
    grown = add_layer(add_block(joined, position=1), 8, 1)
    assert joined.layers[4].first == 3
    assert grown.layers[5].first == 4
    assert parse(str(grown)) == grown


@given(st.sampled_from(NAMES), st.integers(0, 2**32 - 1))
def test_children_are_new_and_draws_repeat(name, seed):
    space = paper_space("SEIB", 10)
    parent = parse(space.initial)
    first = child(parent, name, space, [seed], (28, 28, 1), {parent.hash})
    assert first is not None
    assert first.hash != parent.hash
    assert child(parent, name, space, [seed], (28, 28, 1), {parent.hash}) == first
    assert child(parent, name, space, [seed], (28, 28, 1), {parent.hash}, max_parameters=1) is None


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(list(SMALL)), st.lists(st.sampled_from(NAMES), min_size=1, max_size=2), st.integers(0, 999))
def test_inherited_weights_keep_the_function(kind, names, seed):
    space = replace(paper_space("IB", 3), initial=SMALL[kind], filters=4, widths=(4, 3, 5, 2, 3, 2), preserving=True)
    space = replace(space, same=True, sizes=(3,)) if kind == "CN" else replace(space, block=kind)
    parent = parse(space.initial)
    model = parent.build(SHAPE)
    generator = np.random.default_rng(seed)
    # Biases and moving averages are zeros and ones in a new model: moved, so that mistakes in them show.
    model.set_weights([array + 0.2 * np.abs(generator.normal(size=array.shape)) for array in model.get_weights()])
    images = generator.random((5, *SHAPE)).astype(np.float32)
    for step, name in enumerate(names):
        grown = child(parent, name, space, [seed, step], SHAPE, {parent.hash})
        if grown is None:
            continue
        inherited = inherit(parent, model.get_weights(), grown, SHAPE, seed)
        after = grown.build(SHAPE)
        after.set_weights(inherited.weights)
        assert inherited.exact
        np.testing.assert_allclose(predict(after, images), predict(model, images), atol=2e-4)
        parent, model = grown, after


def test_a_valid_convolution_is_inherited_in_part():
    parent = parse(SMALL["IB"])
    model = parent.build(SHAPE)
    inherited = inherit(parent, model.get_weights(), add_layer(parent, 6, 3), SHAPE, 0)
    assert not inherited.exact
    np.testing.assert_array_equal(inherited.weights[0], model.get_weights()[0])


def test_attention_starts_as_the_identity_and_is_not_kept_when_widened():
    space = improved_space(3)
    parent = parse(SMALL["CN"])
    model = parent.build(SHAPE)
    images = np.random.default_rng(0).random((4, *SHAPE)).astype(np.float32)
    grown = next(
        found
        for seed in range(50)
        if (found := child(parent, "add_block", space, [seed], SHAPE, set())) and "AT" in str(found)
    )
    inherited = inherit(parent, model.get_weights(), grown, SHAPE, 0)
    after = grown.build(SHAPE)
    after.set_weights(inherited.weights)
    assert inherited.exact
    np.testing.assert_allclose(predict(after, images), predict(model, images), atol=1e-5)
    assert not inherit(grown, inherited.weights, widen(grown, 4, 4), SHAPE, 0).exact


def test_strangers_cannot_inherit():
    with pytest.raises(InheritanceError):
        inherit(M, [], parse("C(64,3) F() FC(10)"), SHAPE, 0)
