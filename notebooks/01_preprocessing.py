# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 01 · What is in the images, and which of them train the networks?
#
# Paper A (Long, Guan and Holden) names breast-ultrasound images normal, benign or malignant; places such as II-A, and
# the numbers of figures and tables, are those of the paper. Before any
# network: what do the files hold, what does resizing them to a small square do, and which images train,
# validate and test?
#
# | | |
# |---|---|
# | **reads** | BUSI (`lite`, `full`), or synthetic phantoms that need no download (`smoke`) |
# | **writes** | `01_*` figures and tables, `01_split.csv`: the part of each image |
# | **next** | `02_unet` predicts lesion masks |

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["nbval-ignore-output"]
import numpy as np
import pandas as pd
from scipy.stats import binomtest

from lib.core import words
from lib.core.run import start
from lib.data.image_statistics import image_statistics
from lib.experiments.paper_a import Plan
from lib.plots import data as plots
from lib.reported import arithmetic
from lib.reported import two_stage as reported

run = start("01_preprocessing", profile, seed)
plan = Plan(run.profile, run.seed)
print(f"Profile {run.profile.name}: {run.profile.note}.")

# %% [markdown]
# ## Which images are there?
#
# BUSI was collected at one hospital in Cairo from 600 women, with one kind of scanner; its files have no patient
# numbers (`report/data_card.md`). One record holds images, masks, labels, names and original sizes. Where
# the files are absent, labels, names and sizes come from the published listing, and figures with pictures are left out.

# %%
data = plan.source.open()
print(data.source)

# %%
printed = reported.text()["value"]
counts = pd.DataFrame({"paper": [printed[f"images {name}"] for name in data.classes], "images": data.counts()})
counts.loc["all"] = [printed["images"], len(data)]
counts["share"] = counts["images"] / len(data)
run.save_table(counts, "01_counts", f"Images per class · {data.source}")

# %%
most = data.counts().idxmax()
print(f"A model that always predicts {most} is right on {100 * counts['share'][most]:.1f} % of the {len(data)} images.")

# %% [markdown]
# ## What do they look like?
#
# Random images of each class; the yellow line is the border that the data set's authors drew.
# A normal image has an empty mask. **So an empty mask gives the class away**: ground-truth masks are the
# aim of stage 1, and never a fair input of stage 2.

# %%
run.save_figure(plots.examples(data, seed=run.seed), "01_examples", of=data.source)

# %% [markdown]
# ## How large are the files?
#
# The paper speaks of an average of 500 × 500 pixels, and squeezes everything to 128 × 128 without keeping
# the aspect ratio. Each point is a file; the square is the size after resizing.

# %%
run.save_figure(plots.sizes(data, run.profile.image_size), "01_sizes", of=data.source)

# %%
sizes = (
    pd.DataFrame(data.sizes, columns=["height", "width"])
    .describe()
    .loc[["mean", "min", "50%", "max"]]
    .rename({"50%": "median"})
)
run.save_table(sizes, "01_sizes_table", f"Original sizes in pixels · {len(data)} files", precision=0)

# %%
kept = run.profile.image_size**2 / data.sizes.prod(axis=1).mean()
print(f"A file has {words.listed(sizes.loc['mean'], '.0f')} pixels on average; the paper says 500 × 500.")
print(
    f"The square keeps {100 * kept:.1f} % of an average file's pixels; one of it stands for {1 / kept:.1f} of the file."
)

# %% [markdown]
# ## What do images with several masks lose?
#
# Some images show several lesions, each with a mask file of its own. The authors' code reads the first
# file only, so the other lesions count as background. Here the union is the default.

# %%
versions = plan.versions()
run.save_figure(plots.several_masks(data, versions["first mask"].open()), "01_several_masks", of=data.source)

# %%
several = pd.Series(data.n_masks > 1).groupby(data.labels).sum().set_axis(data.classes)
print("Images with several mask files:", words.listed(several, "d"))

# %%
found = dict(zip(versions, run.results(image_statistics(data=one) for one in versions.values()), strict=True))
areas = pd.DataFrame({name: one["area"] for name, one in found.items() if one}, data.names, columns=list(versions))
lost = (areas["as used"] - areas["first mask"]).dropna() > 1e-6
print(
    f"With the first mask alone {lost.sum()} of {len(lost)} images lose lesion area; elsewhere the others add no pixel."
)

