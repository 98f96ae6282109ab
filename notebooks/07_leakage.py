# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 07 · How much of the printed accuracy may be recognition of related images?
#
# BUSI holds several images of one lesion, mirrored or shifted frames, and the same file under two names. A random split
# puts some of them on both sides. Here related images are found and kept together, every image is tested exactly once
# by models that have seen neither it nor a relative, and the paper's U-Net and inputs, with three other backbones, are
# measured so, and under random folds too where networks of these are trained. BUSI has no patient numbers, so that
# images of one patient may still lie on both sides.
#
# | | |
# |---|---|
# | **reads** | BUSI; `overrides.csv` (`first,second,related`) and the published list of related images, if at hand |
# | **writes** | groups to review, conflicting labels, leak shares, the paper's models under both kinds of folds |
# | **next** | `08_better_models` measures better models under the same folds |

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["nbval-ignore-output"]
from IPython.display import Markdown, display

from lib.core import words
from lib.core.run import start
from lib.data import near_duplicates
from lib.evaluation import paired
from lib.experiments import grouped_data as leakage
from lib.experiments import model_comparison as models
from lib.experiments.grouped_cv import GroupedCV
from lib.plots import grouped as plots
from lib.reported import two_stage as reported

run = start("07_leakage", profile, seed)
Markdown(f"*Profile {run.profile.name}: {run.profile.note}.*")

# %% [markdown]
# ## Which images are related?
#
# A perceptual hash proposes pairs, an image registration (shift, stretch, mirror) compares their fine structure: a
# pair whose score (correlation times the root of the overlap) reaches one threshold is related, a lower one uncertain.
# Groups are connected components; manual corrections take precedence. The groups are set beside the published list of
# Pawłowska, Karwat and Żołek (2023), which was at hand when the thresholds were chosen: that all its pairs are found
# is no independent test. For phantoms the planted relatives stand in.

# %%
cv = GroupedCV.of(run.profile, run.seed)
found, pairs = leakage.related_images(run, cv)
what = f"{cv.table.source} · {run.profile.weights} weights"
print(what)
print(f"Thresholds of the score: related {near_duplicates.SCORE}, uncertain {near_duplicates.UNCERTAIN}.")

# %% tags=["nbval-ignore-output"]
recall = leakage.recall_table(cv, found)
run.save_table(recall, "07_related_images", f"Related images found and listed · {cv.table.source}")

# %%
value = recall["value"]
print(f"{value['of them found']:.0f} of {value['listed pairs']:.0f} listed pairs have both images in one group.")
print(f"{value['images with relatives']:.0f} of {value['images']:.0f} images have a relative.")

# %% [markdown]
# Pairs that the list does not have, then the least sure of the others; the figure shows one pair of a group. Are they
# one lesion? Corrections go into `overrides.csv`; the next run takes them in.

# %% tags=["nbval-ignore-output"]
unsure = leakage.pair_table(cv, found, pairs)
run.save_figure(
    plots.image_pairs(cv.source.open(), unsure.drop_duplicates("group")), "07_pairs_figure", of=cv.table.source
)

# %% tags=["nbval-ignore-output"]
columns = ["first image", "second image", "first label", "second label", "correlation", "listed"]
first = unsure[columns].head(12)
run.save_table(first, "07_pairs", f"Pairs beyond the list, then the least sure · {cv.table.source}")

# %% tags=["nbval-ignore-output"]
beyond = unsure[~unsure["listed"].astype(bool)]
print(f"{len(beyond)} pairs are not in the list; they join {len(set(beyond['first']) | set(beyond['second']))} images.")

# %% tags=["nbval-ignore-output"]
review = leakage.review_table(cv, pairs)
display(run.save_table(review, "07_groups", f"All images with relatives, to review · {cv.table.source}", rows=6))
same = review["identical"].sum()
print(f"{same} of {len(review)} images with relatives have the same pixels as another image.")

# %% [markdown]
# Where related images have different labels, one of them may be wrong. They are kept, together.

# %% tags=["nbval-ignore-output"]
conflicts = leakage.conflict_table(cv)
run.save_table(conflicts, "07_conflicts", f"Groups with different labels · {cv.table.source}")

# %% tags=["nbval-ignore-output"]
print(f"{len(conflicts)} groups, {conflicts['images'].sum():.0f} images.")
for labels, number in conflicts["labels"].value_counts().items():
    print(f"{labels}: {number} groups.")

# %% [markdown]
# ## How many test images have a relative in training?
#
# By the paper's rule many splits are drawn: the table has the mean share and the range that holds 95 % of them. Of
# folds it has the mean, the least and the most; they train on 60 % of the images, the paper's split on 80 %, so that
# fewer relatives are in training.

