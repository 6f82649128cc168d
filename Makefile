# isc-dock.  `make help` lists the targets.  User flags (CFLAGS, LDFLAGS, CC) are kept apart from our own.
PKGS := glib-2.0 gio-unix-2.0 libxml-2.0 json-c libsodium nettle sqlite3 libnftables \
	libvirt libvirt-qemu libvirt-glib-1.0 libcryptsetup libcap-ng libseccomp libnl-route-3.0 audit auparse \
	libnetfilter_log libnetfilter_conntrack
B        ?= build
export ISC_BUILD := $(abspath $B)
CC       ?= gcc
CFLAGS   ?= -O2 -g
PREFIX   ?= /usr/local
DESTDIR  ?=
VERSION  := 0.1.0

WARN := -Wall -Wextra -Wshadow -Wformat=2 -Wmissing-prototypes -Wstrict-prototypes -Wswitch-enum \
	-Wvla -Wpointer-arith -Wwrite-strings $(if $(WERROR),-Werror)
HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE \
	$(if $(findstring -fsanitize,$(CFLAGS)),,-D_FORTIFY_SOURCE=2)
OWN_CPPFLAGS = -Idock -Inode-images -I$B/gen -D_GNU_SOURCE -DISC_VERSION=\"$(VERSION)\" -DG_LOG_DOMAIN=\"isc\" \
	-DGLIB_VERSION_MIN_REQUIRED=GLIB_VERSION_2_74 -DGLIB_VERSION_MAX_ALLOWED=GLIB_VERSION_2_74
PKG_CFLAGS = $(eval PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS)))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $(shell pkg-config --libs $(PKGS)) -lresolv)$(PKG_LIBS)
OWN_CFLAGS  = -std=gnu17 $(WARN) $(HARDEN) -MMD -MP $(PKG_CFLAGS)
OWN_LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed
COMPILE = $(CC) $(OWN_CPPFLAGS) $(CPPFLAGS) $(OWN_CFLAGS) $(CFLAGS)