# %% [markdown]
# ## What does resizing do to image and mask?
#
# The authors' resizing takes the four nearest pixels (`bilinear`): when an image shrinks, it skips pixels,
# so fine speckle aliases. Averaging over the area that a new pixel covers (`area`) skips nothing, and leaves more
# soft mask pixels, whose value lies between 0 and 1. Phantoms (synthetic images) have nothing to resize.

# %%
largest = int((data.sizes.prod(axis=1) * (data.labels > 0)).argmax())
run.save_figure(
    plots.resizing(data, versions["area"].open(), largest, ("bilinear", "area")), "01_resizing", of=data.source
)

# %%
columns = {"soft": "share of soft mask pixels", "contrast": "contrast (SD of an image)"}
kinds = {"bilinear": found["as used"], "area": found["area"]}
rows = {name: {title: one[key] for key, title in columns.items()} for name, one in kinds.items() if one}
resized = pd.DataFrame(rows, index=list(columns.values())).T
run.save_table(resized, "01_resizing_table", f"Two ways to resize · {data.source}", precision=4)

# %%
contrast = resized[columns["contrast"]]
if len(contrast) == 2:
    print(f"Averaging takes {100 * (1 - contrast['area'] / contrast['bilinear']):.1f} % of the contrast.")
    print(f"Share of soft mask pixels: {words.listed(resized[columns['soft']], '.2%')}.")

# %% [markdown]
# ## How much of the image is lesion?
#
# Where the two histograms overlap, size does not tell benign from malignant; where they do not, a mask alone
# already says something about the class.

# %%
lesions = pd.DataFrame({"class": np.array(data.classes)[data.labels], "area": areas["as used"]}).dropna()
run.save_figure(plots.mask_areas(lesions), "01_mask_areas", lesions, of=data.source)

# %%
medians = lesions[lesions["area"] > 0].groupby("class")["area"].median()
print("Median lesion, share of the image:", words.listed(medians, ".1%"))

# %% [markdown]
# ## Which images train?
#
# The paper's rule: shuffle within each class, 80 : 10 : 10 (II-D), with the rounding of the authors' code. The paper
# repeats its training ten times and does not say whether the split stays; here each round has its own, and this
# is the first.

# %%
split = plan.rounds[0].split
parts = pd.DataFrame({part: data.select(indices).counts() for part, indices in split.parts().items()})
run.save_figure(plots.split_counts(parts), "01_split_counts", parts, of=data.source)

# %%
print(f"Images in each part: {words.listed(parts.sum(), 'd')}.")

# %%
part = pd.concat([pd.Series(part, data.names[indices]) for part, indices in split.parts().items()])
table = part.rename("part").rename_axis("name").to_frame().sort_index()
run.save_table(table, "01_split", f"Part of each image in round 0 · {data.source}", rows=5)

# %% [markdown]
# ## How fine can an accuracy on this test set be?
#
# One image more or less moves the accuracy by one over the size of the test set: a difference of a few steps is
# a difference of a few images.

# %%
n_paper, n = arithmetic.N_TEST, len(split.test)
steps = reported.table_i()["accuracy"].rename("paper").to_frame()
right = steps["paper"] * n_paper
steps[f"images right, of {n_paper}"] = right
steps[f"nearest possible on these {n}"] = (steps["paper"] * n).round() / n
run.save_table(steps, "01_steps", f"Table I as counts of images · test part of {n} images, round 0", precision=4)

# %%
whole = (right - right.round()).abs().max()
print(f"Every printed accuracy is a whole number of {n_paper} images to {whole:.3f}; this test part has {n}.")

# %%
gain = round(right["image+mask"] - right["image"])
p = words.p(binomtest(gain, gain).pvalue)
print(f"Table I's gain by the mask is {gain} of {n_paper} images: if no other answer changed, McNemar's exact {p}.")

# %% [markdown]
# Related images (the same lesion, taken twice) can lie on both sides of this split: `07_leakage` counts them.
# Accuracies and Dice of `02_unet` to `05_baselines` are therefore probably too high for new patients.
