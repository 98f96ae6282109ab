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
from IPython.display import Markdown

from lib.core.run import start
from lib.experiments import clinical_use as use
from lib.experiments import external, interpretability, lesion_masks
from lib.experiments import model_comparison as models
from lib.plots import calibration as plots
from lib.plots import grouped
from lib.plots.interpretability import activation_maps

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
frames = lesion_masks.mask_frames(run, cv)
masks = lesion_masks.mask_table(cv, frames)
run.save_table(masks, "08_masks", f"Masks out of fold, 95 % intervals over groups · {what}")

# %% [markdown]
# The fourth primary endpoint (P4): lesion Dice against 0.75.

# %%
print(f"Bounds: lesion Dice {lesion_masks.DICE_BOUND}, accuracy of the ensemble {models.ACCURACY_BOUND}")

# %% tags=["nbval-ignore-output"]
dice = lesion_masks.mask_endpoint(cv, frames)
run.save_table(dice, "08_lesion_dice", f"Lesion Dice against the bound of P4 · {what}", precision=4)

# %% tags=["nbval-ignore-output"]
print(models.endpoint_in_words(dice))

# %% tags=["nbval-ignore-output"]
beside = lesion_masks.beside_published(masks)
run.save_table(beside, "08_masks_elsewhere", "Lesion masks here and as printed elsewhere: other splits, no comparison")

# %% [markdown]
# ## Which classifier is best without leaks?
#
# One row is one change from the paper's head on the image, or another model. Masks come from networks that have seen
# neither the image nor the test fold, for training, validation and test images alike.

# %% tags=["nbval-ignore-output"]
answers = models.with_ensembles(cv, models.answers(run, cv))
table = models.score_table(cv, answers)
run.save_table(table, "08_models", f"Classifiers out of fold, 95 % intervals over groups · {what}")

# %% tags=["nbval-ignore-output"]
run.save_figure(grouped.scores_with_intervals(table), "08_models_figure", table)

# %% tags=["nbval-ignore-output"]
differences = models.differences(cv, models.against_image(cv, answers))
run.save_table(differences, "08_differences", f"Accuracy against the image alone, 95 % intervals over groups · {what}")

# %% [markdown]
# The third primary endpoint (P3): accuracy of the ensemble against 0.80, its members fixed by the protocol. Greedy
# selection on validation data stands beside it.

# %%
print("Members:", "; ".join(models.classifiers.members(run.profile)))

# %% tags=["nbval-ignore-output"]
endpoint = models.ensemble_endpoint(cv, answers)
run.save_table(endpoint, "08_ensemble", f"Ensembles against the bound of P3 · {what}", precision=4)

# %% tags=["nbval-ignore-output"]
print(models.endpoint_in_words(endpoint))

# %% [markdown]
# Do better masks help stage 2?

# %% tags=["nbval-ignore-output"]
gain = models.mask_gain(cv, answers, "image + mask")
run.save_table(gain, "08_gain", f"Accuracy gained by masks of the ImageNet encoder · {what}", precision=4)

# %% tags=["nbval-ignore-output"]
print(models.gain_in_words(gain))

# %% [markdown]
# ## Can the probabilities be believed?
#
# The ensemble's; a temperature for each fold, fitted on its validation fold. Slope and intercept are of malignant
# against the rest: 1 and 0 are right.

# %% tags=["nbval-ignore-output"]
one = answers.get(models.ENSEMBLE)
believed = use.calibration_table(cv, one)
run.save_table(believed, "08_calibration", f"Calibration of the ensemble, out of fold · {what}")

# %% tags=["nbval-ignore-output"]
print(use.calibration_in_words(believed))

# %% tags=["nbval-ignore-output"]
run.save_figure(plots.reliability_plot(use.reliabilities(cv, one)), "08_reliability")

# %% [markdown]
# ## Does it know when it does not know?
#
# Images are set aside, the most uncertain first; the error rate of the others is the risk.

# %% tags=["nbval-ignore-output"]
run.save_figure(plots.risk_coverage_plot(use.risk_curves(cv, answers, models.ENSEMBLE)), "08_risk_coverage")

# %% [markdown]
# ## How many malignant lesions are missed?
#
# For each fold the threshold that finds 95 % of the malignant images of its validation fold, applied to the test fold.

# %% tags=["nbval-ignore-output"]
calls = use.malignant_calls(cv, one)
run.save_table(calls, "08_operating_point", f"Malignant against the rest, 95 % intervals over groups · {what}")

# %% tags=["nbval-ignore-output"]
print(use.calls_in_words(calls))

# %% tags=["nbval-ignore-output"]
curves = use.decision_curves(cv, answers, use.compared(cv))
run.save_figure(plots.decision_curve_plot(curves), "08_decision_curve", curves)

# %% [markdown]
# ## What does it look at?
#
# Activation maps of both stages for one test fold: a right case of each class and the surest wrong ones. They show
# where a score came from. What the answers depend on is measured by taking parts away.

# %% tags=["nbval-ignore-output"]
explained = run.result(interpretability.explained(cv))
run.save_figure(activation_maps(cv.source.open(), explained), "08_activation_maps")

# %% tags=["nbval-ignore-output"]
depends = interpretability.dependence_table(run, cv)
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