MAINS   := $(wildcard dock/*/main.c node-images/builder/main.c node-images/builder/check-main.c)
# nodeconf.c: isc-image asks the guest's own parser which capabilities a service may have.
LIB_SRC := $(filter-out $(MAINS),$(wildcard dock/*/*.c node-images/builder/*.c)) node-images/init/nodeconf.c
LIB_OBJ := $(LIB_SRC:%.c=$B/%.o) $B/gen/iscdock-dbus.o
BINS    := $B/isc-vm $B/isc-evidence-read $B/isc-image $B/isc-image-check $B/isc-dockd $B/isc-collectord $B/isc-forwardd $B/isc-node-init
UNIT    := $(patsubst tests/unit/%.c,$B/tests/%,$(wildcard tests/unit/test-*.c))

.DEFAULT_GOAL := all
all: $(BINS) ## build everything into build/

# --- binaries -------------------------------------------------------------------------------------
$B/libisc.a: $(LIB_OBJ)
	@rm -f $@; ar qcsP $@ $^
define binary
$B/$(1): $B/$(2).o $B/libisc.a
	@echo "  LD    $$@"
	@$$(CC) $$(OWN_LDFLAGS) $$(CFLAGS) $$(LDFLAGS) $$^ $(3) -o $$@
endef
$(eval $(call binary,isc-vm,dock/cli/main,$$(PKG_LIBS)))
$(eval $(call binary,isc-evidence-read,dock/reader/main,$$(PKG_LIBS) $$(shell pkg-config --libs libguestfs)))
$(eval $(call binary,isc-dockd,dock/daemon/main,$$(PKG_LIBS)))
$(eval $(call binary,isc-collectord,dock/collector/main,$$(PKG_LIBS)))
$(eval $(call binary,isc-forwardd,dock/forward/main,$$(PKG_LIBS)))
$(eval $(call binary,isc-image,node-images/builder/main,$$(PKG_LIBS)))
$(eval $(call binary,isc-image-check,node-images/builder/check-main,$$(PKG_LIBS) $$(shell pkg-config --libs libguestfs)))

# PID 1 of the guest: static, no GLib, sees only the wire format of the dock.
INIT_SRC := $(wildcard node-images/init/*.c)
INIT_HDR := $(wildcard node-images/init/*.h node-images/init/*.inc) dock/collector/wire.h
$B/isc-node-init: $(INIT_SRC) $(INIT_HDR)
	@mkdir -p $(@D)
	@echo "  CC    $@"
	@$(CC) -std=gnu17 $(WARN) -Os -g0 -fstack-protector-strong -D_FORTIFY_SOURCE=2 -D_GNU_SOURCE \
		-Idock -Inode-images -static -ffunction-sections -fdata-sections -Wl,--gc-sections -s \
		$(INIT_SRC) -lext2fs -lcom_err -o $@

$B/gen/iscdock-dbus.c: dock/api/org.iscdock.Dock1.xml
	@mkdir -p $(@D)
	@cd $(@D) && gdbus-codegen --interface-prefix org.iscdock. --c-namespace IscDbus \
		--c-generate-object-manager --c-generate-autocleanup all \
		--generate-c-code iscdock-dbus $(abspath $<)
$B/gen/iscdock-dbus.o: $B/gen/iscdock-dbus.c
	@$(CC) $(OWN_CPPFLAGS) -std=gnu17 -w -fPIE $(PKG_CFLAGS) $(CFLAGS) -c $< -o $@
$B/%.o: %.c | $B/gen/iscdock-dbus.c
	@mkdir -p $(@D) && echo "  CC    $<"
	@$(COMPILE) -c $< -o $@

# --- tests ----------------------------------------------------------------------------------------
# What a test needs besides itself: drivers that call the engine, benchmarks, fuzzers that replay their corpus.
TEST_TOOLS := $(patsubst %.c,$B/%,$(wildcard tests/netns/*.c tests/vm/*.c tests/fault/*.c tests/bench/*.c))
FUZZERS    := $(patsubst %.c,$B/%,$(wildcard tests/fuzz/fuzz-*.c))
NETNS      := $(wildcard tests/netns/test-*.sh tests/netns/test-*.py)
VM         := $(wildcard tests/fault/test-*.sh tests/vm/test-*.sh)
IMAGES     := minimal nginx redis memcached mallory attacker vandal fickle fickle2 fickle3
BENCH_IMAGES := minimal iperf3 redis
DEMO_IMAGES := nginx redis mallory fickle fickle2
IMAGE_DIRS := $(IMAGES:%=$B/images/%)
TEST_LINK   = $(COMPILE) -Itests/unit $(OWN_LDFLAGS) $(LDFLAGS) $< $B/libisc.a $(PKG_LIBS)

$B/tests/test-%: tests/unit/test-%.c $B/libisc.a
	@mkdir -p $(@D) && echo "  TEST  $@"
	@$(TEST_LINK) -lcmocka -o $@
$(TEST_TOOLS): $B/%: %.c $B/libisc.a
	@mkdir -p $(@D) && echo "  TEST  $@"
	@$(TEST_LINK) -lm -o $@
$(FUZZERS): $B/%: %.c $B/libisc.a
	@mkdir -p $(@D) && echo "  TEST  $@"
	@$(TEST_LINK) -DISC_FUZZ_REPLAY -o $@
RECIPE      = $(firstword $(wildcard node-images/$* tests/recipes/$*))
# What an image is made of: its recipe and the programs that build it; not the daemons.
BUILDER    := $B/isc-image $B/isc-image-check $B/isc-node-init
.SECONDEXPANSION:
$B/images/%/manifest.json: $(BUILDER) $$(shell find node-images/$$* tests/recipes/$$* -type f 2>/dev/null)
	$B/isc-image build $(RECIPE) -o $B/images/$*
# Recipes with a program of their own.
define with_program
$B/recipes/$(1)/files/usr/lib/$(1)/$(1): $$(shell find tests/recipes/$(1) -type f)
	@rm -rf $B/recipes/$(1) && mkdir -p $B/recipes && cp -rp tests/recipes/$(1) $B/recipes/ && mkdir -p $$(@D)
	@for f in $B/recipes/$(1)/*.py; do [ ! -e "$$$$f" ] || mv "$$$$f" $$(@D)/; done
	@rm $B/recipes/$(1)/$(1).c
	$$(CC) -std=gnu17 $$(WARN) -O2 -D_GNU_SOURCE -static -s tests/recipes/$(1)/$(1).c -o $$@
$B/images/$(1)/manifest.json: RECIPE = $B/recipes/$(1)
$B/images/$(1)/manifest.json: $B/recipes/$(1)/files/usr/lib/$(1)/$(1)
endef
$(foreach p,attacker vandal fickle,$(eval $(call with_program,$(p))))
# The same recipe in three versions.
$B/recipes/fickle%/image.conf: $B/recipes/fickle/files/usr/lib/fickle/fickle
	@rm -rf $(@D) && cp -rp $B/recipes/fickle $(@D)
	@sed -i 's/^Version=.*/Version=$*/' $@ && sed -i 's/ 1$$/ $*/' $(@D)/files/srv/www/index.html
$B/images/fickle2/manifest.json: RECIPE = $B/recipes/fickle2
$B/images/fickle2/manifest.json: $B/recipes/fickle2/image.conf
$B/images/fickle3/manifest.json: RECIPE = $B/recipes/fickle3
$B/images/fickle3/manifest.json: $B/recipes/fickle3/image.conf
# For bench-guest.py: the same images with an init that begins no audit.  isc-image takes the init that lies beside it.
UNAUDITED := vandal nginx
$B/bench/isc-node-init: $(INIT_SRC) $(INIT_HDR) tests/bench/unaudited/audit.c
	@mkdir -p $(@D)
	@$(CC) -std=gnu17 $(WARN) -Os -g0 -D_GNU_SOURCE -Idock -Inode-images -static -ffunction-sections -fdata-sections \
		-Wl,--gc-sections -s $(filter-out %/init/audit.c %/audit-rules-32.c %/audit-rules-64.c,$(INIT_SRC)) \
		tests/bench/unaudited/audit.c -lext2fs -lcom_err -o $@
$B/bench/images/%/manifest.json: $B/bench/isc-node-init $B/isc-image $B/isc-image-check $B/images/%/manifest.json
	@cp $B/isc-image $B/isc-image-check $B/bench/
	@rm -rf $B/bench/$* && cp -rp $(firstword $(wildcard $B/recipes/$*) node-images/$*) $B/bench/$*
	@sed -i 's/^Name=.*/Name=$*-unaudited/' $B/bench/$*/image.conf
	$B/bench/isc-image build --no-check $B/bench/$* -o $B/bench/images/$*
images: $(IMAGE_DIRS:%=%/manifest.json) ## build the images that the tests and the demo boot

check-unit: $(UNIT) $(FUZZERS) ## unit tests: no root, no network, seconds
	tests/run -t 60 $(UNIT) $(wildcard tests/fuzz/replay)
check-netns: all $(TEST_TOOLS) ## tests in network namespaces: root
	tests/run -t 300 $(NETNS)
check-vm: all $(TEST_TOOLS) images ## tests with real nodes: root, minutes
	tests/run -t 900 $(VM)
check: export WERROR := 1
check: ## everything that CI runs; installs what is missing; root
	tools/deps
	$(MAKE) -j$$(nproc) all $(UNIT) $(FUZZERS) $(TEST_TOOLS)
	$(MAKE) -j$$(nproc) lint images
	tests/run -t 900 -j 2 $(UNIT) $(wildcard tests/fuzz/replay) $(NETNS) $(VM)
soak: export ISC_KILL_SECONDS ?= 300
soak: export ISC_COMMANDS ?= 10000
soak: export ISC_BOMB ?= 60
soak: export ISC_AWAY ?= 60
soak: export ISC_ALL_STEPS ?= 1
soak: export ISC_CYCLES ?= 200
soak: all $(TEST_TOOLS) images $B/images/postgresql/manifest.json ## the long forms of the tests that have one: root, hours
	tests/run -t 14400 $(wildcard tests/soak/test-*.sh) $(addprefix tests/,fault/test-trail-kills.sh fault/test-crash.sh vm/test-audit.sh vm/test-cycles.sh vm/test-forward.sh)
fuzz: ## look for new bad inputs with libFuzzer, a minute each
	tests/fuzz/run
check-asan: ## unit tests under the address and undefined-behaviour sanitizers
	$(MAKE) check-unit B=$B/asan CFLAGS='-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined'
# gcc 12 holds a g_autofree pointer to be unset when the function that fills it in was inlined; -Wuninitialized looks, too.
analyze: ## gcc's static analyzer over daemon, tools and libraries
	$(MAKE) $B/analyze/libisc.a B=$B/analyze \
		CFLAGS='-O1 -g -fanalyzer -Werror -Wno-analyzer-use-of-uninitialized-value'

C_FILES := $(shell git ls-files '*.c' '*.h' 2>/dev/null)
SH_FILES := tools/deps tools/rig tools/demo tools/check-layers tools/check-man tools/update-golden tests/run tests/lib.sh \
	$(wildcard tools/rig.d/*) $(wildcard tests/*/*.sh) .ci/run
lint: ## layers, style, shell, man pages
	tools/check-layers
	tools/check-man
	clang-format --dry-run -Werror $(C_FILES)
	shellcheck -x $(filter-out %.conf,$(wildcard $(SH_FILES)))
format: ## rewrites all C by .clang-format
	clang-format -i $(C_FILES)
bench: all $(TEST_TOOLS) $(BENCH_IMAGES:%=$B/images/%/manifest.json) $(UNAUDITED:%=$B/bench/images/%/manifest.json) ## measure against peers; prints a table, writes build/bench.json
	tests/bench/run
demo: ## the main job, from nothing to proof of destruction; root, minutes
	tools/deps
	$(MAKE) -j$$(nproc) all
	$(MAKE) $(DEMO_IMAGES:%=$B/images/%/manifest.json)
	tools/demo

# --- install --------------------------------------------------------------------------------------
install: all ## into $(DESTDIR)$(PREFIX); units, bus policy, users, man pages
	tools/install $B "$(DESTDIR)" "$(PREFIX)"
uninstall: ## refuses while nodes are left
	tools/install --remove "$(DESTDIR)" "$(PREFIX)"
deps: ## Debian packages for building, running and testing
	tools/deps
clean: ## removes build/
	chattr -R -i $B 2>/dev/null; rm -rf $B
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

-include $(shell find $B -path $B/images -prune -o -name '*.d' -type f -print 2>/dev/null)
.SECONDARY:
.PHONY: all images check soak fuzz check-unit check-netns check-vm check-asan analyze lint format bench demo install uninstall deps clean help
