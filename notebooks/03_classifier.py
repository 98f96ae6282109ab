# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 03 · Does the drawn mask help to name the class?
#
# Stage 2 of the paper (II-C): image, mask and mask again make three channels; a frozen ImageNet network
# turns them into features; three small layers turn features into *normal*, *benign* or *malignant*.
#
# | | |
# |---|---|
# | **reads** | the images and split of `01_preprocessing`, the U-Net of `02_unet` |
# | **writes** | the two-stage model (`models/two_stage`), `03_*` figures and tables (Fig. 1, Fig. 2) |
# | **next** | the model names new images: `python -m lib.predict IMAGE` |

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
from lib.evaluation import paired as comparison
from lib.evaluation import statistics as significance
from lib.experiments import input_ablation as ablation
from lib.models import backbones
from lib.plots import classification as plots
from lib.plots.segmentation import learning_curves
from lib.reported import two_stage as reported
from lib.two_stage import model as two_stage

run = lib.core.run.start("03_classifier", profile, seed)
print(runtime.machine())

# %%
data = ultrasound.load(run.profile, run.cache)
split = splits.stratified(data.labels, run.seed)
print(data.source, "· split", split.digest(data.names))

# %% [markdown]
# ## Which network and which weights?
#
# The paper's is DenseNet-201. Weights are looked up on this machine and downloaded otherwise; a run with
# random weights says so in every table. A frozen network gives the same features for an image each time,
# so they are computed once and the head is trained on them: the same mathematics as training behind the
# frozen network.

# %%
settings = two_stage.Settings.of(run.profile)
pd.Series(vars(settings.classifier), name="stage 2").to_frame()

# %%
stage_2 = settings.classifier
weights = f"{stage_2.backbone} ({backbones.weights_id(stage_2.backbone, stage_2.weights, run.seed)})"
what = f"{data.source} · {weights}"
print(weights)

# %% [markdown]
# ## Training both stages

# %% tags=["nbval-ignore-output"]
model = two_stage.TwoStageModel.fit(data, split, settings, run.seed, run.cache)
quantities = {"loss": "cross-entropy / nats", "accuracy": "accuracy"}
history = model.histories["head"]
run.save_figure(learning_curves(history, quantities), "03_learning_curve", history)

# %% [markdown]
# The kept epoch is the one with the highest validation accuracy (II-D), the first of equals. With so few
# validation images that maximum is partly luck, and the validation accuracy of the kept epoch is no honest
# estimate: it was chosen for being high.

# %% [markdown]
# ## How often is it right?
#
# Intervals are Wilson's, for this one model on these images. A model that always says the most frequent class
# is the row to beat.

# %% tags=["nbval-ignore-output"]
predictions = {part: model.predict(data.images[indices]) for part, indices in split.parts().items()}
labels = {part: data.labels[indices] for part, indices in split.parts().items()}
printed = reported.text().value
rows = {
    "validation": printed["validation accuracy, mean of 10 rounds"],
    "test": printed["test accuracy"],
}

# %% tags=["nbval-ignore-output"]
accuracies = pd.DataFrame({"reported": rows})
for part in rows:
    right, n = int((predictions[part].labels == labels[part]).sum()), len(labels[part])
    columns = ["right", "images", "here", "95 % low", "95 % high", "majority class"]
    majority = np.bincount(labels[part]).max() / n
    accuracies.loc[part, columns] = [right, n, right / n, *significance.proportion_interval(right, n), majority]
run.save_table(accuracies, "03_accuracy", f"Accuracy of the two-stage model · {what} · 1 round")

# %% [markdown]
# ## Which classes?

# %% tags=["nbval-ignore-output"]
table = pd.DataFrame({"reported": reported.table_i().loc["image+mask"]})
for part in ("validation", "test"):
    table[part] = evaluation.table_row(labels[part], predictions[part].labels, data.classes)
run.save_table(table, "03_class_scores", f"Scores by class beside Table I, row 3 · {what} · 1 round")

# %% [markdown]
# ## What is mistaken for what? (Fig. 2)

# %% tags=["nbval-ignore-output"]
matrices = {p: evaluation.confusion(labels[p], predictions[p].labels, data.classes) for p in ("validation", "test")}
run.save_figure(plots.confusion_matrices(matrices), "03_confusion", pd.concat(matrices))

