# sales_crm: built by PGXS. `make help` lists what there is to do; `make demo` and `make test` set
# up everything they need by themselves.

EXTENSION = sales_crm
MODULE_big = sales_crm
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))
DATA_built = sql/sales_crm--1.0.sql

# Programs outside the server, built where their libraries are; the extension needs none of them.
# `make programs` says what is missing.
SENDER = src/bin/sender/sales_crm_sender
SENDER_LIBRARIES = gmime-3.0 libical libcurl jansson libidn2 libcrypto
PORTAL = src/bin/portal/sales_crm_portal
PORTAL_LIBRARIES = libmicrohttpd gnutls
have = $(shell pkg-config --exists $(1) 2>/dev/null && echo yes)
PROGRAMS = $(if $(PGXS),$(if $(call have,$(SENDER_LIBRARIES)),$(SENDER)) $(if $(call have,$(PORTAL_LIBRARIES)),$(PORTAL)))
EXTRA_CLEAN = $(SENDER) $(SENDER)_sanitized $(PORTAL) $(PORTAL)_sanitized

# Warnings are errors; packagers with another compiler may say `make WERROR=`.
WERROR = -Werror

# Tests of an installed sales_crm in a running server: make installcheck
REGRESS = $(shell sed -n 's/^test: //p' test/schedule)
REGRESS_OPTS = --inputdir=test
ISOLATION = $(basename $(notdir $(sort $(wildcard test/isolation/specs/*.spec))))
ISOLATION_OPTS = --inputdir=test/isolation --load-extension=sales_crm

PG_CONFIG = pg_config
export PG_CONFIG

ifneq ($(shell command -v $(PG_CONFIG) 2>/dev/null),)
# System headers: their warnings are not ours
PG_CPPFLAGS = -isystem $(shell $(PG_CONFIG) --includedir-server)
PG_CFLAGS = -std=gnu11 -Wall -Wextra $(WERROR) -Wno-declaration-after-statement
# Bitcode would need the very clang that the server was built with
override with_llvm = no
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
else
all install installcheck:
	@test/lib/packages build
	@$(MAKE) --no-print-directory $@
clean:
	rm -f sales_crm.so src/*.o sql/sales_crm--1.0.sql
.DEFAULT_GOAL = all
endif

sql/sales_crm--1.0.sql: sql/assemble sql/manifest $(wildcard sql/code/*.sql sql/data/*.sql)
	sh sql/assemble > $@.new && mv $@.new $@

$(OBJS): $(wildcard src/*.h)

# No server headers: the programs are clients. Those named _sanitized stop at undefined behaviour
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
$(SENDER) $(SENDER)_sanitized: $(wildcard src/bin/sender/*.[ch] src/bin/sender/*.py src/bin/common/*.[ch])
	$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra $(WERROR) -Wno-declaration-after-statement -pthread -o $@ \
		$(if $(filter %_sanitized,$@),$(SANITIZE)) -DSCRIPTS='"src/bin/sender"' $(filter %.c,$^) \
		$$(pkg-config --cflags --libs $(SENDER_LIBRARIES)) \
		-isystem $$($(PG_CONFIG) --includedir) -L$$($(PG_CONFIG) --libdir) -lpq -lm

# Socket activation, where systemd's library is
SYSTEMD = $(if $(call have,libsystemd),-DHAVE_SYSTEMD $$(pkg-config --cflags --libs libsystemd))
$(PORTAL) $(PORTAL)_sanitized: $(wildcard src/bin/portal/*.[ch] src/bin/portal/asset/* src/bin/common/*.[ch])
	$(CC) -std=gnu11 -O2 -g -Wall -Wextra $(WERROR) -Wno-declaration-after-statement -pthread -o $@ \
		$(if $(filter %_sanitized,$@),$(SANITIZE)) -DASSETS='"src/bin/portal/asset"' $(filter %.c,$^) \
		$$(pkg-config --cflags --libs $(PORTAL_LIBRARIES)) $(SYSTEMD) \
		-isystem $$($(PG_CONFIG) --includedir) -L$$($(PG_CONFIG) --libdir) -lpq -lm

programs: $(SENDER) $(PORTAL)
all: $(PROGRAMS)
install: install-programs
# Units of systemd go beside the documentation: whether they are enabled is up to the administrator
install-programs: $(PROGRAMS)
	$(if $(PROGRAMS),mkdir -p '$(DESTDIR)$(bindir)' '$(DESTDIR)$(docdir)/extension' && install -m 755 $(PROGRAMS) '$(DESTDIR)$(bindir)')
	$(if $(PROGRAMS),for unit in $(wildcard $(foreach program,$(PROGRAMS),$(program).service $(program).socket)); do \
		sed 's|@bindir@|$(bindir)|' $$unit >'$(DESTDIR)$(docdir)/extension/'$${unit##*/} || exit 1; done)

.PHONY: programs install-programs help demo test bench stress valgrind fuzz screenshots lint format

help:
	@echo 'make              build'
	@echo 'make programs     build sales_crm_sender and sales_crm_portal, which make does by itself where their libraries are'
	@echo 'make install      put it where the server of PG_CONFIG finds it'
	@echo 'make demo         a private server, a small company, the main job shown (STAY=1: leave it running)'
	@echo 'make test         everything set up, every test run (SUITES="regress isolation pgtap tap", PG=17 or 18)'
	@echo 'make bench        figures against hand-written SQL and a PL/pgSQL twin (ROUNDS=5 FIGURES=opportunity)'
	@echo 'make stress       long campaigns (SECONDS=20, SEED=…, STRESS=portal for one)'
	@echo 'make valgrind     the SQL tests under valgrind'
	@echo 'make screenshots  every page of the portal at phone and desktop size, in the folder screenshots'
	@echo 'make fuzz         fuzzing of what reads bytes of strangers, with sanitizers (SECONDS=60 HARNESS=mustache)'
	@echo 'make lint         clang-format and cppcheck'
	@echo 'make format       clang-format in place'
	@echo 'make installcheck regression and isolation tests in a running server'

demo:
	@test/lib/packages server
	@test/lib/install
	@test/demo/run $(if $(STAY),stay)

test:
ifdef PG
	@test/lib/root $(PG) $(if $(SUITES),SUITES="$(SUITES)")
else
	@test/lib/packages test
	@test/lib/install
	@test/lib/test $(SUITES)
endif

bench:
	@test/lib/packages server
	@test/lib/install
	@test/bench/run $(or $(ROUNDS),5) $(FIGURES)

stress:
	@test/lib/packages test
	@test/lib/install
	@STRESS_SECONDS=$(or $(SECONDS),20) $(if $(SEED),STRESS_SEED=$(SEED)) $(if $(STRESS),STRESS=$(STRESS)) test/lib/test stress

valgrind:
	@test/lib/packages test valgrind
	@test/lib/install
	@test/lib/valgrind

screenshots:
	@test/lib/packages test
	@test/lib/install
	@test/lib/test screenshots

fuzz:
	@test/lib/packages fuzz
	@test/fuzz/run $(or $(SECONDS),60) $(HARNESS)

lint:
	@test/lib/packages lint
	clang-format --dry-run -Werror src/*.c src/*.h src/bin/*/*.c src/bin/*/*.h
	cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
		--suppress=missingIncludeSystem -DPG_VERSION_NUM=170000 -DHAVE_INT128 \
		'-Dereport(level,...)=abort()' '-Delog(level,...)=abort()' \
		'-Dforeach(item,list)=while ((item = next(list)))' src

format:
	clang-format -i src/*.c src/*.h src/bin/*/*.c src/bin/*/*.h
