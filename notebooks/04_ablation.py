# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 04 · What does each input add, and what does each gap between paper and code cost?
#
# Table I of the paper says that the image with its predicted mask is classified better than the image alone.
# Here the rows of that table are run again over several rounds, with a fifth row that
# the paper lacks, and every pair is compared on the same test images.
#
# | | |
# |---|---|
# | **reads** | the images and split of `01_preprocessing`, the U-Net of `02_unet` |
# | **writes** | `04_*` figures and tables (Table I, the tuning loop of III-B, the timings of III-C) |
# | **next** | `05_baselines` exchanges the backbone |

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["nbval-ignore-output"]
from dataclasses import replace

import pandas as pd

import lib.core.run
from lib.core import runtime
from lib.data import splits, ultrasound
from lib.evaluation import metrics as evaluation
from lib.evaluation import paired as comparison
from lib.experiments import input_ablation as ablation
from lib.experiments import paper_vs_code as switches
from lib.models import backbones
from lib.plots import ablation as plots
from lib.plots.classification import accuracy_by_input
from lib.reported import two_stage as reported
from lib.two_stage import classification, segmentation, timing, tuning
from lib.two_stage import model as pipeline

run = lib.core.run.start("04_ablation", profile, seed)
print(runtime.machine())

# %%
data = ultrasound.load(run.profile, run.cache)
split = splits.stratified(data.labels, run.seed)
print(data.source, "· split", split.digest(data.names))

# %%
settings = pipeline.Settings.of(run.profile)
stage_2 = settings.classifier
weights = f"{stage_2.backbone}, {backbones.weights_id(stage_2.backbone, stage_2.weights, run.seed)}"
what = f"{data.source} · {weights}"
print(weights)

# %% [markdown]
# ## Which masks?
#
# Two networks draw masks: the paper's **U-Net**, and one with an **ImageNet encoder** (MobileNetV2), which is
# meant to draw better; the table says whether it does. Stage 2 learns from masks of images that stage 1 was trained
# on. **Out-of-fold masks** are the usual remedy: the training part is cut into folds, and each fold's masks are drawn
# by a network that was trained on the others.

# %% tags=["nbval-ignore-output"]
unet, encoder = "paper's U-Net", "ImageNet encoder"
stages = {
    unet: (settings.segmenter, run.profile.unet_folds),
    encoder: (segmentation.Settings.pretrained(run.profile), run.profile.n_folds),
}
drawn = {
    name: ablation.draw_masks(data, split, segmenter, run.seed, n_folds, run.cache)
    for name, (segmenter, n_folds) in stages.items()
}

# %% tags=["nbval-ignore-output"]
quality = {}
for name, kinds in drawn.items():
    for kind, masks in kinds.items():
        scores = evaluation.mask_scores(data.masks, masks)
        scores["part"] = splits.part_names(split)
        quality[name, kind] = scores[scores.kind == evaluation.LESION].groupby("part", sort=False).dice.mean()
dice = pd.DataFrame(quality).T.rename_axis(["stage 1", "masks"])[list(splits.PARTS)]
run.save_table(dice, "04_dice", f"Mean Dice of lesions · {data.source} · one training of each stage 1")

# %% [markdown]
# The training part's column shows what stage 2 learns to expect; the test part's what it gets. Out of fold the two
# should agree.

# %% [markdown]
# ## Table I
#
# The same head on every input, in rounds that differ in the head's seed and, as far as the profile affords it, in
# stage 1's; the profile also says whether rounds share a split. Compare rows within one stage 1 only: the two may have
# other splits, and then other test images. *image+true mask* is an **oracle**: a normal image has an empty true mask,
# so the label is in the input.

# %%
trainings = {unet: run.profile.n_unets, encoder: run.profile.n_pretrained}
n_rounds, kind = run.profile.n_rounds, run.profile.rounds_split
plans = {name: ablation.plan(n_rounds, n, run.seed, kind) for name, n in trainings.items()}
rounds_text = "; ".join(f"{name}: {ablation.in_words(plan)}" for name, plan in plans.items())
print(rounds_text)

