# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 02 · How well does a U-Net draw the lesion?
#
# Stage 1 of the paper (II-B): a U-Net learns the lesion mask from the image. Stage 2 will get its masks
# instead of a radiologist's, so what it misses or invents here is what the classifier has to live with.
#
# | | |
# |---|---|
# | **reads** | the images and the split of `01_preprocessing` |
# | **writes** | the trained U-Net (cached), `02_*` figures and tables |
# | **next** | `03_classifier` names the class |

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["nbval-ignore-output"]
import numpy as np
import pandas as pd

import lib.core.run
from lib.core import runtime
from lib.data import splits, ultrasound
from lib.evaluation import metrics as evaluation
from lib.plots import segmentation as plots
from lib.reported import two_stage as reported
from lib.two_stage import segmentation

run = lib.core.run.start("02_unet", profile, seed)
print(runtime.machine())

# %%
data = ultrasound.load(run.profile, run.cache)
split = splits.stratified(data.labels, run.seed)
print(data.source, "· split", split.digest(data.names))

# %% [markdown]
# ## Which network?
#
# Five contraction blocks, four expansion blocks, batch normalisation after each 3×3 convolution, dropout
# after each pooling and in each expansion block. The paper does not give the widths; they come from the
# authors' code, where the decoder's dropout is dead (`decoder_dropout=False` here).

# %%
settings = segmentation.Settings.of(run.profile)
pd.Series(vars(settings), name="stage 1").to_frame()

# %%
paper = segmentation.build(128, segmentation.Settings(), run.seed)
here = segmentation.build(run.profile.image_size, settings, run.seed)
pd.DataFrame({"parameters": {"the paper's, 128 × 128 × 3": paper.count_params(), "this run's": here.count_params()}})

# %% [markdown]
# ## Does it learn?
#
# Adam, binary cross-entropy, and the epoch with the lowest validation loss is kept. The test part is not
# read. A killed training goes on after its last whole epoch; a finished one comes from the cache.

# %% tags=["nbval-ignore-output"]
unet, history = segmentation.train(data, split, settings, run.seed, run.cache, verbose=True)

# %% tags=["nbval-ignore-output"]
printed = reported.text().value["validation loss of the U-Net, mean of 10 rounds"]
figure = plots.learning_curves(history, {"bce": "cross-entropy / nats a pixel"}, ("printed", printed))
run.save_figure(figure, "02_learning_curve", history)

# %% [markdown]
# Two things to look for: an early validation curve that jumps (the running statistics of batch
# normalisation still remember the start), and a training curve that goes on falling after the validation
# curve has turned (the network begins to learn the training images by heart).

# %% tags=["nbval-ignore-output"]
assert history.val_bce.min() < history.val_bce.iloc[0], "the U-Net did not learn"
kept = history[history.kept].iloc[0]
losses = pd.DataFrame({"reported": {"validation": printed, "training": np.nan}})
losses["here"] = [kept.val_bce, kept.bce]
run.save_table(losses, "02_loss", f"Cross-entropy of epoch {kept.epoch:.0f}, nats a pixel · {data.source} · 1 round")

# %% [markdown]
# The paper's loss is the mean of ten rounds; this is one. Means over pixels are ruled by the background, so
# a low loss says little about borders: the next section looks at overlap.

# %% [markdown]
# ## How well do the masks overlap?
#
# Dice and IoU at threshold 0.5, image by image. **Images with and without lesion are kept apart**: without a
# lesion, Dice is 1 if nothing is drawn and 0 otherwise, and mixing the two hides both.

# %% tags=["nbval-ignore-output"]
predicted = segmentation.predict(unet, data.images)
scores = evaluation.mask_scores(data.masks, predicted)
scores["class"] = np.array(data.classes)[data.labels]
scores["part"] = splits.part_names(split)
tables = {part: evaluation.summarise_masks(scores[scores.part == part]) for part in splits.PARTS}
run.save_table(pd.concat(tables, names=["part"]), "02_overlap", f"Masks of stage 1 · {data.source} · 1 round")

# %% [markdown]
# `missed`: share of lesions that the drawn mask does not touch. `drawn`: share of images without lesion in
# which something was drawn.

# %% tags=["nbval-ignore-output"]
lesions = scores[scores.kind == evaluation.LESION]
run.save_figure(plots.dice_distribution(lesions), "02_dice", scores)

# %% tags=["nbval-ignore-output"]
by_class = lesions.groupby(["part", "class"]).dice.agg(["size", "mean", "std", "median"]).loc[list(splits.PARTS)]
run.save_table(by_class, "02_dice_by_class", f"Dice of lesions by class · {data.source} · 1 round")

# %% [markdown]
# ## Are masks of training images better than those of new images?
#
# Stage 2 is trained on masks that the U-Net draws for its **own training images**, and tested on masks of
# images it has never seen. If the first are much better, stage 2 learns to trust masks more than it should.

# %% tags=["nbval-ignore-output"]
dice = lesions.groupby("part").dice.mean()
gap = dice["train"] - dice["test"]
print(f"lesion Dice: training {dice['train']:.3f}, test {dice['test']:.3f}, gap {gap:+.3f}")

# %% [markdown]
# The cure, masks predicted out of fold, is a later chapter.

# %% [markdown]
# ## Which masks are good, which are not?
#
# Test images only, ordered by Dice.

# %% tags=["nbval-ignore-output"]
test = scores[(scores.part == "test") & (scores.kind == evaluation.LESION)].dice.sort_values()
middle = len(test) // 2
rows = {"worst": test.index[:6], "median": test.index[middle - 3 : middle + 3], "best": test.index[:-7:-1]}
run.save_figure(plots.masks(data, predicted, scores, rows), "02_masks")

# %% tags=["nbval-ignore-output"]
false_alarms = scores[(scores.part == "test") & (scores.kind == evaluation.NORMAL)]
worst = false_alarms.predicted_area.sort_values(ascending=False).index[:6]
run.save_figure(plots.masks(data, predicted, scores, {"no lesion": worst}), "02_false_alarms")

# %% [markdown]
# ## Does the size of the lesion matter?

# %% tags=["nbval-ignore-output"]
size = pd.qcut(lesions.true_area, 3, labels=["small", "medium", "large"])
by_size = lesions.groupby(["part", size], observed=True).dice.agg(["size", "mean", "std"]).loc[["validation", "test"]]
run.save_table(by_size, "02_dice_by_size", f"Dice by lesion size (thirds of all lesions) · {data.source} · 1 round")

# %% [markdown]
# Dice punishes a shift of one pixel more in a small lesion than in a large one, so part of this difference is
# geometry and not skill.
