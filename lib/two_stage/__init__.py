"""Paper A: stage 1 predicts the lesion mask, stage 2 names the class."""

from lib.two_stage.model import TwoStageModel as TwoStageModel
