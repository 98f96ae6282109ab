# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 08 · How good can it get without leaks, and could one use it?
#
# Better masks, better classifiers and an ensemble under the grouped folds of `07_leakage`; then what a clinician would
# ask: are the probabilities right, does the model know when it does not know, how many malignant lesions are missed,
# what does it look at, and what happens in another hospital?
#
# | | |
# |---|---|
# | **reads** | BUSI in the grouped folds of `07_leakage`; BUS-UCLM and the list of Curated BUSI, if at hand |
# | **writes** | mask quality, comparison of models, calibration, operating point, activation maps, other data |
# | **next** | `09_results` puts all chapters side by side |

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["nbval-ignore-output"]
from IPython.display import Markdown, display

from lib.core.run import start
from lib.experiments import clinical_use as use
from lib.experiments import external, interpretability, mask_quality
from lib.experiments import model_comparison as models
from lib.plots import calibration as plots
from lib.plots import grouped

run = start("08_better_models", profile, seed)
Markdown(f"*Profile {run.profile.name}: {run.profile.note}.*")

# %%
cv = models.GroupedCV.of(run.profile, run.seed)
what = f"{cv.table.source} · {cv.n_folds} grouped folds · {run.profile.weights} weights"
print(what)

# %% [markdown]
# ## How good are the masks?
#
# The paper's U-Net beside a U-Net with an ImageNet encoder: a single network, and the ensemble of all networks that
# have not seen the image's fold. Both masks empty: Dice 1, distance 0. One empty: Dice 0, distance the image's
# diagonal. Lesions and images without lesion stand apart.

# %% tags=["nbval-ignore-output"]
scores = mask_quality.mask_scores(run, cv)
masks = mask_quality.mask_table(scores, run.seed)
run.save_table(masks, "08_masks", f"Masks out of fold, 95 % intervals over groups · {what}")

# %% [markdown]
# The fourth primary endpoint (P4): lesion Dice against 0.75.

# %%
print(f"Bounds: lesion Dice {mask_quality.DICE_BOUND}, accuracy of the ensemble {models.ACCURACY_BOUND}")

# %% tags=["nbval-ignore-output"]
dice = mask_quality.mask_endpoint(cv, scores)
display(run.save_table(dice, "08_lesion_dice", f"Lesion Dice against the bound of P4 · {what}", precision=4))
for name, row in dice.iterrows():
    interval = f"95 % interval {row['95 % low']:.3f} to {row['95 % high']:.3f}"
    print(f"Lesion Dice, {name}: {row.dice:.3f} ({interval}, {row.trainings} folds): {row.verdict}.")

# %% tags=["nbval-ignore-output"]
beside = mask_quality.beside_published(masks)
run.save_table(beside, "08_masks_elsewhere", "Lesion masks here and as printed elsewhere: other splits, no comparison")

# %% [markdown]
# Recipes for better masks (section 7.2 of `report/protocol.md`, exploratory): one training each, tried beside the first
# test fold. The lesions of the validation fold choose the winner, the test fold chooses nothing.

# %% tags=["nbval-ignore-output"]
recipes = mask_quality.recipe_table(run, cv)
run.save_table(recipes, "08_recipes", f"Mean Dice by recipe of stage 1, validation and test fold · {what}")

# %% tags=["nbval-ignore-output"]
best = recipes if recipes.empty else recipes.nlargest(1, "validation lesion")
for name, row in best.iterrows():
    both = f"{row['validation lesion']:.3f} on the validation fold, {row['test lesion']:.3f} on the test fold"
    print(f"Best of {len(recipes)} recipes done: {name}; lesion Dice {both}.")

# %% [markdown]
# ## Which classifier is best without leaks?
#
# One row is one change from the paper's head on the image, or another model. Masks come from networks that have seen
# neither the image nor the test fold, for training, validation and test images alike.

# %% tags=["nbval-ignore-output"]
answers = models.with_ensembles(cv, models.answers(run, cv))
right = models.rights(cv, answers)
table = models.score_table(cv, answers)
run.save_table(table, "08_models", f"Classifiers out of fold, 95 % intervals over groups · {what}")

# %% tags=["nbval-ignore-output"]
run.save_figure(grouped.scores_with_intervals(table), "08_models_figure", table)

# %% tags=["nbval-ignore-output"]
differences = models.against_image(cv, right)
run.save_table(differences, "08_differences", f"Accuracy against the image alone, 95 % intervals over groups · {what}")

# %% [markdown]
# The third primary endpoint (P3): accuracy of the ensemble against 0.80, its members fixed by the protocol. Greedy
# selection on validation data stands beside it.

# %%
print("Members:", "; ".join(models.classifiers.members(run.profile)))

