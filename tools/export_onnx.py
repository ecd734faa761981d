"""Write a model as ONNX: python tools/export_onnx.py CONFIG CHECKPOINT OUT.onnx."""

from repflow_mm.commands.export_onnx import main

if __name__ == '__main__':
    main()
