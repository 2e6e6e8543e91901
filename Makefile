# The front door. Each target first installs what is missing (tools/bootstrap); Meson
# does the building behind it.

JOBS ?= $(shell nproc)
# The port that `make run` listens on.
PORT ?= 8081

.PHONY: build run test bench check format sanitize fuzz clean help bootstrap

build: bootstrap ## builds build/touchpoint
	@tools/configure build
	@ninja -C build -j $(JOBS) --quiet

run: build ## builds, and serves a demo with data at http://127.0.0.1:8081
	build/touchpoint serve --demo --listen 127.0.0.1:$(PORT)

test: build ## runs every test, on both stores; the last line is the sum (ONLY=name for some)
	@tests/run build $(ONLY)

bench: bootstrap ## measures, beside what it is measured against
	@tools/configure build-bench --buildtype=release -Db_ndebug=false
	@ninja -C build-bench -j $(JOBS) --quiet
	@bench/run build-bench

check: bootstrap ## layout, linters, include rules, SQL, both compilers, types
	@JOBS=$(JOBS) tools/check

format: bootstrap ## lays the C code out anew
	@find src tests bench -name '*.[ch]' -exec clang-format -i {} +

sanitize: bootstrap ## the tests again under ASan and UBSan, then under TSan
	@CC=clang tools/configure build-asan -Db_sanitize=address,undefined -Db_lundef=false
	@ninja -C build-asan -j $(JOBS) --quiet
	@CC=clang tools/configure build-tsan -Db_sanitize=thread -Db_lundef=false
	@ninja -C build-tsan -j $(JOBS) --quiet
	@tests/run build-asan $(ONLY)
	@tests/run build-tsan $(ONLY)

fuzz: bootstrap ## builds the searching fuzz targets: build-fuzz/tests/fuzz-*
	@CC=clang tools/configure build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false
	@ninja -C build-fuzz -j $(JOBS) --quiet

clean: ## removes all that was built
	rm -rf build build-asan build-bench build-clang build-fuzz build-tsan

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

bootstrap:
	@tools/bootstrap