# %% [markdown]
# The mistake that matters most is a malignant lesion called normal or benign: the bottom row. The paper
# stresses that its model never calls a malignant one normal.

# %% [markdown]
# ## What does it look like? (Fig. 1)
#
# Two right cases a class, chosen at random, and misclassified ones; wrong labels in red.

# %% tags=["nbval-ignore-output"]
test, said = data.select(split.test), predictions["test"]
wrong = np.flatnonzero(said.labels != test.labels)
right = np.random.default_rng(run.seed).permutation(np.flatnonzero(said.labels == test.labels))
chosen = [index for k in range(len(data.classes)) for index in right[test.labels[right] == k][:2]]
run.save_figure(plots.example_grid(test, said, np.array([*chosen, *wrong[:2]])), "03_examples")

# %% [markdown]
# ## Where is it wrong, and how sure is it then?

# %% tags=["nbval-ignore-output"]
names = np.array(data.classes)
columns = {"image": test.names, "true": names[test.labels], "said": names[said.labels]}
cases = pd.DataFrame({**columns, "probability": said.probabilities.max(axis=1)}).iloc[wrong]
cases = cases.sort_values("probability", ascending=False, ignore_index=True)
run.save_table(cases, "03_mistakes", f"Misclassified test images, the surest first · {what} · 1 round")

# %% tags=["nbval-ignore-output"]
surest = wrong[np.argsort(-said.probabilities.max(axis=1)[wrong])][:8]
grid = plots.example_grid(test, said, surest) if len(surest) else None
run.save_figure(grid, "03_mistakes_grid") if grid else print("no test image is misclassified")

# %% [markdown]
# ## What does the mask add?
#
# The same head on four inputs, several seeds each: the image alone, the predicted mask alone, both, and, as an
# **oracle**, the true mask with the image. The oracle's row is no result: a normal image has an empty true mask,
# so the label is in the input. It only bounds what better masks could bring.

# %% tags=["nbval-ignore-output"]
plan = ablation.plan(run.profile.n_rounds, 1, run.seed)
inputs = [name for name in ablation.INPUTS if name != ablation.OUT_OF_FOLD]
rounds = ablation.run(data, settings.segmenter, stage_2, plan, inputs, 0, run.cache, run.profile.n_jobs)
assert (rounds.error == "").all(), rounds.error.unique()

# %% tags=["nbval-ignore-output"]
by_input = comparison.summarise(rounds, reported.table_i().accuracy)
caption = f"Test accuracy by input · {what} · heads on one U-Net and one split; {ablation.ORACLE} is an oracle"
run.save_table(by_input, "03_inputs", caption)

# %% tags=["nbval-ignore-output"]
assert rounds.accuracy.between(0, 1).all()
assert by_input.loc[ablation.ORACLE, "mean"] > 0.5, "the label is in this input: a head must find it"
heads = rounds[["inputs", "number", "validation", "accuracy"]]
run.save_figure(plots.accuracy_by_input(heads, reported.table_i().accuracy), "03_inputs_figure", heads)

# %% tags=["nbval-ignore-output"]
gain = by_input.loc["image+mask", "mean"] - by_input.loc["image", "mean"]
step = 1 / len(split.test)
print(f"predicted mask + image against image alone: {gain:+.3f}, or {gain / step:+.1f} of {len(split.test)} images")
print(f"printed: {by_input.reported['image+mask'] - by_input.reported['image']:+.3f}")

# %% [markdown]
# The intervals cover the seed of the head and nothing else: not the U-Net's, and not the choice of the test
# images, which at this size is the larger part. A gain of a few images on one split is a hint, not a finding.

# %% [markdown]
# ## Keeping the model
#
# Saved with its backbone, so it predicts on a machine without any weights; loaded again, it says the same.

# %% tags=["nbval-ignore-output"]
folder = model.save(run.models / "two_stage")
again = two_stage.TwoStageModel.load(folder).predict(test.images)
assert np.abs(again.probabilities - said.probabilities).max() < 1e-5
print("the loaded model agrees on", len(test), "test images")
