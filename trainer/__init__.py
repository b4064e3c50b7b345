"""The trainer of mglmm: data sets to training records, training, and benchmarks."""
