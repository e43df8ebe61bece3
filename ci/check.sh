#!/usr/bin/env bash
# make check: everything. Each section prints one line; logs are kept in build-check/logs.
# usage: ci/check.sh [SECTION…]   (sections: see the list at the end)
set -uo pipefail

cd "$(dirname "$0")/.."
root=${CHECK_DIR:-$PWD/build-check}
logs=$root/logs
fuzz_seconds=${FUZZ_SECONDS:-60}
mkdir -p "$logs"
failed=()

configure() { # NAME CC CXX OPTIONS…
	local dir=$root/$1 cc=$2 cxx=$3
	shift 3
	[ -f "$dir/build.ninja" ] || CC=$cc CXX=$cxx meson setup "$dir" "$@" >/dev/null
	ninja -C "$dir"
}

gcc_all() {
	configure gcc gcc g++ -Dwerror=true && ci/run-tests.sh "$root/gcc" core
}
clang_build() {
	configure clang clang clang++ -Dwerror=true &&
		ci/run-tests.sh "$root/clang" core --suite unit --suite api --suite headers --suite abi
}
asan() {
	export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
	configure asan clang clang++ -Db_sanitize=address,undefined -Dbuildtype=debugoptimized &&
		ci/run-tests.sh "$root/asan" core --timeout-multiplier 4
}
tsan() {
	export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
	# TSan does not see what happens in rings: its drives run on /dev/fuse.
	export USERDRIVE_TEST_TRANSPORTS=dev
	configure tsan clang clang++ -Db_sanitize=thread -Dbuildtype=debugoptimized &&
		ci/run-tests.sh "$root/tsan" core --timeout-multiplier 8 --suite unit --suite api --suite mount
}
# What needs neither kernel nor peers and has no threads to speak of, by its name, so that new tests
# are among them.
valgrind_tests() {
	meson test -C "$root/gcc" --list --suite unit --suite api 2>/dev/null | sed -n 's,^.* / ,,p' |
		grep -xE '(base|security|fs|fuse|mount|storage|scsi|disk|local|iscsi|loop|rawdisk)-[a-z0-9-]+' |
		grep -vxE 'fs-threads|iscsi-hostile'
}
valgrind_subset() {
	local tests
	configure gcc gcc g++ -Dwerror=true || return 1
	mapfile -t tests < <(valgrind_tests)
	[ "${#tests[@]}" -gt 40 ] || { echo "only ${#tests[@]} tests are found"; return 1; }
	meson test -C "$root/gcc" --no-rebuild --num-processes 2 --timeout-multiplier 20 \
		--wrapper 'valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite' \
		"${tests[@]}" &&
		python3 ci/count-tests.py "$root/gcc/meson-logs/testlog-valgrind.json"
}
# Each file in a run of its own: clang-tidy 14 carries va_list's state from one to the next. NAME.c and
# NAME_absent.c exclude each other; only what was built has a command to go by.
static_analysis() {
	local code=0
	configure clang clang clang++ -Dwerror=true >/dev/null || return 1
	cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr --suppressions-list=ci/cppcheck.txt \
		--enable=warning,portability -D_GNU_SOURCE -D__linux__ -I . -I include \
		base fs scsi fuse transport api examples tools || { echo "cppcheck: findings"; code=1; }
	git ls-files 'base/*.c' 'fs/*.c' 'scsi/*.c' 'fuse/*.c' 'transport/*.c' 'api/*.c' 'tools/*.c' 'examples/*.c' |
		grep -v '_absent\.c$' |
		xargs -n 1 -P 2 clang-tidy --quiet -p "$root/clang" --warnings-as-errors='*' ||
		{ echo "clang-tidy: findings"; code=1; }
	return "$code"
}
fuzz_one() { # TARGET SEEDS
	local name corpus
	name=$(basename "$1")
	corpus=$root/corpus/$name
	mkdir -p "$corpus"
	"$1" -max_total_time="$fuzz_seconds" -timeout=10 -rss_limit_mb=2048 \
		-artifact_prefix="$logs/$name-" "$corpus" "$2" >"$logs/$name.log" 2>&1 ||
		{ echo "$name failed, see $logs/$name.log"; return 1; }
	echo "$name: $(grep -E '^Done [0-9]+ runs' "$logs/$name.log")"
}
fuzzing() {
	configure fuzz clang clang++ -Dfuzzers=true -Dtests=disabled -Db_sanitize=address,undefined \
		-Db_lundef=false || return 1
	local seeds code=0
	for seeds in fuzz/seeds/*; do
		fuzz_one "$root/fuzz/fuzz/fuzz-${seeds##*/}" "$seeds" || code=1
	done
	for target in fuzz/*.c; do
		[ -d "fuzz/seeds/$(basename "$target" .c)" ] || { echo "$target has no seeds"; code=1; }
	done
	[ "$code" != 0 ] || echo "$(ls fuzz/*.c | wc -l) passed, 0 failed"
	return "$code"
}
slow_suites() {
	configure gcc gcc g++ -Dwerror=true && ci/run-tests.sh "$root/gcc" slow
}
ordinary_user() {
	configure gcc gcc g++ -Dwerror=true && ci/run-as-user.sh "$root/gcc"
}
install_tree() {
	configure gcc gcc g++ -Dwerror=true || return 1
	local dest
	dest=$(mktemp -d) || return 1
	DESTDIR=$dest meson install -C "$root/gcc" --quiet && find "$dest" -type f | sort &&
		[ -n "$(find "$dest" -name userdrive -type f -perm -u+x)" ] &&
		[ -n "$(find "$dest" -name 'lib*.so.*' -type f)" ]
	local code=$?
	rm -rf "$dest"
	return "$code"
}

section() { # NAME TITLE
	local begin=$SECONDS
	if ("$1") >"$logs/$1.log" 2>&1 </dev/null; then
		printf '%-44s ok      %5d s  %s\n' "$2" $((SECONDS - begin)) \
			"$(grep -E '^[0-9]+ passed' "$logs/$1.log" | tail -1)"
	else
		printf '%-44s FAILED  %5d s  see %s\n' "$2" $((SECONDS - begin)) "$logs/$1.log"
		failed+=("$1")
	fi
}

all="gcc_all clang_build asan tsan valgrind_subset static_analysis fuzzing ordinary_user install_tree slow_suites"
declare -A title=(
	[gcc_all]="gcc, warnings are errors, core tests"
	[clang_build]="clang, warnings are errors, in-process tests"
	[asan]="ASan and UBSan, core tests"
	[tsan]="TSan, door and engine"
	[valgrind_subset]="valgrind, a subset"
	[static_analysis]="cppcheck and clang-tidy"
	[fuzzing]="fuzzing, $fuzz_seconds s per decoder"
	[ordinary_user]="core mount tests as an ordinary user"
	[install_tree]="make install into an empty root"
	[slow_suites]="long mount suites"
)
for name in ${*:-$all}; do
	[ -n "${title[$name]:-}" ] || { echo "check.sh: no section '$name' ($all)" >&2; exit 2; }
	section "$name" "${title[$name]}"
done
if [ "${#failed[@]}" -gt 0 ]; then
	echo "failed: ${failed[*]}"
	exit 1
fi
echo "everything passed"
