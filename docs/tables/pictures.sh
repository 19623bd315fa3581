#!/usr/bin/env bash
# The pictures of the README and docs, from the recorded runs of the tests and from the code: make pictures
# Needs pdflatex with the package preview, and pdftoppm. Tables are grey, figures have 64 colours.
set -euo pipefail
python=$(realpath -s "${1:?which python has fscost}")
docs=$(realpath "$(dirname "$0")/..")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
tar xJf "$docs/../tests/data/paper.tar.xz"

picture() { # FILE RESOLUTION SELECTION…
  local file=$1 resolution=$2
  shift 2
  "$python" -m fscost table "$@" --format latex --standalone |
    sed 's/^\\begin{document}/\\usepackage[active,tightpage,floats]{preview}\\setlength{\\PreviewBorder}{6pt}&/' >page.tex
  pdflatex -interaction=nonstopmode -halt-on-error page.tex >page.out || { tail page.out; exit 1; }
  pdftoppm -gray -r "$resolution" -png -singlefile page.pdf "$file"
}

"$python" "$docs/architecture.py"
picture "$docs/table" 130 runs
for layout in matrix model_size accuracy_cost traffic; do picture "$docs/tables/$layout" 90 runs "table=$layout"; done
picture "$docs/tables/to_target" 90 runs table=to_target table.target=0.9 table.second=true
picture "$docs/tables/time" 90 runs table=time network.uplink_mbps=10 network.downlink_mbps=50 network.latency_ms=20
picture "$docs/tables/audit" 90 runs/fedavg-mlp_*-c3-s0-* runs/fedavg-convnet2-*-c3-s0-* table=audit

figure() { # FILE WIDTH NAME SELECTION…
  "$python" -m fscost plot "$3" "${@:4}" --width "$2" --out figures >/dev/null
  pdftoppm -r 200 -png -singlefile "figures/$3.pdf" "$1"
  "$python" -c "import sys; from PIL import Image
Image.open(sys.argv[1]).quantize(256).save(sys.argv[2], optimize=True)" "$1.png" "$docs/figures/$1.png"
}

mkdir -p "$docs/figures"
figure accuracy 4.5 accuracy runs
figure size 4.5 size runs
figure pareto 4.5 pareto runs
figure traffic 4.5 traffic runs
"$python" -m fscost sweeps=compression store=trained >trained.out # minutes
figure compression 6.75 accuracy sweeps=compression store=trained

# The report in a window of Chromium, with colours few enough for a small file.
"$python" -m fscost report runs/*-c10-* --out page.html
chromium --headless --no-sandbox --hide-scrollbars --window-size=1180,1385 --virtual-time-budget=20000 \
  --screenshot="$PWD/report.png" "file://$PWD/page.html" 2>chromium.log || { cat chromium.log; exit 1; }
"$python" -c 'import sys; from PIL import Image; Image.open(sys.argv[1]).convert("RGB").quantize(256).save(sys.argv[2], optimize=True)' \
  report.png "$docs/report.png"