# %% tags=["nbval-ignore-output"]
results = {}
for name, (segmenter, n_folds) in stages.items():
    inputs = [i for i in ablation.INPUTS if n_folds or i != ablation.OUT_OF_FOLD]
    results[name] = ablation.run(data, segmenter, stage_2, plans[name], inputs, n_folds, run.cache, run.profile.n_jobs)
    assert (results[name].error == "").all(), results[name].error.unique()
pd.DataFrame({name: frame.groupby("inputs", sort=False).size() for name, frame in results.items()})

# %% tags=["nbval-ignore-output"]
printed = reported.table_i()
tables = {name: comparison.summarise(frame, printed.accuracy) for name, frame in results.items()}
table_i = pd.concat(tables, names=["stage 1", "inputs"])
run.save_table(table_i, "04_table_i", f"Table I, test accuracy · {what} · {rounds_text}")

# %% [markdown]
# The interval is Student's over rounds, taken for independent. Rounds that share a split share its test images, and
# rounds that share a training of stage 1 share its luck: it is too narrow.

# %% tags=["nbval-ignore-output"]
heads = results[encoder][["inputs", "number", "validation", "accuracy"]]
run.save_figure(accuracy_by_input(heads, printed.accuracy), "04_table_i_figure", heads)

# %% tags=["nbval-ignore-output"]
by_class = {name: comparison.class_table(frame, data) for name, frame in results.items()}
by_class["printed"] = printed.rename_axis("inputs")
by_class = pd.concat(by_class, names=["stage 1", "inputs"])
run.save_table(by_class, "04_table_i_classes", f"Table I, all columns, means over rounds · {what} · {rounds_text}")

# %% [markdown]
# ## Is one input better than another?
#
# The same test images answer both, so only those matter that one input gets right and the other wrong.

# %% tags=["nbval-ignore-output"]
pairs = [("image+mask", "image"), ("mask", "image"), (ablation.ORACLE, "image+mask")]
pairs += [(ablation.OUT_OF_FOLD, "image"), (ablation.OUT_OF_FOLD, "image+mask")]
compared = {}
for name, frame in results.items():
    right = comparison.right_answers(frame, data.labels)
    asked = [pair for pair in pairs if set(pair) <= set(right)]
    compared[name] = comparison.compare(right, asked, run.seed)
differences = pd.concat(compared, names=["stage 1", "pair"])
run.save_table(differences, "04_differences", f"Paired differences in accuracy · {what} · {rounds_text}")

# %% tags=["nbval-ignore-output"]
for name, frame in compared.items():
    print(name, *(comparison.in_words(row) for _, row in frame.iterrows()), sep="\n  ")
least = comparison.least_significant_gain()
print(f"On one hold-out the least gain that can be significant is {least} of {len(split.test)} images, {least}:0.")

# %% [markdown]
# The printed gain of image + mask over the image alone is below what one hold-out can show. The
# pooled p takes each round's answers for new evidence, although rounds on one split have the same test images: it is
# too small, and is given because the paper's rounds would be pooled so. `images` are different ones over all splits.

# %% [markdown]
# ## How good must the masks be?
#
# From no mask at all through both stages 1 to the truth, on the first split; hollow dots have some of the truth mixed
# in and are no results.

# %% tags=["nbval-ignore-output"]
blends = ablation.blends(drawn[encoder]["predicted"], data.masks, (0.15, 0.3, 0.45, 1.0))
sources = {"no mask": None, **{name: kinds["predicted"] for name, kinds in drawn.items()}, **blends}
head_seeds = range(run.seed, run.seed + run.profile.n_rounds)
gained = ablation.by_mask_quality(data, sources, split, stage_2, head_seeds, run.cache, run.seed)
run.save_figure(plots.accuracy_against_dice(gained, tuple(blends)), "04_accuracy_against_dice", gained)

# %% [markdown]
# ## What is each gap between paper and code worth?
#
# One switch at a time, from one base; where paper and code differ the base is the paper, where the paper is silent it
# is the code. Smaller images than above, so the rows compare with each other only.

