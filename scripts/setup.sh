#!/bin/sh
# Makes the virtual environment with the `lakehunt` command, or brings it up to date with the lock files.
#
#   scripts/setup.sh runtime    what lakehunt needs to run
#   scripts/setup.sh dev        that, and what tests, linters and Airflow need
#
# PYTHON chooses the Python, VENV the folder (default .venv). Packages come from where pip is configured to get them.
set -eu
cd "$(dirname "$0")/.."

kind=${1:?runtime or dev}
venv=${VENV:-.venv}

fail() {
    printf 'lakehunt: %s\n  %s\n' "$1" "$2" >&2
    exit 1
}

python_fits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null
}

version_of() {
    "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null || true
}

# The Python to use: the requested one, or the environment's own, or the first suitable one.
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        python_fits "$PYTHON" && echo "$PYTHON"
        return
    fi
    for candidate in "$venv/bin/python" python3 python3.13 python3.12 python3.11 python; do
        if python_fits "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

require_python() {
    python=$(find_python) && return
    asked=${PYTHON:-python3}
    found=$(version_of "$asked")
    fail "Python 3.11, 3.12 or 3.13 is needed; $asked is ${found:-not there}." \
        "Install one (Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install python@3.13), or name it: make setup PYTHON=/path/to/python3.12"
}

require_venv() {
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python has no venv module with pip." \
            "Install it (Debian, Ubuntu: apt-get install python3-venv), or name another Python: make setup PYTHON=/path/to/python3.12"
}

require_java() {
    java=${JAVA_HOME:+$JAVA_HOME/bin/}java
    hint="Install Java 17 or 21 (Debian, Ubuntu: apt-get install openjdk-17-jre-headless; macOS: brew install openjdk@17), or set JAVA_HOME to its folder"
    found=$("$java" -version 2>&1 | sed -n 's/.*version "\(1\.\)\{0,1\}\([0-9][0-9]*\).*/\2/p' | head -n 1) || true
    [ -n "$found" ] || fail "Spark needs Java 17 or 21; there is no working '$java'." "$hint"
    [ "$found" -ge 17 ] || fail "Spark needs Java 17 or 21; '$java' is Java $found." "$hint"
}

make_venv() {
    # An environment of another Python, or an incomplete one, is recreated.
    if [ "$(version_of "$venv/bin/python")" = "$(version_of "$python")" ] &&
        "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        pip="-m pip"
        return
    fi
    # pip can be run from the wheel that Python carries; unpacking an old pip to replace it takes longer than the rest.
    pip=$("$python" -c 'import ensurepip, glob, os, sysconfig
folders = [sysconfig.get_config_var("WHEEL_PKG_DIR"), os.path.join(os.path.dirname(ensurepip.__file__), "_bundled")]
print(next((w + "/pip" for f in folders if f for w in sorted(glob.glob(os.path.join(f, "pip-*.whl")))), ""))')
    if [ -n "$pip" ]; then
        "$python" -m venv --clear --without-pip "$venv"
    else
        pip="-m pip"
        "$python" -m venv --clear "$venv"
    fi
}

# Bytecode is written when a module is first imported: compiling all of it here would double the time.
# $pip is two words on purpose.
# shellcheck disable=SC2086
install() {
    "$venv/bin/python" $pip install --quiet --no-compile --no-deps "$@" ||
        fail "Packages could not be installed; pip's own words are above." \
            "Behind a mirror: set PIP_INDEX_URL or pip.conf. Without a network: docs/how-to/offline.md"
}

# PySpark is as large as all others together: two pips side by side take half the time.
install_lock() {
    parts=$(mktemp -d)
    trap 'rm -rf "$parts"' EXIT
    awk -v parts="$parts" '/^[a-zA-Z0-9]/ { part = /^pyspark==/ ? "pyspark" : "others" } { print > (parts "/" part) }' "$1"
    (install --require-hashes --no-build-isolation -r "$parts/pyspark") &
    spark=$!
    install --require-hashes --no-build-isolation -r "$parts/others"
    wait "$spark"
}

require_python
require_venv
require_java

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_USER=0
echo "Setting up $venv with Python $(version_of "$python") ($kind; the first time takes a minute or two)"
make_venv
rm -f "$venv/.runtime" "$venv/.dev"
# The build tools first, from a lock too; with --no-build-isolation nothing is built with others.
install --require-hashes -r requirements/build.lock
pip="-m pip"
install_lock "requirements/$kind.lock"
# setuptools warns about every editable installation; there is nothing to be done about it.
PYTHONWARNINGS=ignore install --no-build-isolation --no-index -e .

# The dev lock holds all of the runtime lock, in the same versions.
touch "$venv/.runtime"
[ "$kind" = runtime ] || touch "$venv/.dev"
