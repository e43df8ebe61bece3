/* Random operations, and their text form. */
#include "tests/model/model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define X15 "xxxxxxxxxxxxxxx"
#define X255 X15 X15 X15 X15 X15 X15 X15 X15 X15 X15 X15 X15 X15 X15 X15 X15 X15
#define EURO17                                                                     \
	"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac" \
	"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac" \
	"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
#define FF15 "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
#define FF255                                                                           \
	FF15 FF15 FF15 FF15 FF15 FF15 FF15 FF15 FF15 FF15 FF15 FF15 FF15 FF15 FF15 FF15 \
		FF15

/* The first N_PLAIN are plain; the rest are legal names that a drive could trip over. */
enum { N_PLAIN = 12 };
static const char *const pool[] = {
	"a",
	"b",
	"c",
	"d",
	"e",
	"file.txt",
	"archive.tar.gz",
	"long-ish name-0123456789",
	".dot",
	"k",
	"m",
	"z9",
	/* case, composed and decomposed, other scripts, beyond the BMP */
	"A",
	"B",
	"Dir",
	"dir",
	"DIR",
	"\xc3\xa4",
	"a\xcc\x88",
	"\xc3\x84",
	"\xe6\x97\xa5\xe6\x9c\xac",
	"\xf0\x9f\x98\x80",
	"\xc4\xb0",
	"\xc5\xbf",
	"stra\xc3\x9f\x65",
	/* not UTF-8: stray, truncated, overlong, surrogate, beyond U+10FFFF */
	"\xff\xfe",
	"\x80",
	"x\xc3",
	"\xc0\xaf",
	"\xed\xa0\x80",
	"\xf4\x90\x80\x80",
	"\xe2\x82",
	/* what NT reserves, and what it travels as */
	"back\\slash",
	"co:lon",
	"*",
	"?",
	"\"",
	"<",
	">",
	"|",
	"\x01\x1f",
	"new\nline",
	"\x7f",
	"\xef\x80\xaa",
	"\xef\x80\xba",
	"\xef\x82\xff",
	"\xef\x83\xbf",
	"NUL",
	"con.txt",
	"a:$DATA",
	"trail ",
	"dot.",
	"...",
	" ",
	" lead",
	"~",
	"PROGRA~1",
	"$Extend",
	/* lengths at and beyond the limit */
	X255,
	EURO17 EURO17 EURO17 EURO17 EURO17,
	FF255,
	X255 "x",
};

static const char *const xattr_pool[] = {
	"user.a",
	"user.b",
	"user.mime_type",
	"user.with space",
	"user.\xc3\xa4",
	"user.long-name-" X15 X15 X15,
	"user.dots.and:colons",
};

const char *
pool_name(unsigned index)
{
	return index < ARRAY_SIZE(pool) ? pool[index] : NULL;
}

const char *
xattr_pool_name(unsigned index)
{
	return xattr_pool[index % ARRAY_SIZE(xattr_pool)];
}

static bool
call_wanted(const struct call_def *def)
{
	for (size_t i = 0; i < config.without.n; i++)
		if (strcmp(config.without.items[i], def->name) == 0)
			return false;
	return !(def->group == 'x' && config.no_xattr) &&
	       !(def->group == 'h' && config.no_holes) &&
	       !(def->group == 'r' && !config.special_nodes);
}

void
gen_init(struct gen *g, uint64_t seed, enum profile profile, const struct side *ref)
{
	const struct call_def *def;
	size_t limit = config.plain_names ? (size_t)N_PLAIN : ARRAY_SIZE(pool);

	*g = (struct gen){.rng = {seed}, .profile = profile, .ref = ref};
	/* Few names per run, so that operations meet; two plain ones keep paths readable.
	 */
	for (unsigned i = 0; i < N_HOT; i++)
		g->hot[i] = i % N_HOT_DIRS == 0 ? i / N_HOT_DIRS
						: (unsigned)rng_below(&g->rng, limit);
	for (unsigned i = 0; (def = model_call(i)) != NULL; i++)
		if (call_wanted(def))
			g->total_weight += def->weights[profile];
	check(g->total_weight > 0, "no operation left to generate");
}

