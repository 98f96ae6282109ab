# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 01 · What is in the images, and who is trained on?
#
# The paper classifies breast-ultrasound images as normal, benign or malignant (II-A, III-A). Before any
# network: what do the files hold, what does resizing them to a small square do, and which images train,
# choose and test?
#
# | | |
# |---|---|
# | **reads** | BUSI (`lite`, `full`), or synthetic phantoms that need no download (`smoke`) |
# | **writes** | `split.csv` with a hash, `01_*` figures and tables |
# | **next** | `02_unet` draws lesion masks |

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["nbval-ignore-output"]
import pandas as pd

import lib.core.run
from lib.core import runtime
from lib.data import splits, ultrasound
from lib.plots import data as plots
from lib.reported import two_stage as reported

run = lib.core.run.start("01_preprocessing", profile, seed)
print(runtime.machine())

# %% [markdown]
# ## Which images are there?
#
# One record holds images, masks, labels, names and original sizes. Decoding happens once; afterwards
# the arrays come from the cache.

# %%
data = ultrasound.load(run.profile, run.cache)
print(data.source)
data.images.shape, data.masks.shape, data.images.dtype

# %%
printed = reported.text().value
counts = pd.DataFrame({"reported": [int(printed[f"images {name}"]) for name in data.classes], "here": data.counts()})
counts["share here"] = counts.here / len(data)
run.save_table(counts, "01_counts", f"Images a class · {data.source}")

# %% [markdown]
# The classes are unbalanced: a model that always says *benign* is right as often as the share of its row.
# Every accuracy in this report has to be read against that.

# %% [markdown]
# ## What do they look like?
#
# Random images of each class; the yellow line is the border that the data set's authors drew.
# A normal image has an empty mask. **So an empty mask gives the class away**: true masks are the aim of
# stage 1, and never an honest input of stage 2.

# %%
run.save_figure(plots.examples(data, seed=run.seed), "01_examples")

# %%
has_lesion = data.masks.max(axis=(1, 2, 3)) > 0
pd.DataFrame({"images": data.counts(), "with a lesion": [int(has_lesion[data.labels == k].sum()) for k in range(3)]})

# %% [markdown]
# ## How large are the files?
#
# The paper speaks of an average of 500 × 500 pixels, and squeezes everything to 128 × 128 without keeping
# the aspect ratio. Points below are files; the small square is what is left of them.

# %%
run.save_figure(plots.sizes(data), "01_sizes")

# %%
sizes = pd.DataFrame(data.sizes, columns=["height", "width"]).describe().loc[["mean", "min", "50%", "max"]]
run.save_table(sizes, "01_sizes_table", f"Original sizes in pixels · {data.source}", precision=0)

# %% [markdown]
# ## What do images with several masks lose?
#
# Some images show several lesions, each with a mask file of its own. The authors' code reads the first
# file only, so the other lesions count as background. Here the union is the default, and `masks="first"`
# gives the authors' reading.

# %%
first = ultrasound.load(run.profile, run.cache, masks="first")
run.save_figure(plots.several_masks(data, first), "01_several_masks")

# %%
lost = data.masks.mean(axis=(1, 2, 3)) - first.masks.mean(axis=(1, 2, 3))
several = pd.Series(data.n_masks > 1).groupby(pd.Series(data.labels).map(dict(enumerate(data.classes)))).sum()
print("images with several masks:", several.to_dict())
print(f"of these lose lesion area with the first mask alone: {(lost > 1e-6).sum()}")

# %% [markdown]
# ## What does resizing do to image and mask?
#
# The authors' resizing takes the four nearest pixels (`bilinear`): when an image shrinks, it skips pixels,
# so fine speckle aliases, and mask borders become soft. Averaging over the area that a new pixel covers
# (`area`) skips nothing. Phantoms are made at their final size and have nothing to resize.

# %%
versions = {name: ultrasound.load(run.profile, run.cache, resize=name) for name in ("bilinear", "area")}
largest = int((data.sizes.prod(axis=1) * has_lesion).argmax())
run.save_figure(plots.resizing(versions, largest), "01_resizing")

# %%
soft = {name: float(((v.masks > 0) & (v.masks < 1)).mean()) for name, v in versions.items()}
noise = {name: float(v.images.std(axis=(1, 2)).mean()) for name, v in versions.items()}
resized = pd.DataFrame({"soft mask pixels / share": soft, "contrast (SD of an image)": noise})
run.save_table(resized, "01_resizing_table", f"Two ways to resize · {data.source}", precision=4)

# %% [markdown]
# ## How much of the image is lesion?

# %%
run.save_figure(plots.mask_areas(data), "01_mask_areas")

# %% [markdown]
# Where the two curves overlap, size does not tell benign from malignant; where they do not, a mask alone
# already says something about the class.

# %% [markdown]
# ## Who is trained on?
#
# The papers' rule: shuffle within each class, 80 : 10 : 10 (II-D). The cuts are those of the authors' code.
# The split is a file with a hash; the other notebooks print the hash again.

# %%
split = splits.stratified(data.labels, run.seed)
parts = pd.DataFrame({part: data.select(indices).counts() for part, indices in split.parts().items()})
run.save_figure(plots.split_counts(parts), "01_split", parts)

# %%
split.to_csv(run.figures / "split.csv", data.names)
run.describe("split", f"Part of each image · {data.source}")
again = splits.from_csv(run.figures / "split.csv", data.names)
assert again.digest(data.names) == split.digest(data.names)
print(f"split {split.digest(data.names)}:", {part: len(indices) for part, indices in split.parts().items()})

# %% [markdown]
# ## How fine can an accuracy on this test set be?
#
# One image more or less moves the accuracy by one over the size of the test set. The paper's accuracies
# are multiples of that step for its own test set; a difference of a few steps is a difference of a few images.

# %%
n = len(split.test)
steps = reported.table_i().accuracy.rename("printed accuracy").to_frame()
steps["test images right, of the paper's 79"] = (steps["printed accuracy"] * 79).round(2)
steps[f"nearest possible on these {n}"] = (steps["printed accuracy"] * n).round() / n
run.save_table(steps, "01_steps", f"Table I as counts of images · {data.source}", precision=4)

# %% [markdown]
# The printed accuracies are whole numbers of 79 images, the size of the test part that the authors' cuts
# give on BUSI. What this split cannot show: related images (the same lesion, taken twice) can lie on both of
# its sides, which makes every figure below look better than it is.
