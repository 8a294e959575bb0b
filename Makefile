# One Makefile for the whole house.  Every room is an archive; a program is
# linked with the archives in the order in which rooms may call each other,
# once, so a call upwards is a link error.
-include build/config.mk
ifeq ($(TOP),)
ifeq ($(filter clean,$(MAKECMDGOALS)),)
$(error run ./configure first)
endif
endif

# One goal alone is built on all cores; several are made one after the other.
ifeq ($(MAKELEVEL)$(words $(wordlist 2,3,$(MAKECMDGOALS))),00)
MAKEFLAGS += -j$(shell nproc)
endif

B ?= build
BE = fcgi-backend
V ?= 0
Q = $(if $(filter 0,$(V)),@)
say = $(if $(filter 0,$(V)),@printf '  %-7s %s\n' "$(1)" "$(2)")

# B=build/asan SAN=address,undefined builds the same house under sanitizers.
SAN ?=
HARDEN = -fstack-protector-strong -fPIE $(if $(SAN),,-D_FORTIFY_SOURCE=2)
SANFLAGS = $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
WARN = -Wall -Wextra -Werror -Wformat=2 -Wvla -Wshadow -Wstrict-prototypes -Wmissing-prototypes
CFLAGS = -std=c11 -D_GNU_SOURCE $(if $(SAN),-O1,-O2) -g $(WARN) $(HARDEN) $(SANFLAGS)
# B=build/production PRODUCTION=1 builds what refuses a test clock.
PRODUCTION ?=
CPPFLAGS = $(if $(PRODUCTION),-DICERT_PRODUCTION) -I. -I$(BE) -I$(B)/gen $(patsubst -I%,-isystem %,$(PKG_CFLAGS)) -MMD -MP
LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SANFLAGS)

# Rooms, top to bottom.  Siblings do not call each other.
BACKEND_ROOMS = operate web procedure publish payments documents mail audit pki crypt store views
KEY_ROOMS = keys checker pki
ROOMS = $(sort $(BACKEND_ROOMS) $(KEY_ROOMS))

libicert_SRC = $(wildcard libicert/*.c)
views_SRC = $(wildcard $(BE)/views/*.c) $(B)/gen/views.c
room_src = $(wildcard $(BE)/$(1)/*.c $(BE)/$(1)/*/*.c)
$(foreach r,$(filter-out views,$(ROOMS)),$(eval $(r)_SRC = $$(call room_src,$(r))))

objects = $(patsubst %.c,$(B)/obj/%.o,$(patsubst $(B)/gen/%,gen/%,$(1)))
ROOM_LIBS = $(foreach r,$(ROOMS) libicert,$(B)/lib/$(r).a)