/* Mostly an open slot of this type; what is left must fail alike on both sides. */
static int64_t
gen_slot(struct gen *g, mode_t type)
{
	int64_t slot = 0;

	for (int i = 0; i < 12; i++) {
		int fd;
		struct stat st;

		slot = (int64_t)rng_below(&g->rng, N_SLOTS);
		fd = g->ref->fds[slot];
		if (fd >= 0 &&
		    (type == 0 || (fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type)))
			break;
	}
	return slot;
}

static unsigned
gen_name(struct gen *g, bool dir_like)
{
	return g->hot[rng_below(&g->rng, dir_like ? N_HOT_DIRS : N_HOT)];
}

static int64_t
gen_any_path(struct gen *g, bool dir)
{
	struct rng *r = &g->rng;
	unsigned depth = rng_percent(r, 50) ? 1 : rng_percent(r, 75) ? 2 : 3;
	int64_t path = 0xffffff;

	if (rng_percent(r, 2))
		depth = 0;
	for (unsigned i = 0; i < depth; i++) {
		path &= ~(0xffll << (8 * i));
		path |= (int64_t)gen_name(g,
					  rng_percent(r, i + 1 < depth || dir ? 88 : 15))
			<< (8 * i);
	}
	if (rng_percent(r, 2))
		path |= 1 << 24;
	if (rng_percent(r, 8))
		path |= (gen_slot(g, S_IFDIR) + 1) << 25;
	return path;
}

/* Cuts the last component off: 0xff where there is none. */
static int64_t
path_parent(int64_t path)
{
	for (int shift = 16; shift >= 0; shift -= 8)
		if ((path >> shift & 0xff) != 0xff)
			return (path | 0xffll << shift) & ~(1ll << 24);
	return path;
}

/* type: S_IFDIR follows links, as the parent of a path does; 0: anything. */
static bool
path_exists(const struct gen *g, int64_t arg, mode_t type)
{
	struct path p;
	struct stat st;

	path_decode(g->ref, arg, &p);
	return fstatat(p.base, p.rel, &st, type == S_IFDIR ? 0 : AT_SYMLINK_NOFOLLOW) ==
		       0 &&
	       (type == 0 || (st.st_mode & S_IFMT) == type);
}

/*
 * Purely random paths would mostly not be there. Looks at the reference only, so that the
 * drive sees nothing but the operations.
 */
static int64_t
gen_path(struct gen *g, mode_t type, unsigned existing_percent)
{
	bool existing = rng_percent(&g->rng, existing_percent);
	bool anything = rng_percent(&g->rng, 12);
	int64_t path = gen_any_path(g, type == S_IFDIR);

	for (int i = 0; i < 16 && !anything; i++) {
		if (existing ? path_exists(g, path, type)
			     : path_exists(g, path_parent(path), S_IFDIR))
			break;
		path = gen_any_path(g, type == S_IFDIR);
	}
	return path;
}

static int64_t
gen_open_flags(struct gen *g)
{
	static const int modes[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR, O_RDWR};
	static const struct {
		unsigned percent;
		int flag;
	} extras[] = {
		{60, O_CREAT},	  {10, O_EXCL},	    {10, O_TRUNC}, {15, O_APPEND},
		{4, O_DIRECTORY}, {10, O_NOFOLLOW}, {3, O_SYNC},
	};
	int flags = modes[rng_below(&g->rng, ARRAY_SIZE(modes))];

	for (size_t i = 0; i < ARRAY_SIZE(extras); i++)
		if (rng_percent(&g->rng, extras[i].percent))
			flags |= extras[i].flag;
	/* O_EXCL without O_CREAT is undefined. */
	return flags & O_CREAT ? flags : flags & ~O_EXCL;
}

static int64_t
gen_mode(struct gen *g)
{
	static const mode_t modes[] = {0644, 0600, 0755, 0777, 0444, 0, 0711, 0666, 0640};
	mode_t mode = modes[rng_below(&g->rng, ARRAY_SIZE(modes))];

	if (rng_percent(&g->rng, 6))
		mode |= (mode_t)(01000 << rng_below(&g->rng, 3));
	return rng_percent(&g->rng, 10) ? (int64_t)rng_below(&g->rng, 0777)
					: (int64_t)mode;
}

