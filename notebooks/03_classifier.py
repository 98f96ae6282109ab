# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 03 · How well does the two-stage model classify?
#
# Stage 2 of paper A (II-C): image, mask and mask again make three channels; a frozen ImageNet network
# turns them into features; three small layers turn features into *normal*, *benign* or *malignant*.
# Here one model is looked at closely, that of round 0; all rounds and inputs follow in `04_ablation`.
#
# | | |
# |---|---|
# | **reads** | the images and split of `01_preprocessing`, the U-Net of `02_unet` |
# | **writes** | the two-stage model (`models/two_stage.npz`, where it is trained), `03_*` (Fig. 1, Fig. 2) |
# | **next** | `04_ablation` compares inputs; to classify new images: `python -m lib.predict IMAGE` |

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["nbval-ignore-output"]
import numpy as np
import pandas as pd
from IPython.display import display

from lib.core import words
from lib.core.run import start
from lib.experiments import one_model, tuning_loop
from lib.experiments.paper_a import Plan
from lib.plots import ablation, explorers
from lib.plots import two_stage as plots
from lib.reported import two_stage as reported

run = start("03_classifier", profile, seed)
plan = Plan(run.profile, run.seed)
print(f"Profile {run.profile.name}: {run.profile.note}.")

# %%
data = plan.source.open()
printed = reported.text()["value"]
backbone = run.profile.backbone
what = f"{data.source} · {backbone} ({run.profile.weights}) · round 0, one head"
print(what)
if backbone != reported.BACKBONE:
    print(
        f"{backbone} stands in for {reported.BACKBONE}: differences from the paper mix the network and the repetition."
    )

# %% [markdown]
# ## Which network and which weights?
#
# The paper's is DenseNet201. Weights are looked up on this machine and downloaded otherwise; a run with
# random weights names them in every table. A frozen network gives the same features for an image every time,
# so they are computed once and the head is trained on them, which is equivalent to training behind the
# frozen network. Heads of several inputs and seeds are trained side by side.

# %%
split = plan.rounds[0].split
job = plan.heads(plan.rounds[0], backbone)
settings = job.arguments["settings"]
chosen = pd.DataFrame({"paper, else its code": vars(type(settings)()), "here": vars(settings)}).rename_axis("setting")
title = "Settings of the heads, of the paper or, where it names none, of its code, and of this run"
display(run.save_table(chosen, "03_settings", title))
other = chosen[chosen["here"] != chosen["paper, else its code"]]
print(f"{len(chosen) - len(other)} of {len(chosen)} settings are those of the paper, else of its code.")

# %%
unet, heads = run.results([plan.unet(plan.rounds[0]), job])
predicted = one_model.predictions(plan, heads)
print(
    f"{run.profile.n_heads} heads; the first is the model below." if heads else f"The heads of round 0: {heads.error}"
)

# %% tags=["nbval-ignore-output"]
run.save_figure(plots.head_curves(heads, one_model.KIND), "03_learning_curves", of=f"{data.source} · {backbone}")

# %% tags=["nbval-ignore-output"]
print(one_model.kept_in_words(heads))

# %% [markdown]
# The kept epoch is the one with the highest validation accuracy (II-D), the earliest if tied. With so few
# validation images that maximum is partly luck, and the validation accuracy of the kept epoch is no fair
# estimate: it was chosen for being high.

# %% [markdown]
# ## How often is it right?
#
# Intervals are Wilson's, for this one model, as if images were unrelated. The paper prints a mean of ten rounds for
# validation data. A model that always predicts the most frequent class is the baseline.

# %% tags=["nbval-ignore-output"]
names = {"validation": "validation accuracy, mean of 10 rounds", "test": "test accuracy"}
accuracies = one_model.accuracies(predicted, {part: printed[name] for part, name in names.items()})
run.save_table(accuracies, "03_accuracy", f"Accuracy of the two-stage model · {what}")

# %% tags=["nbval-ignore-output"]
for part, row in accuracies.iterrows():
    right = f"{row['right']:.0f} of {row['images']:.0f} ({words.interval(row)})"
    print(f"{part}: {right}; printed {row['paper']:.3f}; always the commonest class {row['majority class']:.3f}.")

# %% [markdown]
# ## Which classes?

# %% tags=["nbval-ignore-output"]
table = one_model.class_scores(predicted, reported.table_i().loc["image+mask"], data.classes)
run.save_table(table, "03_class_scores", f"Scores by class beside Table I, row 3 · {what}")

# %% tags=["nbval-ignore-output"]
less = table["test"] - table["paper"]
print(f"{(less < 0).sum()} of {len(less)} test scores are below the paper's; differences {words.span(less, '+.3f')}.")

# %% [markdown]
# ## What is mistaken for what? (Fig. 2)
#
# The mistake that matters most is a malignant lesion called normal or benign: the bottom row. The paper
# stresses that its model never calls a malignant one normal.

# %% tags=["nbval-ignore-output"]
matrices = one_model.confusions(predicted, data.classes)
run.save_figure(plots.confusion_matrices(matrices), "03_confusion", pd.concat(matrices) if matrices else None, of=what)

# %% tags=["nbval-ignore-output"]
for part, matrix in matrices.items():
    missed = matrix.loc["malignant"]
    print(f"{part}: called normal {missed['normal']}, benign {missed['benign']} of {missed.sum()} malignant images.")

# %% [markdown]
# ## What does it look like? (Fig. 1)
#
# Two correct cases of each class, chosen at random, and the two most confident errors, in red. The true border is
# yellow, the predicted one pink. Images that look alike may show one lesion (`07_leakage`).

