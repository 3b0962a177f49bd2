# What tests/c/run and tests/cpp/run have in common: keyslot installed in a directory of its own,
# programs built against it by pkg-config and run, their test lines counted. To be sourced.
# KEYSLOT_PROFILE chooses the cargo profile of the library (dev).

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
if ! "$root/ffi/install" --profile "${KEYSLOT_PROFILE:-dev}" "$prefix" >"$work/log" 2>&1; then
    cat "$work/log"
    echo "0 passed, 1 failed"
    exit 1
fi
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig LD_LIBRARY_PATH=$prefix/lib

strict=(-Wall -Wextra -Wpedantic -Werror -g -O1 -D_POSIX_C_SOURCE=200809L
    "-DKEYSLOT_TEST_VERSION=\"$(pkg-config --modversion keyslot)\"")
read -ra cflags <<<"$(pkg-config --cflags keyslot)"
read -ra shared <<<"$(pkg-config --libs keyslot)"
# -l: names the archive itself, where -l alone would prefer the shared library.
read -ra static <<<"$(pkg-config --libs --static keyslot | sed 's/-lkeyslot/-l:libkeyslot.a/')"
sanitize=(-fsanitize=address,undefined -fno-sanitize-recover=all -DKEYSLOT_TEST_SANITIZED)
passed=0
failed=0

# build_and_run LABEL SOURCE COMPILER OPTION...: libraries stand at the end of the options.
build_and_run() {
    local label=$1 source=$2 compiler=$3 status=0 good bad
    shift 3
    echo "== $label: ${source##*/}"
    if ! "$compiler" "${strict[@]}" "${cflags[@]}" "$source" -o "$work/program" "$@"; then
        echo "FAILED to build"
        failed=$((failed + 1))
        return
    fi
    "$work/program" >"$work/log" 2>&1 || status=$?
    cat "$work/log"
    good=$(grep -c '^ok ' "$work/log" || true)
    bad=$(grep -c '^FAILED ' "$work/log" || true)
    # A program ends with 1 after failed checks; anything else is a crash or a sanitizer's word.
    if [[ $status -gt 1 || ($status -eq 1 && $bad -eq 0) ]]; then
        echo "FAILED with status $status"
        bad=$((bad + 1))
    fi
    passed=$((passed + good))
    failed=$((failed + bad))
}

# The last line; the status is that of the tests.
finish() {
    echo "$passed passed, $failed failed"
    [[ $failed -eq 0 && $passed -gt 0 ]]
}
