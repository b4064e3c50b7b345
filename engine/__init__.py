"""The engine of mglmm: photographs in, records of captions and masks out."""

__version__ = "0.1.0"