# %% tags=["nbval-ignore-output"]
random = GroupedCV.of(run.profile, run.seed, grouped=False)
shares = leakage.leak_shares(cv, random)
run.save_table(shares, "07_leak", f"Share of test images with a relative in training · {cv.table.source}")

# %%
for name, row in shares.iterrows():
    print(f"{name}: {100 * row.share:.1f} % of the test images have a relative in training.")

# %% [markdown]
# The folds of everything that follows: fold k is tested, fold k + 1 validates, the others train.

# %% tags=["nbval-ignore-output"]
run.save_table(leakage.fold_table(cv), "07_folds", f"Images and groups in each fold · {cv.table.source}")

# %% tags=["nbval-ignore-output"]
tested = (cv.folds >= 0).sum()
print(f"{tested} of {len(cv.folds)} images are in the plan, each tested in one of {cv.n_folds} folds.")

# %% [markdown]
# ## What do the paper's inputs reach under both kinds of folds?
#
# The paper's U-Net as printed, one for each test fold; stage 2 is trained on masks that it predicted for its own
# training images, as printed. Accuracies are means over the heads' seeds. Folds whose networks are not trained yet are
# missing. To subtract these accuracies from those of `04_ablation` does not measure the leak: folds train on fewer
# images (60 % instead of 80 %). Random minus grouped folds does.

# %% tags=["nbval-ignore-output"]
inputs = ("image, ", "image + mask as printed")
answers, leaky = (models.answers(run, folds, inputs) for folds in (cv, random))
right = models.rights(cv, answers)
protocols = leakage.protocol_table(cv, answers, random, leaky)
run.save_table(protocols, "07_protocols", f"The paper's inputs, out of fold, 95 % intervals over groups · {what}")

# %% tags=["nbval-ignore-output"]
run.save_figure(
    plots.scores_with_intervals(protocols, models.references(cv), ("accuracy",)), "07_protocols_figure", of=what
)

# %% tags=["nbval-ignore-output"]
for folds, rows in protocols.droplevel("model").groupby("protocol", sort=False):
    done = ", ".join(rows["folds"].unique())
    print(f"{folds}: accuracies from {rows['accuracy'].min():.3f} to {rows['accuracy'].max():.3f} ({done} folds).")

# %% tags=["nbval-ignore-output"]
effect = leakage.leak_effect(cv, right, models.rights(random, leaky))
run.save_table(effect, "07_leak_effect", f"Accuracy, random minus grouped folds, 95 % intervals over groups · {what}")

# %% tags=["nbval-ignore-output"]
if effect.empty:
    print("No network of random folds is trained yet: what related images alone are worth is not known here.")
else:
    print(paired.in_words(effect), f"Random folds that are done: {', '.join(effect['folds'].unique())}.", sep="\n")

# %% tags=["nbval-ignore-output"]
classes = models.class_table(cv, answers)
run.save_table(classes, "07_classes", f"Columns of Table I under grouped folds, means over seeds · {what}")

# %% tags=["nbval-ignore-output"]
for name, row in classes.filter(like="recall").T.iterrows():
    print(f"{name}: {words.span(row)}.")

# %% [markdown]
# ## Does the mask still help when related images are kept together?
#
# The second primary endpoint (P2): image and mask minus image, mean over backbones, heads and all images. The paper
# prints nothing for grouped folds, so an interval that includes zero is undecided (protocol, section 5).

# %% tags=["nbval-ignore-output"]
gain = models.mask_gain(cv, right)
run.save_table(gain, "07_gain", f"Accuracy gained by masks as printed, intervals over groups · {what}", precision=4)

# %% tags=["nbval-ignore-output"]
print(paired.in_words(gain.tail(1)))
printed = reported.table_i().accuracy
printed = printed["image+mask"] - printed["image"]
for _, row in gain.tail(1).iterrows():
    where = "inside" if row["95 % low"] <= printed <= row["95 % high"] else "outside"
    print(f"P2: {row.folds} folds, {row.verdict}. The printed gain, {printed:+.3f}, lies {where} the interval.")

# %% [markdown]
# Does it depend on what counts as related? Models and folds stay as they are, so that in the first three rows only the
# interval can change, by the groups that the bootstrap draws; in the last images are left out.

# %% tags=["nbval-ignore-output"]
others = leakage.sensitivity_table(cv, right, found, pairs)
run.save_table(others, "07_gain_sensitivity", f"The same gain with other groups · {what}", precision=4)

# %% tags=["nbval-ignore-output"]
print(paired.in_words(others))