/* Small, around page boundaries, or anywhere. */
static int64_t
gen_offset(struct gen *g)
{
	struct rng *r = &g->rng;
	uint64_t at;

	if (rng_percent(r, 1))
		return -1 - (int64_t)rng_below(r, 5000);
	switch (rng_below(r, 4)) {
	case 0:
		return (int64_t)rng_below(r, 5000);
	case 1:
		at = rng_below(r, config.max_size / 4096 + 1) * 4096;
		return (int64_t)(rng_percent(r, 50) ? at : at + rng_below(r, 3));
	case 2:
		return (int64_t)rng_below(r, 1 + (config.max_size >> rng_below(r, 12)));
	default:
		return (int64_t)rng_below(r, 65536);
	}
}

static int64_t
gen_length(struct gen *g)
{
	struct rng *r = &g->rng;

	if (rng_percent(r, 25))
		return (int64_t)(1 + rng_below(r, 16)) * 4096;
	return (int64_t)rng_below(r, 1ull << rng_below(r, 18));
}

static int64_t
gen_time(struct gen *g)
{
	/* Beyond both ends of 32 bits, before 1970, within what ext4 and NT can store. */
	static const int64_t seconds[] = {
		-1500000000, -1,	 0,	     86400,	 999999999,
		1234567890,  2147483647, 2147483648, 4294967296, 8589934592,
	};
	uint64_t kind = rng_below(&g->rng, 10);

	if (kind < 2)
		return (int64_t)kind + 1;
	return seconds[rng_below(&g->rng, ARRAY_SIZE(seconds))] * 1000000000 +
	       (int64_t)rng_below(&g->rng, 1000000000);
}

static int64_t
gen_owner(struct gen *g)
{
	static const int64_t owners[] = {0,	1,	18,	    1000, 1001,
					 65534, 100000, 4294967294, -1};

	return owners[rng_below(&g->rng, ARRAY_SIZE(owners))];
}

static int64_t
gen_device(struct gen *g)
{
	return (int64_t)(rng_percent(&g->rng, 50) ? rng_below(&g->rng, 1ull << 32)
						  : 1 << 20 | rng_below(&g->rng, 256));
}

static int64_t
gen_arg(struct gen *g, char kind)
{
	struct rng *r = &g->rng;

	switch (kind) {
	case 's':
		return (int64_t)rng_below(r, N_SLOTS);
	case 'S':
		return gen_slot(g, S_IFREG);
	case 'H':
		return gen_slot(g, 0);
	case 'E':
		return gen_slot(g, S_IFDIR);
	case 'P':
		return gen_path(g, 0, 75);
	case 'o':
		return gen_path(g, S_IFREG, 60);
	case 'l':
		return gen_path(g, S_IFLNK, 80);
	case 'd':
		return gen_path(g, S_IFDIR, 75);
	case 'N':
		return gen_path(g, 0, 0);
	case 'e':
		return gen_path(g, S_IFDIR, 10);
	case 't':
		return gen_any_path(g, rng_percent(r, 50)) & 0xffffff;
	case 'F':
		return gen_open_flags(g);
	case 'M':
		return gen_mode(g);
	case 'O':
		return gen_offset(g);
	case 'L':
		return gen_length(g);
	case 'D':
		return (int64_t)rng_below(r, 1u << 30);
	case 'w':
	case 'f':
		return (int64_t)(rng_percent(r, 60) ? 0 : rng_below(r, 3));
	case 'm':
		return (int64_t)rng_below(r, N_MAPS);
	case 'b':
		return (int64_t)rng_below(r, 2);
	case 'X':
		return (int64_t)rng_below(r, rng_percent(r, 70) ? 2
								: ARRAY_SIZE(xattr_pool));
	case 'V':
		return (int64_t)rng_below(r, 1 + (config.xattr_max >> rng_below(r, 8)));
	case 'U':
		return gen_owner(g);
	case 'T':
		return gen_time(g);
	case 'n':
		return (int64_t)rng_below(r, config.special_nodes ? 6 : 4);
	case 'r':
		return gen_device(g);
	default:
		return (int64_t)rng_below(r, 8);
	}
}

