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
# Table II of paper A sets its model against thirteen ImageNet networks, each as the frozen backbone of the same
# head on the image alone. Some of its accuracies are low, above all EfficientNetV2's.
# The authors' code gives every network raw pixels in [0, 1]; the networks were trained with a preprocessing of
# their own.
#
# | | |
# |---|---|
# | **reads** | the splits of `01_preprocessing`, the heads of `04_ablation` |
# | **writes** | `05_*` figures and tables (Table II) |
# | **next** | `07_leakage` asks what all these figures are worth |

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %%
import pandas as pd

from lib.core import words
from lib.core.run import start
from lib.evaluation import paired
from lib.experiments import backbone_comparison, input_ablation
from lib.experiments.paper_a import Plan
from lib.models.backbones import BACKBONES
from lib.plots import ablation as plots
from lib.reported import two_stage as reported

run = start("05_baselines", profile, seed)
plan = Plan(run.profile, run.seed)
print(f"Profile {run.profile.name}: {run.profile.note}.")

# %%
data = plan.table
printed = reported.table_ii()
print(data.source, "·", len(plan.backbones), "of", len(BACKBONES), "networks:", ", ".join(plan.backbones))

# %% [markdown]
# ## Which networks?
#
# The paper takes, of each family, the variant with the highest accuracy on ImageNet in Keras Applications. For
# Inception, NASNet, EfficientNet, EfficientNetV2 and ConvNeXt it does not say which that is: their sizes are a guess.
#
# ## What does each cost?
#
# Parameters and multiply-adds follow from the layers, without the classification layer.

# %%
costs = backbone_comparison.cost_table(run.results(backbone_comparison.costs(run.profile)))
size = run.profile.image_size
counted = costs[["parameters", "multiply-adds", "features"]]
run.save_table(
    counted, "05_costs", f"Cost of an image of {size} × {size} pixels, without the classification layer", precision=0
)

# %% tags=["nbval-ignore-output"]
print(f"Million multiply-adds of an image: {words.span(costs['multiply-adds'] / 1e6, ',.0f')}.")

# %% tags=["nbval-ignore-output"]
machine = ", ".join(costs["machine"].unique())
run.save_table(
    costs[["ms"]],
    "05_timing",
    f"Milliseconds per image, warm, in a batch of 16, least of five · {machine}",
    precision=1,
)

# %% tags=["nbval-ignore-output"]
print(f"Milliseconds per image: {words.span(costs['ms'], '.1f')}.")

# %% [markdown]
# ## Table II
#
# The same head, the same training and the same images for each; raw pixels as in the authors' code, then each
# network's own preprocessing. A network whose ImageNet weights are not at hand has the paper's row alone. *Ours* is the
# paper's model, with its mask. Means over heads first, then mean ± standard deviation over rounds.

# %% tags=["nbval-ignore-output"]
raw = run.results(plan.stacked_heads())
own = run.results(backbone_comparison.own_preprocessing(plan))
progress = f"raw {input_ablation.progress(raw.values())}, own {input_ablation.progress(own.values())}"
what = f"{data.source} · {progress}, {run.profile.n_heads} heads each"

# %% tags=["nbval-ignore-output"]
answers = input_ablation.answers(plan, own, (backbone_comparison.OWN,))
found = pd.concat([input_ablation.answers(plan, raw), answers])
scored = input_ablation.scores(found, data.classes)
rounds = input_ablation.by_round(scored)
table_2 = backbone_comparison.table_2(rounds, printed, run.profile.weights)
run.save_table(table_2, "05_table_2", f"Table II, test scores by backbone, image alone · {what}")

# %% tags=["nbval-ignore-output"]
alone = rounds.query("inputs == 'image'")["accuracy"].groupby("backbone", sort=False).mean()
same = printed["accuracy"].reindex(alone.index)
print(f"Mean accuracy here, raw pixels: {words.span(alone)}; the paper prints {words.span(same)} for these.")
missing = [name for name in BACKBONES if name not in alone.index]
print(f"{len(alone)} of {len(BACKBONES)} networks have results; without: {', '.join(missing) or 'none'}.")

# %% [markdown]
# ## Does each printed score fit?
#
# The 95 % prediction interval for one hold-out of 79 images, as in `04_ablation`, on the image alone: with raw pixels
# and with each network's own preprocessing. The lowest printed scores, of EfficientNetV2 above all, can be explained
# only where these networks' weights are at hand.

# %% tags=["nbval-ignore-output"]
groups = input_ablation.clusters(run.result(plan.groups()), len(data))
alone = found[found["inputs"].isin(["image", backbone_comparison.OWN])]
hold_outs = input_ablation.hold_outs(alone, printed, groups, data.classes)
accuracies = input_ablation.inside(hold_outs)
title = f"Printed accuracies in prediction intervals of one hold-out of 79 images · {what}"
run.save_table(hold_outs, "05_hold_outs", title, precision=4, shown=accuracies)

# %% tags=["nbval-ignore-output"]
print(input_ablation.inside_in_words(accuracies))

# %% [markdown]
# ## Does each network's own preprocessing help?
#
# The networks were trained with it; the same heads, on the same images. What the mask adds to each network is in
# `04_ablation`.

# %% tags=["nbval-ignore-output"]
pairs = [(backbone_comparison.OWN, "image")]
preprocessing = input_ablation.differences(found, groups, pairs)
run.save_table(preprocessing, "05_preprocessing", f"Own preprocessing less raw pixels, paired · {what}")

# %% tags=["nbval-ignore-output"]
print(paired.in_words(preprocessing))

# %% [markdown]
# ## Is accuracy bought with computation?

# %% tags=["nbval-ignore-output"]
accuracy = backbone_comparison.accuracies(rounds, printed)
run.save_figure(
    plots.accuracy_against_cost(accuracy, costs["multiply-adds"]), "05_accuracy_against_cost", accuracy, of=what
)

# %% tags=["nbval-ignore-output"]
both = accuracy.join(costs["multiply-adds"]).dropna()
if len(both) > 4:
    rank = both[["here", "multiply-adds"]].corr("spearman").iloc[0, 1]
    print(f"Rank correlation of accuracy and multiply-adds here: {rank:.2f} over {len(both)} networks.")
else:
    print(f"{len(both)} networks are too few for an answer.")
