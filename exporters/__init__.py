"""The exporters of mglmm: records to COCO and pictures, models to ONNX."""
