"""Write a model as ONNX: python tools/export_onnx.py CONFIG CHECKPOINT OUT.onnx."""

import repflow_mm.plugin  # noqa: F401  mends the stack before anything else
from repflow_mm.export.run import main

if __name__ == '__main__':
    main()
