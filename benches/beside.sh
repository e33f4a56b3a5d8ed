#!/bin/sh
# LinearScope's figures, and PyTorch's beside them where a Python with torch is found.
#
#   benches/beside.sh net.onnx n,c,h,w [K]
set -eu
here=$(dirname "$0")
model=$1 shape=$2 k=${3:-8}
cargo run --release --quiet -p linearscope-cli -- bench "$model" --shape "$shape" -k "$k"
for python in ${PYTHON:-python3 python}; do
    if command -v "$python" >/dev/null 2>&1; then
        exec "$python" "$here/torch_way.py" "$model" "$shape" "$k"
    fi
done
echo "skipped: no Python for the PyTorch way"