# %% tags=["nbval-ignore-output"]
test = predicted[predicted["part"] == "test"]
wrong = test[test["label"] != test["predicted"]].sort_values("probability", ascending=False)
right = test[test["label"] == test["predicted"]].sample(frac=1, random_state=run.seed)
right = right.groupby("label").head(2).sort_values("label")
texts = "predicted " + test["predicted"].map(dict(enumerate(data.classes))).astype(str)
shown = texts[right.index.append(wrong.index[:2])]
run.save_figure(plots.masks(data, unet, shown, wrong=wrong.index), "03_examples", of=what)

# %% [markdown]
# ## Where is it wrong, and how sure is it then?
#
# Some images show the same lesion, and a few such pairs have labels of two classes: `07_leakage` lists them.

# %% tags=["nbval-ignore-output"]
classes = np.array(data.classes)
columns = {
    "true": classes[wrong["label"]],
    "predicted": classes[wrong["predicted"]],
    "probability": wrong["probability"],
}
mistakes = pd.DataFrame(columns).set_axis(data.names[wrong.index], axis=0).rename_axis("image")
run.save_table(mistakes, "03_mistakes", f"Misclassified test images, the surest first · {what}")

# %% tags=["nbval-ignore-output"]
sure = (wrong["probability"] > 0.9).sum()
print(f"{len(wrong)} of {len(test)} test images are misclassified, {sure} of them with a probability above 0.9.")

# %% tags=["nbval-ignore-output"]
run.save_figure(plots.masks(data, unet, texts[wrong.index[:8]], wrong=wrong.index), "03_mistakes_grid", of=what)

# %% [markdown]
# ## Does balancing the classes help?
#
# The paper names resampling as future work (V), and its code does none. Weighting the
# classes in the loss is the usual way. Means over heads, image and mask, test part of round 0.

# %% tags=["nbval-ignore-output"]
balances = one_model.balances(plan, run.results(plan.balanced_heads()))
caption = f"Balancing the classes · {data.source} · {backbone} · round 0, {run.profile.n_heads} heads"
run.save_table(balances, "03_balance", caption)

# %% tags=["nbval-ignore-output"]
print(f"Mean test accuracy: {words.listed(balances['accuracy'])}; one image is {1 / len(split.test):.3f}.")

# %% [markdown]
# ## What does the tuning loop choose? (III-B)
#
# The same loop as in `02_unet`, on the head: one component at a time, kept if more validation images are right in the
# best epoch. The authors' code, whose start and choices these are, begins with what the paper ends with.

# %% tags=["nbval-ignore-output"]
path = tuning_loop.search(plan, "head", run.result)
run.save_figure(ablation.tuning_path(path), "03_tuning", path, of=f"{len(path)} trainings")

# %% tags=["nbval-ignore-output"]
ended = "the loop ended by itself" if path.attrs["finished"] else "the loop is not finished"
caption = f"What the loop chose · {len(path)} trainings, {run.profile.tune_epochs} epochs · {ended}"
chosen = tuning_loop.table(path, settings)
run.save_table(chosen, "03_tuned", caption)

# %% tags=["nbval-ignore-output"]
print(tuning_loop.in_words(chosen))

# %% [markdown]
# How many epochs are enough? One long training hints at it: one image of the validation part more or less decides.

# %% tags=["nbval-ignore-output"]
long = run.result(plan.head_trial({}))
run.save_figure(plots.head_curves(long), "03_long_curves", of=what)

# %% tags=["nbval-ignore-output"]
if long:
    best = pd.DataFrame({"epoch": long["val_accuracy"].argmax(axis=0).ravel() + 1}, ["classifier"])
    least = long["val_loss"].argmin() + 1
    print(f"Highest validation accuracy in epoch {best['epoch'].item()} of {len(long['val_accuracy'])}.")
    print(f"The validation loss is least in epoch {least} and {long['val_loss'][-1].mean():.2f} at the end.")
    run.save_table(best, "03_best_epoch", f"Best of {len(long['val_accuracy'])} epochs · {what}")

# %% [markdown]
# ## How long does it take? (III-C)
#
# One training of the classifier here is the features of all images, once, and the epochs of one head.

# %% tags=["nbval-ignore-output"]
times = run.result(plan.times())
rows = one_model.seconds(times, printed)
machine = times["machine"] if times else "not measured yet"
run.save_table(rows, "03_timing", f"Seconds · {backbone} · {machine} · paper: RTX 2080 Ti, DenseNet201", precision=2)

# %% tags=["nbval-ignore-output"]
print(f"Seconds here: {words.listed(rows['here'], '.2f')}.")

# %% [markdown]
# ## Keeping the model
#
# Where its weights are at hand, the model is saved with its backbone, loaded again and compared.

# %%
trained = run.results([plan.unet(plan.rounds[0]), job], extras=("weights",))
if all(trained):
    model = one_model.trained(plan, *trained)
    file = model.save(run.folder / "models" / "two_stage.npz")
    again = type(model).load(file).predict(data.images[test.index])
    print(f"saved; the loaded model agrees on {(again.labels == test['predicted']).sum()} of {len(test)} test images")
else:
    print("No file is written: what this model predicted is published, its weights are not.")

# %% [markdown]
# ## What does a model see in one image?
#
# In JupyterLab choose another test image, another mask for stage 2 (*none* empties it) and another threshold for the
# contour; stage 2 sees the soft mask. The activation map (HiResCAM) shows which regions raise the score of the most
# probable class. In the profiles with real images the model is not the one above, but the small one of `report/model`,
# which `lib.predict` uses; phantoms stand in for images that are not at hand.

# %% tags=["nbval-ignore-output"]
model, few = one_model.to_explore(plan, data, run.results)
look = explorers.two_stage(model, few)
choices = {"image": list(few.names), "mask": list(explorers.MASKS), "threshold": (0.05, 0.95, 0.05)}
explorers.explore(run, "03_explorer", look, **choices)
