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

import lib.run
from lib import results
from lib.plots import honest as plots

run = lib.run.start("08_results", profile, seed)
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
# Targets were set before the runs. In smoke they say nothing: phantoms, random weights, a few epochs.

# %% tags=["nbval-ignore-output"]
targets = results.targets(run)
run.save_table(targets, "08_targets", "Targets and what this run reached")

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
# # Paper B
#
# ## Which printed parameter counts can be?

# %% tags=["nbval-ignore-output"]
counts = run.read_table("06_forensics").verdict.value_counts()
counts.to_frame("printed counts")

# %%
assert counts.get("exact", counts.sum()) > 0
pd.Series(sorted(counts.index), name="verdict").to_frame()

# %% tags=["nbval-ignore-output"]
results.show(run, "06_table_4")

# %% tags=["nbval-ignore-output"]
results.show(run, "06_random_spread")

# %% tags=["nbval-ignore-output"]
results.show(run, "06_compact", precision=4)
