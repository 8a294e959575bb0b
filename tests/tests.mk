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

# The filter of system calls does not go with sanitizers: what it stops is tried without them.
UNSANITIZED = $(B)/test/libicert_sandbox

.PHONY: unit-build unit-run
unit-build: $(UNIT_NAMES:%=$(B)/test/%)
unit:
	$(Q)$(MAKE) -s B=$(ASAN) SAN=address,undefined unit-build
	$(Q)$(MAKE) -s $(UNSANITIZED)
	$(Q)node tests/run-units.mjs $(UNIT_NAMES:%=$(ASAN)/test/%) $(UNSANITIZED)
	$(Q)node --test tests/unit/*.test.mjs

# Each fuzz target is one file, linked with libicert alone (or with what FUZZ_WITH_name adds), run for FUZZ_SECONDS.
FUZZ_SECONDS ?= 5
FUZZ_NAMES = $(notdir $(basename $(wildcard tests/fuzz/*.c)))
FUZZ_WITH_cms = $(BE)/pki/cms.c $(BE)/pki/cms_key.c
build/fuzz/%: tests/fuzz/%.c $(wildcard tests/fuzz/*.h) $(libicert_SRC) $(wildcard libicert/*.h) $(FUZZ_WITH_cms)
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(FUZZ_CC) -std=c11 -D_GNU_SOURCE -I. -I$(BE) -g -O1 -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all -o $@ $< $(FUZZ_WITH_$*) $(libicert_SRC) -lcrypto -lsodium -linih -lseccomp -lz
fuzz: $(FUZZ_NAMES:%=build/fuzz/%)
	$(Q)for t in $(FUZZ_NAMES); do tests/fuzz/run.sh $$t $(FUZZ_SECONDS) || exit 1; done

system: all
	$(Q)node --test tests/system/*.test.mjs
browser: all
	$(Q)node --test tests/browser/*.test.mjs
soak: all
	$(Q)node --test tests/soak/*.test.mjs
walls: all
	$(Q)node --test tests/walls/*.test.mjs

# First of all, what only tests need is there, or is named.
test:
	$(Q)./configure --with-test
	$(Q)$(MAKE) all
	$(Q)$(MAKE) unit
	$(Q)$(MAKE) fuzz
	$(Q)$(MAKE) system
	$(Q)$(MAKE) walls
	$(Q)$(MAKE) browser
