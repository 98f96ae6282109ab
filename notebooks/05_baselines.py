# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 05 · How much does the choice of the ImageNet network matter?
#
# Table II of the paper sets its model against thirteen ImageNet networks, each as the frozen backbone of the same
# head on the image alone. Some of its figures are strangely low, VGG-16's and EfficientNetV2's for two.
# The authors' code gives every network raw pixels in [0, 1]; the networks were trained with a preprocessing of
# their own.
#
# | | |
# |---|---|
# | **reads** | the images and split of `01_preprocessing`, the masks of `04_ablation` (cached) |
# | **writes** | `05_*` figures and tables (Table II) |
# | **next** | `06_nas` is the second paper; `07_honest_evaluation` asks what all these figures are worth |

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["nbval-ignore-output"]
import pandas as pd

import lib.core.run
from lib.core import runtime
from lib.data import splits, ultrasound
from lib.evaluation import statistics as significance
from lib.experiments import backbone_comparison as baselines
from lib.experiments import input_ablation as ablation
from lib.models import backbones
from lib.plots import ablation as plots
from lib.reported import two_stage as reported
from lib.two_stage import classification, segmentation

run = lib.core.run.start("05_baselines", profile, seed)
print(runtime.machine())

# %%
data = ultrasound.load(run.profile, run.cache)
plan = ablation.plan(run.profile.n_rounds, run.profile.n_pretrained, run.seed, run.profile.rounds_split)
parts = {one.split_seed: splits.stratified(data.labels, one.split_seed) for one in plan}
print(data.source, "· splits", *(split.digest(data.names) for split in parts.values()))

# %% [markdown]
# ## Which networks?
#
# The paper takes, of each family, the variant with the highest accuracy on ImageNet in Keras Applications. For
# Inception, NASNet, EfficientNet, EfficientNetV2 and ConvNeXt it does not say which that is: their sizes are a guess.

# %%
names = list(backbones.BACKBONES) if run.profile.baselines == "all" else run.profile.baselines.split()
printed = reported.table_ii()
print(len(backbones.BACKBONES), "networks in Table II, in this run:", ", ".join(names))

# %% [markdown]
# ## What does each cost?
#
# Counted from the layers, without the top; the time is of this machine, warm, in a batch of 16.

# %% tags=["nbval-ignore-output"]
costs = baselines.costs(names, run.profile.image_size, run.cache / "rounds")
size = run.profile.image_size
run.save_table(costs, "05_costs", f"Cost of an image of {size} × {size} pixels · {runtime.machine()}", precision=1)

# %%
assert (costs.parameters > 0).all()
assert (costs["multiply-adds"] > costs.features).all()
costs[["parameters", "features"]]

# %% [markdown]
# ## Whose weights are here?
#
# Weights are looked up on this machine and downloaded otherwise. A network without weights gets a row that says so,
# and nothing else stops.

# %% tags=["nbval-ignore-output"]
stage_2 = classification.Settings.of(run.profile)
sources = {name: backbones.weights_id(name, stage_2.weights, run.seed) for name in names}
pd.Series(sources, name="weights").to_frame()

# %% [markdown]
# ## Table II
#
# The same head, the same training and the same images for each; raw pixels as in the authors' code, then each
# network's own preprocessing. Besides the image alone: with masks of the stage 1 that has an ImageNet encoder, as
# the paper does (`image+mask`), and with out-of-fold masks for the training part.

# %% tags=["nbval-ignore-output"]
stage_1 = segmentation.Settings.pretrained(run.profile)
inputs = ("image", "image+mask", ablation.OUT_OF_FOLD)
variants = [("raw", "image"), ("own", "image"), *(("raw", name) for name in inputs[1:])]

# %% tags=["nbval-ignore-output"]
folds, n_jobs = run.profile.n_folds, run.profile.n_jobs
answers = baselines.run(data, stage_1, stage_2, names, variants, plan, folds, run.cache, n_jobs)
done = answers[answers.error == ""]
print(len(done), "of", len(answers), "rows;", answers.backbone.nunique() - done.backbone.nunique(), "without weights")

# %% tags=["nbval-ignore-output"]
table_ii = baselines.table(answers, printed.accuracy, costs)
what = f"{data.source} · {ablation.in_words(plan)}"
run.save_table(table_ii, "05_table_ii", f"Table II, test accuracy by backbone · {what}")

# %% [markdown]
# Standard deviations (`sd`) are over rounds: of heads, and of the splits and trainings of stage 1 that differ.
# One test image is worth the step between two neighbouring values of accuracy:

# %%
print({f"{len(split.test)} test images, one is {1 / len(split.test):.4f}" for split in parts.values()})

# %% tags=["nbval-ignore-output"]
run.save_figure(plots.accuracy_against_cost(table_ii, "image, raw"), "05_accuracy_against_cost", table_ii)

# %% [markdown]
# ## Are the low figures explained?
#
# The Wilson interval of each printed figure beside what raw and own preprocessing give here. A figure inside the
# interval of its neighbour needs no explanation.

# %% tags=["nbval-ignore-output"]
n_printed = 79  # test images of the paper: the accuracies of Tables I and II are its multiples
explained = table_ii[[name for name in ("reported", "image, raw", "image, own") if name in table_ii]].copy()
bounds = [significance.proportion_interval(round(value * n_printed), n_printed) for value in explained.reported]
explained["printed low"], explained["printed high"] = zip(*bounds, strict=True)
for column in [name for name in explained if name.startswith("image, ")]:
    explained[f"{column}: inside"] = explained[column].between(explained["printed low"], explained["printed high"])
explained = explained.dropna(subset=["image, raw"])
run.save_table(explained, "05_explained", f"Printed accuracy (95 % Wilson interval) and ours · {what}")

# %% tags=["nbval-ignore-output"]
for name, row in explained.iterrows():
    effect = row["image, own"] - row["image, raw"]
    print(f"{name}: own preprocessing {effect:+.3f} against raw; printed {row.reported - row['image, raw']:+.3f}")

# %% [markdown]
# ## Does the mask help every network?

# %% tags=["nbval-ignore-output"]
gains = {of: baselines.gains(answers, of, "image") for of in inputs[1:]}
gains = pd.concat({name: frame.gain for name, frame in gains.items()}, axis=1)
run.save_table(gains, "05_gains", f"Accuracy gained over the image alone, means over rounds · {what}")

# %% tags=["nbval-ignore-output"]
compared = baselines.compare(answers, inputs[1:], "image", run.seed)
run.save_table(compared, "05_gains_paired", f"The same by backbone and for all, paired · {what}")

# %% [markdown]
# The interval draws test images anew, each with all its backbones and rounds: many networks that look at one picture
# are not many pictures.

# %%
assert answers.error.where(answers.error != "", None).dropna().str.contains("WeightsError").all()
assert done.get("accuracy", pd.Series(dtype=object)).map(lambda values: all(0 <= value <= 1 for value in values)).all()
print("every row has a result or says that its weights are missing")