# A program of the key family is linked without the rooms that know a
# database, a page or a mail.
KEY_PROGRAMS = signer status-signer keymaker keeper checker
PROGRAM_SRC = $(wildcard $(BE)/programs/*.c)
PROGRAM_NAMES = $(notdir $(basename $(PROGRAM_SRC)))
PROGRAMS = $(foreach p,$(PROGRAM_NAMES),$(B)/bin/$(if $(filter icertctl,$(p)),icertctl,icert-$(p)))
KEY_BINARIES = $(filter $(KEY_PROGRAMS:%=$(B)/bin/icert-%),$(PROGRAMS))
BACKEND_BINARIES = $(filter-out $(KEY_BINARIES),$(PROGRAMS))

KEY_LDLIBS = -lcrypto -lsodium -loath -lseccomp -linih -ljpeg -lpng -lqpdf -lxml2 -lz -ldl
BACKEND_LDLIBS = -lfcgi -lpq -lhiredis -lsodium -lssl -lcrypto -ljansson -lcurl -lcairo -lpangocairo-1.0 \
	-lpango-1.0 -lgobject-2.0 -lqrencode -lqpdf -linih -lmaxminddb -lseccomp -loath -larchive -lz -ldl -lm

.PHONY: all module programs views check test unit fuzz system browser walls run reset bench soak clean install
.DELETE_ON_ERROR:
.SECONDARY:

all: programs $(if $(wildcard ngx_icert_module/config),module) $(if $(wildcard $(BE)/views/assets.mjs),static)

programs: $(PROGRAMS)

$(KEY_BINARIES): $(B)/bin/icert-%: $(B)/obj/$(BE)/programs/%.o $(foreach r,$(KEY_ROOMS) libicert,$(B)/lib/$(r).a)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(KEY_LDLIBS)

BACKEND_ARCHIVES = $(foreach r,$(BACKEND_ROOMS) libicert,$(B)/lib/$(r).a)
$(B)/bin/icert-%: $(B)/obj/$(BE)/programs/%.o $(BACKEND_ARCHIVES)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(BACKEND_LDLIBS)

$(B)/bin/icertctl: $(B)/obj/$(BE)/programs/icertctl.o $(BACKEND_ARCHIVES)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(BACKEND_LDLIBS)

define room_rule
$(B)/lib/$(1).a: $$(call objects,$$($(1)_SRC))
	$$(call say,AR,$$@)
	$$(Q)mkdir -p $$(@D) && rm -f $$@ && ar qcs $$@ $$^
endef
$(foreach r,$(ROOMS) libicert,$(eval $(call room_rule,$(r))))

# Whoever includes a generated header needs it before its first compile.
$(B)/obj/$(BE)/%.o: $(BE)/%.c | $(B)/gen/views.h
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(B)/obj/gen/%.o: $(B)/gen/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(B)/obj/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# Views: Handlebars at build time, C functions at run time.
VIEW_SRC = $(shell find $(BE)/views -name '*.hbs' -o -name '*.mjs' -o -name '*.json' 2>/dev/null)
views: $(B)/gen/views.h
$(B)/gen/views.c: $(B)/gen/views.h ;
$(B)/gen/views.h: $(VIEW_SRC)
	$(call say,VIEWS,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(NODE) $(BE)/views/compile.mjs --out $(@D)

# Style sheets, scripts and pictures, as nginx serves them.
.PHONY: static
static: $(B)/static/.stamp
STATIC_SRC = $(shell find $(BE)/views/static -type f 2>/dev/null) package-lock.json
$(B)/static/.stamp: $(STATIC_SRC)
	$(call say,STATIC,$(@D))
	$(Q)mkdir -p $(@D)
	$(Q)$(NODE) $(BE)/views/assets.mjs --out $(@D) && touch $@

# The nginx module, with Debian's own flags, out of nginx's tree.
MODULE = $(B)/modules/ngx_icert_module.so
module: $(MODULE)
$(B)/nginx/Makefile: ngx_icert_module/config
	$(call say,NGINX,configure)
	$(Q)mkdir -p $(B)/nginx
	$(Q)cd $(NGINX_SRC) && $(if $(POISON),ICERT_POISON=1) bash -c '. ./conf_flags; ./configure "$${NGX_CONF_FLAGS[@]}" \
		--builddir=$(abspath $(B))/nginx --add-dynamic-module=$(TOP)/ngx_icert_module \
		$(if $(SAN),--with-cc-opt="-O1 -g $(SANFLAGS)" --with-ld-opt="$(SANFLAGS)")' \
		> $(abspath $(B))/nginx/configure.log 2>&1 || { tail -20 $(abspath $(B))/nginx/configure.log >&2; exit 1; }
# Renamed into place: an nginx that runs has the old file mapped.
$(MODULE): $(B)/nginx/Makefile $(if $(POISON),tests/poison/pool.c) $(wildcard ngx_icert_module/*.c ngx_icert_module/*.h libicert/*.c libicert/*.h)
	$(call say,MODULE,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(MAKE) -s -C $(NGINX_SRC) -f $(abspath $(B))/nginx/Makefile modules > $(B)/nginx/make.log 2>&1 \
		|| { cat $(B)/nginx/make.log >&2; exit 1; }
	$(Q)cp $(B)/nginx/ngx_http_icert_module.so $@.new && mv $@.new $@

include tests/tests.mk

PORT_BASE ?= 8443
run: all
	$(Q)$(B)/bin/icertctl up --prefix $(TOP)/var --port-base $(PORT_BASE)

reset:
	$(Q)$(B)/bin/icertctl down --prefix $(TOP)/var
	$(Q)$(B)/bin/icertctl reset --prefix $(TOP)/var

# An installation that systemd supervises: docs/operating.md.
PREFIX ?= /usr
LIBDIR = $(DESTDIR)$(PREFIX)/lib/icert
install: all
	install -d $(LIBDIR)/bin $(LIBDIR)/modules $(LIBDIR)/conf $(DESTDIR)$(PREFIX)/bin \
		$(DESTDIR)/lib/systemd/system/icert-.service.d $(DESTDIR)/usr/lib/sysusers.d $(DESTDIR)/usr/lib/tmpfiles.d \
		$(DESTDIR)/etc/logrotate.d
	install -m 755 $(B)/bin/* $(LIBDIR)/bin
	install -m 644 $(B)/modules/ngx_icert_module.so $(LIBDIR)/modules
	cp -r --no-preserve=ownership $(B)/static migrations $(LIBDIR)
	cp -r --no-preserve=ownership conf/*.in conf/*.sql conf/pages $(LIBDIR)/conf
	install -m 644 conf/systemd/*.service conf/systemd/*.socket conf/systemd/*.timer conf/systemd/*.target $(DESTDIR)/lib/systemd/system
	install -m 644 conf/systemd/icert-.service.d/* $(DESTDIR)/lib/systemd/system/icert-.service.d
	install -m 644 conf/systemd/icert.sysusers $(DESTDIR)/usr/lib/sysusers.d/icert.conf
	install -m 644 conf/logrotate.conf $(DESTDIR)/etc/logrotate.d/icert
	install -m 644 conf/systemd/icert.tmpfiles $(DESTDIR)/usr/lib/tmpfiles.d/icert.conf
	install -m 644 conf/systemd/icert-mirror.sysusers conf/systemd/icert-mirror.tmpfiles $(LIBDIR)/conf
	ln -sf ../lib/icert/bin/icertctl $(DESTDIR)$(PREFIX)/bin/icertctl

clean:
	rm -rf build

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