void
gen_op(struct gen *g, struct op *ret_op)
{
	uint64_t pick = rng_below(&g->rng, g->total_weight);
	const struct call_def *def;
	unsigned i;

	for (i = 0; (def = model_call(i)) != NULL; i++) {
		unsigned weight = call_wanted(def) ? def->weights[g->profile] : 0;

		if (pick < weight)
			break;
		pick -= weight;
	}
	*ret_op = (struct op){.call = (uint16_t)i, .verify = rng_percent(&g->rng, 50)};
	for (int k = 0; def->args[k]; k++)
		ret_op->args[k] = gen_arg(g, def->args[k]);
}

static void
path_format(struct buf *t, int64_t arg)
{
	const char *name;

	if (arg >> 25 & 31)
		buf_printf(t, "[slot %d]/", (int)(arg >> 25 & 31) - 1);
	for (int shift = 0; shift < 24; shift += 8)
		if ((name = pool_name((unsigned)(arg >> shift) & 255)) != NULL)
			buf_printf(t, "%s%.40s%s", shift ? "/" : "", escape_name(name),
				   strlen(name) > 40 ? "(…)" : "");
	if (arg >> 24 & 1)
		buf_printf(t, "/");
}

static void
flags_format(struct buf *t, int64_t flags)
{
	static const struct {
		int flag;
		const char *name;
	} names[] = {
		{O_CREAT, "CREAT"},	    {O_EXCL, "EXCL"},
		{O_TRUNC, "TRUNC"},	    {O_APPEND, "APPEND"},
		{O_DIRECTORY, "DIRECTORY"}, {O_NOFOLLOW, "NOFOLLOW"},
		{O_SYNC, "SYNC"},
	};
	static const char *const modes[] = {"RDONLY", "WRONLY", "RDWR", "?"};

	buf_printf(t, "%s", modes[flags & O_ACCMODE]);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if ((flags & names[i].flag) == names[i].flag)
			buf_printf(t, "|%s", names[i].name);
}

void
op_format(const struct op *op, struct buf *t)
{
	const struct call_def *def = model_call(op->call);

	buf_printf(t, "%s %u", def->name, op->verify);
	for (int i = 0; def->args[i]; i++)
		buf_printf(t, strchr("PoldNetF", def->args[i]) ? " %#llx" : " %lld",
			   (long long)op->args[i]);
	buf_printf(t, " #");
	for (int i = 0; def->args[i]; i++) {
		buf_printf(t, " ");
		if (strchr("PoldNet", def->args[i]))
			path_format(t, op->args[i]);
		else if (def->args[i] == 'F')
			flags_format(t, op->args[i]);
		else if (def->args[i] == 'M')
			buf_printf(t, "%#llo", (long long)op->args[i]);
		else
			buf_printf(t, "%c=%lld", def->args[i], (long long)op->args[i]);
	}
}

/* Arguments that index arrays must stay within them, whoever wrote the log. */
static bool
arg_is_legal(char kind, int64_t value)
{
	if (strchr("sSHE", kind))
		return value >= 0 && value < N_SLOTS;
	return kind != 'm' || (value >= 0 && value < N_MAPS);
}

bool
op_parse(const char *line, struct op *ret_op)
{
	struct op op = {0};
	char name[32], *end;
	const struct call_def *def;
	int call, n;

	if (sscanf(line, "%31s%n", name, &n) != 1 || (call = model_call_find(name)) < 0)
		return false;
	line += n;
	op.call = (uint16_t)call;
	def = model_call(op.call);
	op.verify = strtoll(line, &end, 0) != 0;
	for (int i = 0; def->args[i]; i++) {
		if (end == line)
			return false;
		line = end;
		errno = 0;
		op.args[i] = strtoll(line, &end, 0);
		if (errno || !arg_is_legal(def->args[i], op.args[i]))
			return false;
	}
	if (end == line)
		return false;
	*ret_op = op;
	return true;
}
