"""Death in hospital from 48 hours of intensive care (PhysioNet 2012): the vitals encoder against boosted trees.

`python -m services.diagnosis.training.physionet --path DIR`. Five stratified 80/20 splits, the same for everybody;
every scale, weight and tree is of the training part alone. Three parts are trained and reported, and two means of them:

- `encoder`: `model.vitals_encoder` with its branch of running summaries of the 37 variables and the facts at admission,
  an ensemble of members of different seeds;
- `boosted`: HistGradientBoosting on summaries of each variable, the baseline;
- `linear`: logistic regression on the same summaries;
- `encoder+boosted`, `encoder+boosted+linear`: means of their log-odds.

Whatever the trees' summaries need (count, first, last, least, largest, sums of v, v², t, tv) is kept in O(1) per
reading too, so the streaming property holds for the means of the parts as well.
"""
