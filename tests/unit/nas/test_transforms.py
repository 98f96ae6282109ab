from hypothesis import given
from hypothesis import strategies as st

from lib.nas import parameter_counts
from lib.nas.notation import parse
from lib.nas.transforms import NAMES, add_block, add_layer, child, concat, improved_space, paper_space, widen
from lib.reported import nas as reported

M, SPACE = parse(reported.M), paper_space("IB")


def test_table_one_is_reproduced():
    table = parameter_counts.transformations()
    assert table.same.all()
    assert table.made.str.replace("l(", "1(").equals(table.printed)


def test_transformations_leave_the_parent_as_it_was():
    before = str(M)
    for name in NAMES:
        assert child(M, name, SPACE, [0], (28, 28, 1), set()) not in (M, None)
    assert str(M) == before


def made(transformation, parent, number, space=SPACE):
    return parent.change(*transformation(parent, space)[number])


def test_widen_takes_branches_or_filters():
    assert str(made(widen, M, 1)).split()[2] == "IB(64,64,160,16,64,64)"
    assert str(made(widen, M, 0, improved_space())).startswith("C(80,3)")


def test_a_concat_keeps_what_it_joins_when_layers_come_between():
    joined = made(concat, M, -1)
    grown = made(widen, made(add_layer, made(add_block, joined, 0), 0), 0)
    assert joined.layers[4].numbers == (3, 2)
    assert [(at, layer.numbers) for at, layer in enumerate(grown.layers) if layer.symbol == "Concat"] == [(4, (3, 2))]
    assert parse(str(grown)) == grown


@given(st.sampled_from(NAMES), st.integers(0, 2**32 - 1), st.booleans())
def test_children_are_new_and_draws_repeat(name, seed, improved):
    space = improved_space() if improved else paper_space("SEIB")
    parent = parse(space.initial)
    first = child(parent, name, space, [seed], (28, 28, 1), {parent.hash})
    assert first is not None
    assert first.hash != parent.hash
    assert child(parent, name, space, [seed], (28, 28, 1), {parent.hash}) == first


@given(st.integers(0, 2**32 - 1), st.lists(st.sampled_from(NAMES), min_size=1, max_size=4))
def test_each_transformation_adds_parameters_or_a_map(seed, names):
    space, shape = paper_space("IB"), (28, 28, 1)
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
    drawn = [child(parent, "add_layer", paper_space("IB"), [seed], (3, 3, 1), set()) for seed in range(8)]
    assert {str(one).split()[2] for one in drawn} == {"C(64,1)"}
