"""From what a model answered to labels that people train and review with: filters, shapes, one way to read a run."""
