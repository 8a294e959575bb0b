# Units run under ASan and UBSan against the same archives, built apart.
UNIT_SRC = $(wildcard tests/unit/*.c)
UNIT_NAMES = $(notdir $(basename $(UNIT_SRC)))
ASAN = build/asan
TEST_LDLIBS = -lcmocka $(BACKEND_LDLIBS) $(KEY_LDLIBS)
TEST_ARCHIVES = $(foreach r,operate web procedure publish payments documents mail audit keys checker pki crypt store views libicert,$(B)/lib/$(r).a)

$(B)/test/%: $(B)/obj/tests/unit/%.o $(TEST_ARCHIVES)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(TEST_LDLIBS)

# The filter of system calls does not go with sanitizers: what it stops is tried without them, and some of it only so.
UNSANITIZED = $(B)/test/libicert_sandbox $(B)/test/checker_walls
SANITIZED_NAMES = $(filter-out checker_walls,$(UNIT_NAMES))

.PHONY: unit-build unit-run
unit-build: $(SANITIZED_NAMES:%=$(B)/test/%)
unit:
	$(Q)$(MAKE) -s B=$(ASAN) SAN=address,undefined unit-build
	$(Q)$(MAKE) -s $(UNSANITIZED)
	$(Q)node tests/run-units.mjs $(SANITIZED_NAMES:%=$(ASAN)/test/%) $(UNSANITIZED)
	$(Q)node --test tests/unit/*.test.mjs

# Each fuzz target is one file, linked with libicert and the parsers of the rooms above it.  A test is the same every time: FUZZ_RUNS
# from a fixed seed.  make fuzz FUZZ_SECONDS=600 looks for what nobody has seen yet.
FUZZ_RUNS ?= 50000
FUZZ_SECONDS ?= 0
FUZZ_NAMES = $(notdir $(basename $(wildcard tests/fuzz/*.c)))
FUZZ_SRC = $(libicert_SRC) $(wildcard $(BE)/checker/*.c) $(addprefix $(BE)/,pki/cms.c pki/cms_key.c pki/spki.c audit/head.c \
	documents/contract_template.c $(patsubst $(BE)/%,%,$(filter-out %/inbox.c %/tariff_rows.c,$(wildcard $(BE)/payments/*.c))) \
	procedure/application/form.c procedure/order/billing.c procedure/people/identifier.c procedure/people/name.c \
	views/view.c views/moment.c web/request.c web/arena.c) build/gen/views.c
FUZZ_FLAGS = -std=c11 -D_GNU_SOURCE $(CPPFLAGS) -g -O1 -fno-sanitize-recover=all
build/fuzz/obj/%.o: %.c | build/gen/views.h
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link,address,undefined -c -o $@ $<
build/fuzz/parsers.a: $(FUZZ_SRC:%.c=build/fuzz/obj/%.o)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar qcs $@ $^
build/fuzz/%: build/fuzz/obj/tests/fuzz/%.o build/fuzz/parsers.a
	$(call say,FUZZ,$@)
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -Wl,--as-needed -o $@ $^ $(BACKEND_LDLIBS) $(KEY_LDLIBS)
-include $(shell find build/fuzz/obj -name '*.d' 2>/dev/null)
fuzz: $(FUZZ_NAMES:%=build/fuzz/%)
	$(Q)printf '%s\n' $(FUZZ_NAMES) | xargs -P $(shell nproc) -I{} tests/fuzz/run.sh {} $(FUZZ_RUNS) $(FUZZ_SECONDS)

# The running system is tested under ASan and UBSan, leaks included: our programs, and our module in Debian's nginx.
# A report in any log fails the file that started the instance.  make system: the same tests on the release's build.
# Files that mostly wait: so many instances side by side.
SIDE_BY_SIDE ?= $(shell expr 3 \* $$(nproc))
.PHONY: asan system-asan
asan:
	$(Q)$(MAKE) -s B=$(ASAN) SAN=address,undefined programs module
system-asan: all asan
	$(Q)ICERT_BUILD=$(ASAN) node --test --test-concurrency=$(SIDE_BY_SIDE) tests/system/*.test.mjs
system: all
	$(Q)node --test --test-concurrency=$(SIDE_BY_SIDE) tests/system/*.test.mjs
# The module with nginx's pools taken apart (tests/poison): the programs are those of the sanitized build.
POISONED = build/asan-poison
POISON_TESTS ?= uploads multipart mixed_uploads limits country edge ocsp ocsp_wire
.PHONY: poison
poison: all asan
	$(Q)$(MAKE) -s B=$(POISONED) SAN=address,undefined POISON=1 module
	$(Q)rm -rf $(POISONED)/bin && cp -al $(ASAN)/bin $(POISONED)/bin
	$(Q)ICERT_BUILD=$(POISONED) node --test --test-concurrency=$(shell nproc) $(POISON_TESTS:%=tests/system/%.test.mjs)
browser: all
	$(Q)node --test --test-concurrency=$(shell nproc) tests/browser/*.test.mjs
SOAK_FUZZ_SECONDS ?= 60
soak: all $(B)/bench/load
	$(Q)$(MAKE) fuzz FUZZ_SECONDS=$(SOAK_FUZZ_SECONDS)
	$(Q)node --test tests/soak/*.test.mjs
walls: all
	$(Q)node --test tests/walls/*.test.mjs

# First of all, what only tests need is there, or is named.
test:
	$(Q)./configure --with-test
	$(Q)$(MAKE) all
	$(Q)$(MAKE) unit
	$(Q)$(MAKE) fuzz
	$(Q)$(MAKE) system-asan
	$(Q)$(MAKE) walls
	$(Q)$(MAKE) browser

# Figures against a reference in the same run; tests/bench/README.md.
BENCH_BINARIES = $(patsubst tests/bench/%.c,$(B)/bench/%,$(wildcard tests/bench/*.c))
$(B)/bench/%: $(B)/obj/tests/bench/%.o $(TEST_ARCHIVES)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(TEST_LDLIBS)
# What ocsp_post is measured against is a module of nginx, built as ours is.
BENCH_MODULE = $(B)/bench/ngx_http_bench_module.so
$(BENCH_MODULE): tests/bench/nginx/ngx_http_bench_module.c tests/bench/nginx/config
	$(call say,MODULE,$@)
	$(Q)mkdir -p $(B)/bench/nginx
	$(Q)cd $(NGINX_SRC) && bash -c '. ./conf_flags; ./configure "$${NGX_CONF_FLAGS[@]}" \
		--builddir=$(abspath $(B))/bench/nginx --add-dynamic-module=$(TOP)/tests/bench/nginx' > $(abspath $(B))/bench/nginx/configure.log 2>&1
	$(Q)$(MAKE) -s -C $(NGINX_SRC) -f $(abspath $(B))/bench/nginx/Makefile modules > $(B)/bench/nginx/make.log 2>&1
	$(Q)cp $(B)/bench/nginx/ngx_http_bench_module.so $@
# A drawn contract for contract_rate comes from the unit that draws one.
bench: all $(BENCH_BINARIES) $(BENCH_MODULE) $(B)/test/documents_contract_pdf
	$(Q)node tests/bench/run.mjs
