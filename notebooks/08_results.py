# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 08 · What stands of the two papers, and what do we know better now?
#
# This notebook trains nothing: it reads what the others of the same profile wrote, so it can be restyled at will.
# Every table keeps the caption of the notebook that made it.
#
# | | |
# |---|---|
# | **reads** | the tables of `01` to `07` |
# | **writes** | `08_*`: the targets and where each number comes from |

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %%
import pandas as pd

import lib.core.run
from lib.pipeline import results
from lib.plots import honest as plots

run = lib.core.run.start("08_results", profile, seed)
print("profile", run.profile.name, "· cut:", run.profile.cuts)

# %% [markdown]
# ## Where does each number come from?

# %% tags=["nbval-ignore-output"]
sources = results.provenance(run)
assert set(sources.seed) == {run.seed}
run.save_table(sources.groupby(["notebook", "commit", "machine"]).size().to_frame("results"), "08_sources", "Sources")

# %%
print(len(results.TARGETS), "targets;", sources.notebook.nunique(), "notebooks read")

# %% [markdown]
# ## What was to be reached, and was it?
#
# Targets were set before the runs. *reached, not shown*: the value lies on the right side of the bound, its interval
# does not. In smoke they say nothing: phantoms, random weights, a few epochs.

# %% tags=["nbval-ignore-output"]
targets = results.targets(run)
run.with_cuts("as in the table of each").save_table(targets, "08_targets", "Targets and what this run reached")

# %% [markdown]
# # Paper A
#
# ## Stage 1: the printed loss beside ours

# %% tags=["nbval-ignore-output"]
results.show(run, "02_loss")

# %% [markdown]
# ## Table I: inputs of stage 2

# %% tags=["nbval-ignore-output"]
results.show(run, "04_table_i", index_col=[0, 1])

# %% tags=["nbval-ignore-output"]
results.show(run, "04_differences", index_col=[0, 1])

# %% [markdown]
# The oracle's rows hold the label in their input; they bound what masks can bring and are no results.

# %% [markdown]
# ## Paper against code

# %% tags=["nbval-ignore-output"]
results.show(run, "04_switches")

# %% [markdown]
# ## Table II: backbones

# %% tags=["nbval-ignore-output"]
results.show(run, "05_table_ii")

# %% tags=["nbval-ignore-output"]
results.show(run, "05_gains_paired", index_col=[0, 1])

# %% [markdown]
# ## Timing

# %% tags=["nbval-ignore-output"]
results.show(run, "04_timing")

# %% [markdown]
# # Beyond paper A: no relatives between training and test

# %% tags=["nbval-ignore-output"]
results.show(run, "07_leak")

# %% tags=["nbval-ignore-output"]
models = run.read_table("07_models")
run.save_figure(plots.scores_with_intervals(models), "08_models", models)

# %% tags=["nbval-ignore-output"]
results.show(run, "07_comparisons")

# %% tags=["nbval-ignore-output"]
results.show(run, "07_elsewhere")

# %% tags=["nbval-ignore-output"]
results.show(run, "07_segmentation_elsewhere")

# %% tags=["nbval-ignore-output"]
results.show(run, "07_calibration")

# %% tags=["nbval-ignore-output"]
results.show(run, "07_operating_point")

# %% [markdown]
# # Model card
#
# **What it is.** The ensemble and the two-stage models of `07_honest_evaluation`: networks that name a breast
# ultrasound image normal, benign or malignant and draw the lesion. The model that `03_classifier` saves
# (`python -m lib.predict`) is a sibling with the paper's own U-Net; it was tested on one random split only.
#
# **What it is for.** Research into methods and their evaluation. It is no medical device: no clinical use, no
# screening, no second opinion, no decision about a person.
#
# **Data.** BUSI: women of one hospital, examined with one make of scanner, images chosen and cropped by its
# authors, labels and masks from them alone. There are no patient numbers: images are grouped by what they show, so
# pictures of one woman that look different may still lie on both sides. Age, density and histology are not given:
# how the model differs between groups of people cannot be measured here.
#
# **Known weaknesses.** The shares of the classes are those of a collection, not of a clinic, so predictive values do
# not carry over. How much burnt-in marks and the drawn mask sway the answers is measured on one fold, in `07_why`.
# No other hospital's images were tested.
#
# **Figures.** Grouped folds, every image tested once; the threshold of the operating point is chosen on validation
# data to find 95 % of the malignant images, and the table says whether it does. Intervals are over groups; those of
# sensitivity and specificity are Wilson's, and too narrow. In smoke the figures are of phantoms.

# %% tags=["nbval-ignore-output"]
own = run.with_cuts(run.profile.grouped_cuts)
own.save_table(
    results.card(run), "08_model_card", f"Key figures of the models, 95 % intervals · data {run.profile.data}"
)

# %% tags=["nbval-ignore-output"]
results.show(run, "07_why")

# %% [markdown]
# # Paper B
#
# ## Which printed parameter counts can be?

# %% tags=["nbval-ignore-output"]
counts = run.read_table("06_forensics").verdict.value_counts()
counts.to_frame("printed counts")

# %%
assert counts.get("match", 0) > 0
pd.Series(sorted(counts.index), name="verdict").to_frame()

# %% tags=["nbval-ignore-output"]
results.show(run, "06_table_4")

# %% tags=["nbval-ignore-output"]
results.show(run, "06_random_spread")

# %% tags=["nbval-ignore-output"]
results.show(run, "06_compact", precision=4)
