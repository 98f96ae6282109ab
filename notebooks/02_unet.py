# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 02 · How well does a U-Net find the lesion?
#
# Stage 1 of paper A (II-B): a U-Net predicts the lesion mask from the image. Stage 2 will get its masks
# instead of a radiologist's, so what it misses or invents here is what the classifier has to live with.
#
# | | |
# |---|---|
# | **reads** | the images and splits of `01_preprocessing` |
# | **writes** | `02_*` figures and tables: ten trainings, mask quality, the tuning loop, the time |
# | **next** | `03_classifier` names the class |

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["nbval-ignore-output"]
import pandas as pd
from IPython.display import display

from lib.core import words
from lib.core.run import start
from lib.experiments import input_ablation, mask_quality, tuning_loop
from lib.experiments.paper_a import Plan
from lib.plots import ablation
from lib.plots import two_stage as plots
from lib.reported import two_stage as reported

run = start("02_unet", profile, seed)
plan = Plan(run.profile, run.seed)
print(f"Profile {run.profile.name}: {run.profile.note}.")

# %%
data = plan.source.open()
printed = reported.text()["value"]
print(data.source)

# %% [markdown]
# ## Which network?
#
# Five contraction blocks, four expansion blocks, batch normalisation after each 3×3 convolution, dropout
# after each pooling and in each expansion block. The paper does not give the widths; they come from the
# authors' code, in which the decoder's dropout is defined but never connected: `decoder_dropout=False` is that
# network, tried in `04_ablation`; here dropout is active, as the paper has it.

# %%
settings = plan.unet_settings
chosen = pd.DataFrame({"paper, else its code": vars(type(settings)()), "here": vars(settings)}).rename_axis("setting")
chosen = chosen.loc["filters":"keep"].drop("bn_momentum")
title = "Settings of stage 1, of the paper or, where it names none, of its code, and of this run"
display(run.save_table(chosen, "02_settings", title))
other = chosen[chosen["here"] != chosen["paper, else its code"]]
print(f"{len(chosen) - len(other)} of {len(chosen)} settings are those of the paper, else of its code.")

# %%
counts = plan.parameters()
print(f"Parameters: {counts['paper']:,} with the widths of the authors' code, {counts['here']:,} here.")

# %% [markdown]
# ## Does it learn?
#
# Adam, binary cross-entropy, and the epoch with the lowest validation loss is kept. The test part is not
# read. Each round has its own split and its own initial weights.

# %% tags=["nbval-ignore-output"]
unets = run.results(plan.unet(one) for one in plan.rounds)
what = f"{data.source} · {input_ablation.progress(unets)}"
print(what)

# %% tags=["nbval-ignore-output"]
histories = mask_quality.histories(unets)
loss = printed["validation loss of the U-Net, mean of 10 rounds"]
run.save_figure(plots.learning_curves(histories, loss), "02_learning_curves", histories, of=what)

# %% [markdown]
# Early validation losses jump, because the running statistics of batch normalisation still remember the start; they
# lie above the figure. Later the training loss goes on falling where the validation loss does not: overfitting.

# %% tags=["nbval-ignore-output"]
print(mask_quality.overfitting_in_words(histories))

# %% tags=["nbval-ignore-output"]
losses = input_ablation.validation(plan, unets, {}).droplevel("network")
losses.insert(0, "paper", loss)
run.save_table(losses, "02_loss", f"Validation cross-entropy of the kept epoch, nats per pixel · {what}", precision=4)

# %% tags=["nbval-ignore-output"]
kept = histories[histories["kept"].astype(bool)]
print(f"Rounds range from {kept['val_bce'].min():.3f} to {kept['val_bce'].max():.3f}; printed mean {loss}.")
print(f"Kept epochs: {kept['epoch'].min()} to {kept['epoch'].max()} of {settings.epochs}.")

