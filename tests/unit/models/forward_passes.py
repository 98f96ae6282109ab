"""Answers of the networks under this process's backend: ``python -m tests.unit.models.forward_passes FOLDER``.

The first process draws the weights and saves them in ``FOLDER``; the next ones load them.  Answers are in
``FOLDER/<backend>.npz``.
"""

import sys
from pathlib import Path

import keras
import numpy as np

from lib.models import backbones
from lib.models.head import build_heads
from lib.models.pretrained_unet import build_pretrained_unet
from lib.models.unet import build_unet
from lib.nas.notation import parse
from lib.two_stage.classification import HeadSettings


def networks() -> dict[str, keras.Model]:
    backbone = backbones.build("MobileNet", 32, "random")
    heads = build_heads(1, 2, 1024, 3, HeadSettings())
    flat = keras.layers.Reshape((1, 1024))(keras.layers.Rescaling(20.0)(keras.layers.Flatten()(backbone.output)))
    return {
        "unet": build_unet((32, 32, 3), 4),
        "unet_bilinear": build_unet((32, 32, 3), 4, upsampling="bilinear"),
        "pretrained_unet": build_pretrained_unet(64, "random"),
        "backbone_and_heads": keras.Model(backbone.input, heads(flat)),
        "architecture": parse(
            "C(6,3) SEIB(4,4,8,4,4,4,2) IB(4,4,8,4,4,4) CN(6,3) AT(3) P(2,2) GAP() FC(7) FC(3)"
        ).build((32, 32, 3)),
    }


def main(folder: Path) -> None:
    answers = {}
    for name, network in networks().items():
        generator, file = np.random.default_rng(0), folder / f"{name}.weights.h5"
        images = generator.random((3, *network.input_shape[1:])).astype(np.float32)
        if file.exists():
            network.load_weights(file)
        else:
            for variable in network.weights:
                if len(variable.shape) == 1:  # biases and statistics of batch normalisation, which begin as 0 and 1
                    variable.assign(keras.ops.convert_to_numpy(variable) + generator.uniform(0, 0.01, variable.shape))
            network.save_weights(file)
        answers[name] = network.predict(images, verbose=0)
    np.savez(folder / f"{keras.backend.backend()}.npz", **answers)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
