"""Getting a trained model out: slim weights, ONNX."""