# %% tags=["nbval-ignore-output"]
size = run.profile.switch_size
both = {kind: ultrasound.load(run.profile, run.cache, size=size, masks=kind) for kind in ("union", "first")}
segmenter = replace(settings.segmenter, epochs=run.profile.switch_epochs)
base = switches.Variant(segmenter, stage_2)
switched = switches.run(both, split, base, run.profile.switch_folds, head_seeds, run.cache, run.profile.n_jobs)
assert (switched.error == "").all(), switched.error.unique()

# %% tags=["nbval-ignore-output"]
cut = f"{size} pixels, {segmenter.epochs} epochs, {len(head_seeds)} heads on one U-Net"
caption = f"Paper against code · {what} · {cut}"
run.save_table(switches.table(switched, run.seed), "04_switches", caption)

# %% [markdown]
# The interval covers the choice of the test images. A row with another U-Net also carries the luck of one training.

# %% [markdown]
# ## The tuning loop (III-B)
#
# One component at a time is set to each of its choices and kept if the validation loss falls. The paper gives neither
# the choices nor the start.

# %% tags=["nbval-ignore-output"]
small = ultrasound.load(run.profile, run.cache, size=run.profile.tune_size)
n_images = run.profile.tune_images or len(split.train)
chosen = splits.sample(data.labels[split.train], (n_images,), run.seed)[0]
few = splits.Split(split.train[chosen], split.validation, split.test)
paths = {}
components = tuning.only(tuning.UNET_COMPONENTS, run.profile.tune_components)
start = replace(settings.segmenter, epochs=run.profile.tune_epochs)
loss = tuning.unet_loss(small, few, start, run.seed, run.cache)
paths["U-Net"] = tuning.coordinate_search(components, tuning.UNET_START, loss, run.profile.tune_passes)

# %% tags=["nbval-ignore-output"]
components_2 = tuning.only(tuning.HEAD_COMPONENTS, run.profile.tune_components)
x = classification.features(data.images, drawn[encoder]["predicted"], stage_2, run.cache, run.seed)
loss = tuning.head_loss(x, data.labels, len(data.classes), split, stage_2, run.seed, run.cache)
paths["classifier"] = tuning.coordinate_search(components_2, tuning.HEAD_START, loss, run.profile.tune_passes)
run.save_figure(plots.tuning_paths(paths), "04_tuning", pd.concat(paths, names=["stage", "step"]))

# %% tags=["nbval-ignore-output"]
ended = [tuning.chosen(paths["U-Net"], list(components)), tuning.chosen(paths["classifier"], list(components_2))]
paper = [pd.Series(vars(one())) for one in (segmentation.Settings, classification.Settings)]
tuned = pd.concat({"U-Net": ended[0], "classifier": ended[1]}).to_frame("here")
tuned["reported"] = [paper[stage == "classifier"][name] for stage, name in tuned.index]
tuned_on = f"{len(few.train)} training images at {run.profile.tune_size} pixels, {run.profile.tune_epochs} epochs"
run.save_table(tuned, "04_tuned", f"What the loop chose · {data.source} · U-Net: {tuned_on} · 1 round")

# %% [markdown]
# A search that takes the best of many noisy losses ends with the luckiest: another seed may end elsewhere.

# %% [markdown]
# ## How long does it take? (III-C)

# %% tags=["nbval-ignore-output"]
times = timing.of_training(data, split, pipeline.Settings(settings.segmenter, stage_2), run.seed)
times = pd.concat([times, timing.of_prediction(run.models / "two_stage", data.images[split.test])])
text = reported.text().value
printed_times = {"U-Net": "training time of the U-Net", "classifier": "training time of the classifier"}
printed_times |= {"one at a time": "inference time an image"}
beside = {name: text[key] for name, key in printed_times.items()}
timed = pd.DataFrame({"reported": beside, "here": times}).loc[times.index]
run.save_table(timed, "04_timing", f"Seconds · {what} · {runtime.machine()} · reported: RTX 2080 Ti")

# %% [markdown]
# `U-Net` is a training, scaled from epochs on a few images; `classifier` (features + head) one as it is run; `load`,
# `first call`, `one at a time` and `in a batch` are seconds for reading the saved model and for each image. The
# paper's time for an image can hardly be the networks alone.
