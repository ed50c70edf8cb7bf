#!/usr/bin/env bash
# Tries the installation in roots that hold nothing but Debian, without a container engine:
#
#   scripts/clean_root.sh image       builds the image from Containerfile, and runs it as its user
#   scripts/clean_root.sh checkout    `make demo` and `lakehunt run` of README.md, as a user with a checkout
#   scripts/clean_root.sh --base X.tar ...   with the root that an earlier run has kept there, not a new one
#
# It needs root, debootstrap and buildah (Debian: apt-get install debootstrap buildah), the registries that the
# installation itself needs, and 10 GB in TMPDIR (/var/tmp). Certificates of this machine are trusted in the roots.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "clean_root: $1" >&2
    exit "${2:-1}"
}

# Everything is mounted in a namespace of its own: when the inner process has ended, however it did, nothing is mounted
# below the folder that is removed.
if [ -z "${CLEAN_ROOT:-}" ]; then
    [ "$(id -u)" = 0 ] || fail 'run it as root'
    for program in debootstrap buildah unshare; do
        command -v $program >/dev/null || fail "$program is missing: apt-get install debootstrap buildah util-linux"
    done
    CLEAN_ROOT=$(mktemp -d "${TMPDIR:-/var/tmp}/lakehunt-root-XXXXXX")
    export CLEAN_ROOT
    trap 'rm -rf --one-file-system "$CLEAN_ROOT"' EXIT
    unshare --mount --propagation private -- "$0" "$@"
    exit
fi

BASE=$(sed -n 's/^FROM \(debian:[^ ]*\) AS base$/\1/p' Containerfile)
SUITE=trixie
export STORAGE_DRIVER=${STORAGE_DRIVER:-overlay}

b() {
    local command=$1
    shift
    buildah --root "$CLEAN_ROOT/storage" --runroot "$CLEAN_ROOT/run" "$command" "$@"
}

step() { printf '\n== %s (%d s)\n' "$1" "$SECONDS"; }

# The image of Debian that Containerfile begins with, as debootstrap makes it.
base() {
    local root=$CLEAN_ROOT/debian made
    step "Debian $SUITE by debootstrap, as $BASE"
    if [ -n "$kept" ] && [ -f "$kept" ]; then
        mkdir "$root"
        tar -C "$root" -xf "$kept"
    else
        debootstrap --variant=minbase "$SUITE" "$root" >"$CLEAN_ROOT/debootstrap.log" || {
            tail "$CLEAN_ROOT/debootstrap.log" >&2
            fail 'debootstrap failed'
        }
        rm -f "$root"/var/cache/apt/archives/*.deb
        [ -z "$kept" ] || tar -C "$root" -cf "$kept" .
    fi
    [ "debian:$(cat "$root/etc/debian_version")-slim" = "$BASE" ] ||
        echo "note: the archive has Debian $(cat "$root/etc/debian_version"), Containerfile says $BASE"
    mkdir -p "$root/usr/local/share/ca-certificates"
    cp -a /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/"
    made=$(b from scratch)
    b add -q "$made" "$root/" >/dev/null
    b commit -q "$made" "docker.io/library/$BASE" >/dev/null
    b rm "$made" >/dev/null
}

# run CONTAINER USER FOLDER COMMAND...
run() {
    local container=$1 user=$2 folder=$3
    shift 3
    step "as $user: $*"
    b run --isolation chroot --network host --hostname localhost --user "$user" --workingdir "$folder" "$container" -- "$@"
}

image() {
    local container user as_image
    step 'the image'
    b build --quiet --isolation chroot --network host --pull-never --layers -t lakehunt -f Containerfile .
    b images
    container=$(b from --pull-never localhost/lakehunt)
    user=$(b inspect --format '{{.OCIv1.Config.User}}' "$container")
    as_image=(run "$container" "$user" /work tini -s -- entrypoint)
    "${as_image[@]}" --version
    "${as_image[@]}" doctor --spark
    "${as_image[@]}" init my-hunts --samples
    as_image[3]=/work/my-hunts
    "${as_image[@]}" run samples/streaming --as-of 2026-03-10 --show
    "${as_image[@]}" doctor
    "${as_image[@]}" spark-submit --conf spark.log.level=WARN /opt/lakehunt/jobs/hunt.py --config lakehunt.yaml \
        --as-of 2026-03-09
}

checkout() {
    local container
    step 'a checkout, and what README.md asks for'
    container=$(b from --pull-never "docker.io/library/$BASE")
    b run --isolation chroot --network host "$container" -- sh -ec '
        apt-get -qq update
        apt-get -qq install --yes --no-install-recommends ca-certificates make openjdk-21-jre-headless python3 python3-venv
        useradd --create-home hunter'
    git ls-files -z | tar --null --files-from - -cf "$CLEAN_ROOT/checkout.tar"
    b add -q --chown hunter "$container" "$CLEAN_ROOT/checkout.tar" /home/hunter/lakehunt >/dev/null
    run "$container" hunter /home/hunter/lakehunt make demo
    run "$container" hunter /home/hunter/lakehunt \
        .venv/bin/lakehunt run samples/streaming --as-of 2026-03-10T00:00:00Z --lake /home/hunter/lake --show
    run "$container" hunter /home/hunter/lakehunt .venv/bin/lakehunt doctor --lake /home/hunter/lake
}

kept=
if [ "${1:-}" = --base ]; then
    kept=${2:?--base FILE}
    shift 2
fi
[ $# -gt 0 ] || fail 'say what to try: image, checkout' 2
for part; do
    case $part in image | checkout) ;; *) fail "there is no part '$part': image, checkout" 2 ;; esac
done
base
for part; do "$part"; done
step 'done'