# %% [markdown]
# ## How well do the masks overlap?
#
# Means over pixels are dominated by the background, so a low loss tells little about borders. Dice and IoU at
# threshold 0.5, image by image. **Images with and without lesion are kept apart**: without a lesion, Dice is 1 if
# nothing is predicted and 0 otherwise. HD95, the 95th percentile of the distance between the borders in pixels of the
# resized image, and surface Dice, the share of both borders within 2 pixels of the other, exist for lesions only; a
# missed lesion counts in HD95 as the image's diagonal. *missed or invented*: lesions of which the mask has no pixel,
# and masks where there is no lesion.

# %% tags=["nbval-ignore-output"]
wanted = {("train", 0): plan.mask_scores(plan.rounds[0], "train")}
wanted |= {(part, one.number): plan.mask_scores(one, part) for part in ("validation", "test") for one in plan.rounds}
scores = mask_quality.frame(plan, run.results(wanted))
overlap = mask_quality.over_rounds(scores)
run.save_table(overlap, "02_overlap", f"Mask quality, means over rounds · {what}")

# %% tags=["nbval-ignore-output"]
for kind, row in overlap.query("part == 'test' and kind != 'all'").droplevel("part").iterrows():
    wrong = "are missed altogether" if kind == "lesion" else "get a mask all the same"
    print(f"Test images, {kind}: mean Dice {row['dice']:.3f}; {100 * row['missed or invented']:.1f} % {wrong}.")

# %% tags=["nbval-ignore-output"]
lesions = scores[scores["kind"] == "lesion"]
run.save_figure(plots.dice_distribution(lesions), "02_dice", lesions, of=f"{what}, {len(lesions):,} masks")

# %% tags=["nbval-ignore-output"]
by_class = lesions.groupby(["part", "class"], sort=False)["dice"].agg(["count", "mean", "std", "median"])
by_class = by_class.set_axis(["masks", "mean", "sd", "median"], axis=1)
run.save_table(by_class, "02_dice_by_class", f"Dice of lesions by class, all rounds (training part: round 0) · {what}")

# %% tags=["nbval-ignore-output"]
tested = by_class.query("part == 'test'").droplevel("part")
print(f"Mean Dice of lesions in test images: {words.listed(tested['mean'])}.")

# %% tags=["nbval-ignore-output"]
dice = lesions.pivot_table("dice", "part", "round").reindex(["train", "validation", "test"])
print(f"Lesion Dice of the test part, by round: {dice.loc['test'].min():.3f} to {dice.loc['test'].max():.3f}.")

# %% [markdown]
# ## Are masks of training images better than those of new images?
#
# Stage 2 is trained on masks that the U-Net predicts for its **own training images**, and tested on masks of
# images it has never seen. If the first are much better, stage 2 learns to trust masks more than it should.
# `04_ablation` tries the usual precaution, masks predicted out of fold.

# %% tags=["nbval-ignore-output"]
train, test = dice.reindex(columns=[0]).loc[["train", "test"], 0]
gap = words.number(train - test, "+.3f")
print(f"Lesion Dice in round 0: training part {train:.3f}, test part {test:.3f}, gap {gap}.")
by_round = dice.loc["test"]
place = by_round.rank(ascending=False).reindex([0]).item()
rank = f"round 0 ranks {place:.0f} of {len(by_round)}, 1 being the best"
print(f"By the Dice of its test part {rank}; the mean is {by_round.mean():.3f}.")

# %% [markdown]
# ## Which masks are good, which are not?
#
# Test images of round 0 with the lowest (first row), middle and highest Dice; then the normal images with the largest
# predicted lesions. The true border is yellow, the predicted one pink. Images that look alike may show one lesion
# (`07_leakage`).

# %% tags=["nbval-ignore-output"]
first = scores[(scores["part"] == "test") & (scores["round"] == 0)].set_index("image")
ordered = first[first["kind"] == "lesion"]["dice"].sort_values()
middle = len(ordered) // 2
shown = pd.concat([ordered[:4], ordered[middle - 2 : middle + 2], ordered[-4:]])
run.save_figure(
    plots.masks(data, unets[0], shown.map("Dice {:.2f}".format)),
    "02_masks",
    of=f"{data.source}, {len(first)} of them tested",
)

