"""From what a model answered to labels to train and review with: filters, shapes, one way to read a run."""
