#!/bin/sh
# Fills the data directory of a Prometheus that has not run yet with thirty days of simulated history,
# and with what the rules would have recorded. Runs once: existing data stays.
#
#     history.sh RULES DATA [DAYS]
#
# RULES contains the *.rules.yml files, DATA is the directory. Needs tiktok-exporter, prometheus and
# promtool, and about 1 GB in DATA while it runs. Blocks appear in DATA only when all of them are
# complete, so an interrupted run starts again.
set -eu

rules=$1
data=$2
days=${3:-30}
work=$data/history.tmp
marker=$data/history.done
port=${HISTORY_PORT:-9090}

if [ -e "$marker" ]; then
    echo "history: $(cat "$marker"); nothing to do"
    exit 0
fi
if [ -e "$data/wal" ]; then
    echo "history: a Prometheus has already run on $data; its data stays unchanged"
    exit 0
fi

# Left over from an interrupted run.
rm -rf "$work"
for meta in "$data"/*/meta.json; do
    if [ -e "$meta" ]; then rm -rf "${meta%/meta.json}"; fi
done
mkdir "$work" "$work/data" "$work/tmp"
# promtool needs a directory for temporary files, and no other may be writable.
export TMPDIR="$work/tmp"

# Blocks of 54 h: fewer and longer blocks are written and read in a third of the time.
echo "history: writing $days days of simulated history"
tiktok-exporter backfill --days "$days" --step 4m --posts-every 3h --block 54h \
    --rules "$rules" --output "$work/files" >"$work/backfill.log" || {
    cat "$work/backfill.log"
    exit 1
}

echo "history: making blocks"
import() {
    promtool tsdb create-blocks-from --max-block-duration=54h openmetrics -q "$1" "$work/data" && rm "$1"
}
# Two at a time; each block comes from its own file.
first=
for file in "$work"/files/*.om; do
    if [ -z "$first" ]; then
        first=$file
        continue
    fi
    import "$first" &
    import "$file"
    wait $!
    first=
done
[ -z "$first" ] || import "$first"

# Prometheus reads new blocks at its start, so it is started for each stage.
server=
stop_server() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" || true
    server=
}
trap stop_server EXIT
echo 'global: {}' >"$work/prometheus.yml"
end=$(date +%s)
start=$((end - days * 86400))
record() {
    promtool tsdb create-blocks-from --max-block-duration=486h rules --start="$start" --end="$end" \
        --url="http://127.0.0.1:$port" --output-dir="$work/data" "$1" >"$1.log" 2>&1 || {
        cat "$1.log" >&2
        return 1
    }
}
for first in "$work"/files/rules/*.0.yml; do
    stage=${first%.0.yml}
    echo "history: recording rules, stage $(basename "$stage")"
    prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/data" \
        --storage.tsdb.retention.time=5y --web.listen-address="127.0.0.1:$port" \
        --log.level=error &
    server=$!
    tries=0
    until tiktok-exporter health --url="http://127.0.0.1:$port/-/ready" 2>/dev/null; do
        tries=$((tries + 1))
        if [ "$tries" -gt 600 ] || ! kill -0 "$server" 2>/dev/null; then
            echo "history: Prometheus does not start; it is needed to record the rules" >&2
            exit 1
        fi
        sleep 0.1
    done
    # All files of a stage in parallel: promtool evaluates one rule after the other.
    jobs=
    for file in "$stage".*.yml; do
        record "$file" &
        jobs="$jobs $!"
    done
    for job in $jobs; do wait "$job"; done
    stop_server
done

for meta in "$work"/data/*/meta.json; do
    mv "${meta%/meta.json}" "$data/"
done
echo "$days days until $(date -u +%Y-%m-%dT%H:%M:%SZ)" >"$marker"
rm -rf "$work"
echo "history: done, $(cat "$marker")"