# %% tags=["nbval-ignore-output"]
normals = first[first["kind"] != "lesion"]["predicted_area"].sort_values(ascending=False)
run.save_figure(
    plots.masks(data, unets[0], normals[:8].map("{:.1%} of the image".format)),
    "02_false_alarms",
    of=f"{data.source}, {len(normals)} normal ones tested",
)

# %% tags=["nbval-ignore-output"]
print(f"In {(normals > 0).sum()} of {len(normals)} test images without lesion, round 0, the U-Net draws one.")

# %% [markdown]
# ## Does the size of the lesion matter?
#
# Dice punishes a shift of one pixel more in a small lesion than in a large one, so part of a difference here is
# geometry and not skill.

# %% tags=["nbval-ignore-output"]
thirds = lesions.groupby("part", sort=False)["true_area"].rank(pct=True).mul(3).clip(upper=2.99).astype(int)
size = thirds.map({0: "small", 1: "medium", 2: "large"}).rename("size")
by_size = lesions.groupby(["part", size], sort=False)["dice"].agg(masks="size", mean="mean", sd="std")
run.save_table(
    by_size,
    "02_dice_by_size",
    f"Dice by lesion size (thirds of each part), all rounds (training part: round 0) · {what}",
)

# %% tags=["nbval-ignore-output"]
tested = by_size.query("part == 'test'").droplevel("part")
print(f"Mean Dice of lesions in test images: {words.listed(tested['mean'])}.")

# %% [markdown]
# ## What does the tuning loop choose? (III-B)
#
# One component at a time is set to each of its choices and kept if the validation loss falls. Start and choices are
# those of the authors' code, which begins with what the paper ends with, but for the dropout (0.05): does the loop stay
# there? A search that takes the best of many noisy losses ends with the luckiest: another seed may end elsewhere.

# %% tags=["nbval-ignore-output"]
path = tuning_loop.search(plan, "unet", run.result)
run.save_figure(ablation.tuning_path(path), "02_tuning", path, of=f"{len(path)} trainings")

# %% tags=["nbval-ignore-output"]
size, epochs = run.profile.tune_size, run.profile.tune_epochs
ended = "the loop ended by itself" if path.attrs["finished"] else "the loop is not finished"
chosen = tuning_loop.table(path, settings)
run.save_table(
    chosen, "02_tuned", f"What the loop chose · {len(path)} trainings at {size} pixels, {epochs} epochs · {ended}"
)

# %% tags=["nbval-ignore-output"]
print(tuning_loop.in_words(chosen))

# %% [markdown]
# How many epochs are enough? The paper tunes that too; one long training hints at it.

# %% tags=["nbval-ignore-output"]
curve = mask_quality.histories(run.results([plan.unet_trial({})]))
run.save_figure(plots.learning_curves(curve, loss), "02_long_curve", curve, of=f"{data.source}, one training")

# %% tags=["nbval-ignore-output"]
best = curve.sort_values("val_bce")[:1]
for row in best.itertuples():
    print(f"Of {len(curve)} epochs number {row.epoch} has the lowest validation loss, {row.val_bce:.3f}.")
caption = f"Best of {len(curve)} epochs · {data.source}"
run.save_table(best[["epoch"]].set_axis(["U-Net"] * len(best)), "02_best_epoch", caption)

# %% [markdown]
# ## How long does a training take? (III-C)
#
# Here a few epochs on 128 images are timed and scaled to all epochs and training images; the paper's time was measured
# on an RTX 2080 Ti.

# %% tags=["nbval-ignore-output"]
times = run.result(plan.times())
row = {"paper": printed["training time of the U-Net"], "here": times["seconds"]["U-Net"] if times else None}
training = pd.DataFrame({"training of the U-Net": row}).T
machine = times["machine"] if times else "not measured yet"
run.save_table(training, "02_timing", f"Seconds of one training · {machine}", precision=0)
