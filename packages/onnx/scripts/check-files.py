"""Runs ONNX's own checker, shape inference included, over every .onnx file of a folder: python3 scripts/check-files.py FOLDER.
Any version of the package will do; Debian's python3-onnx (1.12) knows opset 17."""
import pathlib
import sys

import onnx

failed = 0
for path in sorted(pathlib.Path(sys.argv[1]).glob('**/*.onnx')):
    try:
        onnx.checker.check_model(onnx.load(path), full_check=True)
    except Exception as error:
        failed += 1
        print(f'{path}: {str(error).splitlines()[0]}')
print(f'{failed} refused')
sys.exit(failed > 0)
