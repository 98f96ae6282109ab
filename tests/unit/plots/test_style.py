import numpy as np
from matplotlib.transforms import Bbox
from PIL import Image

from lib.core import paths
from lib.plots.style import WIDTH, grid, label_points


def test_published_figures_can_be_read_in_a_column_of_8_cm():
    pictures = list((paths.ROOT / "figures").glob("*/*.png"))
    assert pictures
    for file in pictures:
        with Image.open(file) as picture:
            assert picture.width / picture.info["dpi"][0] < 1.1 * WIDTH, file


def test_labels_hide_neither_each_other_nor_points_nor_bars():
    _, axes = grid(1, 1, 4)
    cell = axes[0, 0]
    generator = np.random.default_rng(0)
    x, y = generator.random(12), generator.random(12)
    x[1], y[1] = x[0] + 0.01, y[0] + 0.01  # neighbours
    cell.plot(x, y, "x")
    cell.set(xlim=(0, 1), ylim=(0, 1))
    bars = [(0.5, 0.2, 0.8)]
    label_points(cell, [(f"a long name {n}", *at) for n, at in enumerate(zip(x, y, strict=True))], bars)
    texts = [text for text in cell.texts if text.get_text()]
    assert len(texts) == 12, "one text a point stays"
    boxes = [text.get_window_extent() for text in texts]
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:number])
        assert box.x0 >= cell.bbox.x0
        assert box.x1 <= cell.bbox.x1
    line = Bbox(cell.transData.transform([(0.5, 0.2), (0.5, 0.8)]))
    assert not any(box.overlaps(line) for box in boxes)
    for place in cell.transData.transform(np.column_stack([x, y])):
        assert not any(box.contains(*place) for box in boxes)