# %% tags=["nbval-ignore-output"]
endpoint = models.ensemble_endpoint(cv, right)
display(run.save_table(endpoint, "08_ensemble", f"Ensembles against the bound of P3 · {what}", precision=4))
for name, row in endpoint.iterrows():
    interval = f"95 % interval {row['95 % low']:.3f} to {row['95 % high']:.3f}"
    print(f"Accuracy, {name}: {row.accuracy:.3f} ({interval}, {row.trainings} folds): {row.verdict}.")

# %% [markdown]
# Do better masks help stage 2?

# %% tags=["nbval-ignore-output"]
gain = models.mask_gain(cv, right, "image + mask")
display(run.save_table(gain, "08_gain", f"Accuracy gained by masks of the ImageNet encoder · {what}", precision=4))
for _, row in gain.tail(1).iterrows():
    interval = f"95 % interval {row['95 % low']:+.3f} to {row['95 % high']:+.3f}, p = {row.p:.4f}"
    print(f"Accuracy gained: {row.difference:+.3f} ({interval}, {row.trainings} folds): {row.verdict}.")

# %% [markdown]
# How much of this is luck of the partition? P2 to P4 in each partition of the folds; the last interval resamples
# partitions and groups.

# %% tags=["nbval-ignore-output"]
partitions = models.partition_table(run)
run.save_table(partitions, "08_partitions", f"Endpoints by partition of the folds · {what}", precision=4)

# %% [markdown]
# ## Can the probabilities be believed?
#
# The ensemble's; a temperature for each fold, fitted on its validation fold. Slope and intercept are of malignant
# against the rest: 1 and 0 are right.

# %% tags=["nbval-ignore-output"]
one = answers.get(models.ENSEMBLE)
believed = use.calibration_table(cv, one)
display(run.save_table(believed, "08_calibration", f"Calibration of the ensemble, out of fold · {what}"))
for name, row in believed.iterrows():
    interval = f"95 % interval {row['95 % low']:.3f} to {row['95 % high']:.3f}"
    print(f"Expected calibration error {name}: {row.ECE:.3f} ({interval}); slope for malignant {row.slope:.2f}.")

# %% tags=["nbval-ignore-output"]
run.save_figure(plots.reliability_plot(use.reliabilities(cv, one)), "08_reliability")

# %% [markdown]
# ## Does it know when it does not know?
#
# Images are set aside, the most uncertain first; the error rate of the others is the risk.

# %% tags=["nbval-ignore-output"]
run.save_figure(plots.risk_coverage_plot(use.risk_curves(cv, answers)), "08_risk_coverage")

# %% [markdown]
# ## How many malignant lesions are missed?
#
# For each fold the threshold that finds 95 % of the malignant images of its validation fold, applied to the test fold;
# then one with a margin, which asks for so much more on validation data that a new image is found as often as intended.

# %% tags=["nbval-ignore-output"]
calls = use.malignant_calls(cv, one)
display(run.save_table(calls, "08_operating_point", f"Malignant against the rest, 95 % intervals over groups · {what}"))
for (threshold, score), row in calls.iterrows():
    if score == "sensitivity":
        interval = f"95 % interval {row['95 % low']:.3f} to {row['95 % high']:.3f}"
        kept = "kept" if row.value >= use.SENSITIVITY else "not kept"
        print(f"Intended: {use.SENSITIVITY}. On test folds, {threshold}: {row.value:.3f} ({interval}): {kept}.")

# %% tags=["nbval-ignore-output"]
curves = use.decision_curves(cv, answers)
run.save_figure(plots.decision_curve_plot(curves), "08_decision_curve", curves)

# %% [markdown]
# ## What does it look at?
#
# Activation maps of both stages for one test fold: a right case of each class and the surest wrong ones. They show
# where a score came from. What the answers depend on is measured by taking parts away.

# %% tags=["nbval-ignore-output"]
explained = run.result(interpretability.explained(cv))
run.save_figure(grouped.activation_maps(cv.source.open(), explained), "08_activation_maps")

# %% tags=["nbval-ignore-output"]
depends = interpretability.dependence_table(cv, explained)
run.save_table(depends, "08_dependence", f"What the answers depend on, one test fold · {what}")

# %% [markdown]
# ## What happens with other data?
#
# BUS-UCLM: images of another hospital, on which nothing is trained or chosen (in smoke: other phantoms). Intervals go
# by patient. Curated BUSI is a part of BUSI with a published comparison.

# %% tags=["nbval-ignore-output"]
outside, classes = external.external_tables(run, cv)
run.save_table(outside, "08_external_masks", "Masks of BUS-UCLM, network trained on BUSI, intervals over patients")

# %% tags=["nbval-ignore-output"]
run.save_table(classes, "08_external_classes", "Classes of BUS-UCLM, heads trained on BUSI, intervals over patients")

# %% tags=["nbval-ignore-output"]
curated = external.curated_table(run)
run.save_table(curated, "08_curated", "Curated BUSI, 4 folds: Dice by class and accuracy, published and here")
