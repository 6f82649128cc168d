# isc-dock.  `make help` lists the targets.  User flags (CFLAGS, LDFLAGS, CC) are kept apart from our own.
PKGS := glib-2.0 gio-unix-2.0 libxml-2.0 json-c libsodium nettle sqlite3 libnftables \
	libvirt libvirt-qemu libvirt-glib-1.0 libcryptsetup libcap-ng libseccomp libnl-route-3.0 audit auparse \
	libnetfilter_log libnetfilter_conntrack
B        ?= build
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
PKG_LIBS   = $(eval PKG_LIBS := $(shell pkg-config --libs $(PKGS)))$(PKG_LIBS)
OWN_CFLAGS  = -std=gnu17 $(WARN) $(HARDEN) -MMD -MP $(PKG_CFLAGS)
OWN_LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed
COMPILE = $(CC) $(OWN_CPPFLAGS) $(CPPFLAGS) $(OWN_CFLAGS) $(CFLAGS)

MAINS   := $(wildcard dock/*/main.c node-images/builder/main.c node-images/builder/check-main.c)
LIB_SRC := $(filter-out $(MAINS),$(wildcard dock/*/*.c node-images/builder/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$B/%.o) $B/gen/iscdock-dbus.o
BINS    := $B/isc-vm $B/isc-image $B/isc-image-check $B/isc-dockd $B/isc-collectord $B/isc-node-init
UNIT    := $(patsubst tests/unit/%.c,$B/tests/%,$(wildcard tests/unit/test-*.c))

.DEFAULT_GOAL := all
all: $(BINS) ## build everything into build/

# --- binaries -------------------------------------------------------------------------------------
$B/libisc.a: $(LIB_OBJ)
	@rm -f $@; ar qcsP $@ $^
define binary
$B/$(1): $B/$(2).o $B/libisc.a
	$$(CC) $$(OWN_LDFLAGS) $$(CFLAGS) $$(LDFLAGS) $$^ $(3) -o $$@
endef
$(eval $(call binary,isc-vm,dock/cli/main,$$(PKG_LIBS)))
$(eval $(call binary,isc-dockd,dock/daemon/main,$$(PKG_LIBS)))
$(eval $(call binary,isc-collectord,dock/collector/main,$$(PKG_LIBS)))
$(eval $(call binary,isc-image,node-images/builder/main,$$(PKG_LIBS)))
$(eval $(call binary,isc-image-check,node-images/builder/check-main,$$(PKG_LIBS) $$(shell pkg-config --libs libguestfs)))

# PID 1 of the guest: static, no GLib, sees only the wire format of the dock.
INIT_SRC := $(wildcard node-images/init/*.c)
INIT_HDR := $(wildcard node-images/init/*.h) dock/collector/wire.h
$B/isc-node-init: $(INIT_SRC) $(INIT_HDR)
	@mkdir -p $(@D)
	$(CC) -std=gnu17 $(WARN) -Os -g0 -fstack-protector-strong -D_FORTIFY_SOURCE=2 -D_GNU_SOURCE \
		-Idock -Inode-images -static -ffunction-sections -fdata-sections -Wl,--gc-sections -s \
		$(INIT_SRC) -laudit -lcap-ng -lext2fs -lcom_err -o $@

$B/gen/iscdock-dbus.c: dock/api/org.iscdock.Dock1.xml
	@mkdir -p $(@D)
	cd $(@D) && gdbus-codegen --interface-prefix org.iscdock. --c-namespace IscDbus \
		--c-generate-object-manager --c-generate-autocleanup all \
		--generate-c-code iscdock-dbus $(abspath $<)
$B/gen/iscdock-dbus.o: $B/gen/iscdock-dbus.c
	$(CC) $(OWN_CPPFLAGS) -std=gnu17 -w -fPIE $(PKG_CFLAGS) $(CFLAGS) -c $< -o $@
$B/%.o: %.c | $B/gen/iscdock-dbus.c
	@mkdir -p $(@D)
	$(COMPILE) -c $< -o $@

# --- tests ----------------------------------------------------------------------------------------
$B/tests/%: tests/unit/%.c $B/libisc.a
	@mkdir -p $(@D)
	$(COMPILE) -Itests/unit $(OWN_LDFLAGS) $(LDFLAGS) $< $B/libisc.a $(PKG_LIBS) -lcmocka -o $@

check-unit: $(UNIT) ## unit tests: no root, no network, seconds
	CMOCKA_MESSAGE_OUTPUT=TAP unshare -rn tests/run -t 60 $(UNIT)

-include $(shell find $B -name '*.d' 2>/dev/null)
.SECONDARY:
.PHONY: all check-unit
