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

# Every file is a process of its own, and they run side by side, the longest first (tests/run.mjs).
RUN_TESTS = node tests/run.mjs $(if $(TIMES),--times)
UNIT_TESTS = $(SANITIZED_NAMES:%=$(ASAN)/test/%) $(UNSANITIZED) $(wildcard tests/unit/*.test.mjs)
SYSTEM_TESTS = $(wildcard tests/system/*.test.mjs)
WALLS_TESTS = $(wildcard tests/walls/*.test.mjs)
BROWSER_TESTS = $(wildcard tests/browser/*.test.mjs)

.PHONY: unit-build
unit-build: $(SANITIZED_NAMES:%=$(B)/test/%)
unit:
	$(Q)$(MAKE) -s B=$(ASAN) SAN=address,undefined unit-build
	$(Q)$(MAKE) -s $(UNSANITIZED)
	$(Q)$(RUN_TESTS) $(UNIT_TESTS)

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
FUZZ_TESTS = $(FUZZ_NAMES:%=tests/fuzz/%.c)
fuzz: $(FUZZ_NAMES:%=build/fuzz/%)
	$(Q)FUZZ_RUNS=$(FUZZ_RUNS) FUZZ_SECONDS=$(FUZZ_SECONDS) $(RUN_TESTS) $(FUZZ_TESTS)

# The running system is tested under ASan and UBSan, leaks included: our programs, and our module in Debian's nginx.
# A report in any log fails the file that started the instance.  make system: the same tests on the release's build.
.PHONY: asan system-asan
asan:
	$(Q)$(MAKE) -s B=$(ASAN) SAN=address,undefined programs module
system-asan: all asan
	$(Q)$(RUN_TESTS) --build $(ASAN) $(SYSTEM_TESTS)
system: all
	$(Q)$(RUN_TESTS) $(SYSTEM_TESTS)
# The module with nginx's pools taken apart (tests/poison): the programs are those of the sanitized build.
POISONED = build/asan-poison
POISON_TESTS ?= uploads reasons upload_refusals upload_aborts multipart mixed_uploads in_hand limits edge ocsp ocsp_wire
.PHONY: poison
poison: all asan
	$(Q)$(MAKE) -s B=$(POISONED) SAN=address,undefined POISON=1 module
	$(Q)rm -rf $(POISONED)/bin && cp -al $(ASAN)/bin $(POISONED)/bin
	$(Q)$(RUN_TESTS) --build $(POISONED) $(POISON_TESTS:%=tests/system/%.test.mjs)
browser: all
	$(Q)$(RUN_TESTS) $(BROWSER_TESTS)
SOAK_FUZZ_SECONDS ?= 60
soak: all $(B)/bench/load
	$(Q)$(MAKE) fuzz FUZZ_SECONDS=$(SOAK_FUZZ_SECONDS)
	$(Q)node --test tests/soak/*.test.mjs
walls: all
	$(Q)$(RUN_TESTS) $(WALLS_TESTS)

# First of all, what only tests need is there, or is named.  Everything is built before anything runs, and then all of it is one
# run: whoever waits leaves the cores to others.  make test TIMES=1 notes how long each file took (tests/times), for the order of the next.
.PHONY: test-build asan-build
asan-build: all
	$(Q)$(MAKE) -s B=$(ASAN) SAN=address,undefined programs module unit-build
test-build: all asan-build $(UNSANITIZED) $(FUZZ_NAMES:%=build/fuzz/%)
test:
	$(Q)./configure --with-test
	$(Q)$(MAKE) test-build
	$(Q)FUZZ_RUNS=$(FUZZ_RUNS) FUZZ_SECONDS=$(FUZZ_SECONDS) $(RUN_TESTS) --build $(ASAN) \
		$(UNIT_TESTS) $(FUZZ_TESTS) $(SYSTEM_TESTS) $(WALLS_TESTS) $(BROWSER_TESTS)

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
