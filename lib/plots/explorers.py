"""Explorers of notebooks 03 and 06: widgets that redraw the picture which the book shows with one choice."""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.core.run import FIGURES, Run
from lib.data.record import ImageSet
from lib.experiments.interpretability import class_map
from lib.nas import transforms
from lib.nas.drawing import draw_networks
from lib.nas.layers import NetworkError, Shape
from lib.nas.notation import parse
from lib.plots.style import PREDICTED, TRUE
from lib.plots.two_stage import one_image
from lib.two_stage.model import TwoStageModel

MASKS = {"predicted": PREDICTED, "ground truth": TRUE, "none": ""}  # and the colours of their contours


def explore(run: Run, name: str, look: Callable[..., Figure | None], **choices: Any) -> Any:
    """Widgets for the ``choices`` of ``look``; in a run without a reader its first picture, saved as ``name``.

    ``choices``: by parameter of ``look`` a text to edit, a list to choose from, or the ends and step of a slider.
    """
    if FIGURES in os.environ:
        first = {key: one[0] if isinstance(one, list) else one for key, one in choices.items()}
        return run.save_figure(look(**{key: one for key, one in first.items() if not isinstance(one, tuple)}), name)
    made = ipywidgets.interactive(look, {"auto_display": True}, **choices)
    for widget in made.children[:-1]:
        widget.layout.width, widget.continuous_update = "95%", False
    return made


def two_stage(model: TwoStageModel, data: ImageSet) -> Callable[..., Figure]:
    """A function that draws how ``model`` sees the image called ``image`` with one of :data:`MASKS`.

    ``threshold`` moves the contour only: stage 2 sees the soft mask.
    """

    @cache
    def seen(kind: str) -> tuple[Any, np.ndarray]:
        masks = {"ground truth": data.masks, "none": np.zeros_like(data.images)}.get(kind)
        return model.predict(data.images, masks), class_map(model, data.images, masks)

    def look(image: str, mask: str = "predicted", threshold: float = 0.5) -> Figure:
        found, maps = seen(mask)
        (at,) = np.flatnonzero(data.names == image)
        name = f"{image}\ntruly {data.classes[data.labels[at]]}"
        probabilities = pd.Series(found.probabilities[at], found.classes, name=name)
        return one_image(data.images[at], found.masks[at], MASKS[mask], threshold, maps[at], probabilities)

    return look


def networks(input_shape: Shape) -> Callable[..., Figure | None]:
    """A function that draws the network of a ``text`` above what each transformation makes of it.

    ``block`` is what add_block adds, ``draw`` the number of a random draw of the free choices.  A text that is no
    network gets a sentence and no picture.
    """

    def look(text: str, block: str = "IB", draw: int = 0) -> Figure | None:
        try:
            network = parse(text)
            network.shapes(input_shape)
        except NetworkError as error:
            print(f"This is no network: {str(error).splitlines()[0].rstrip(':')}.")
            return None
        space, drawn = transforms.paper_space(block), {"as typed": network}
        for name in transforms.NAMES:
            child = transforms.child(network, name, space, [draw], input_shape, {network.hash})
            drawn |= {name: child} if child else {}
            print(f"{name}: {child or 'finds no place in this network'}")
        return draw_networks(drawn, input_shape)

    return look
