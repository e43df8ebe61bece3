/*
 * Who may do what: each class of users (owner, group, supplementary group, others, root)
 * with each of the eight values of its three bits, while the other classes have the
 * opposite bits. So a file system that looks at the wrong class, or adds classes up,
 * fails.
 */
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "groups.h"
#include "harness.h"

enum class { OWNER, GROUP, SUPP, OTHER, ROOT, N_CLASSES };

static const struct {
	const char *word;
	enum identity who;
	unsigned int shift; /* of the bits that rule for this class */
} classes[N_CLASSES] = {
	[OWNER] = {"owner", ID_A, 6},
	[GROUP] = {"group", ID_A, 3},
	[SUPP] = {"supplementary", ID_A_SUPP, 3},
	[OTHER] = {"others", ID_A, 0},
	[ROOT] = {"root", ID_ROOT, 0},
};

struct permission {
	enum class class;
	unsigned int bits;
};

static mode_t
mode_for(const struct permission *p)
{
	unsigned int shift = classes[p->class].shift;

	if (p->class == ROOT)
		return p->bits;
	return (0777u & ~(7u << shift) & ((7u - p->bits) * 0111u)) | p->bits << shift;
}

/* Owner and group such that the class is the one that the identity falls into. */
static void
give_to_class(const char *path, enum class class)
{
	uid_t uid = class == OWNER ? uid_a() : uid_b();
	gid_t gid = class == GROUP ? gid_a() : class == SUPP ? gid_g() : gid_b();

	give(path, uid, gid);
}

static void
expect(bool allowed, long result, const char *what)
{
	if (allowed && result == -1)
		FAIL("%s: %s, expected success", what, error_name(errno));
	if (!allowed && result != -1)
		FAIL("%s: succeeded, expected EACCES", what);
	if (!allowed && errno != EACCES)
		FAIL("%s: %s, expected EACCES", what, error_name(errno));
}

static void
check_access(const char *path, bool r, bool w, bool x)
{
	expect(r, access(path, R_OK), "access R_OK");
	expect(w, access(path, W_OK), "access W_OK");
	expect(x, access(path, X_OK), "access X_OK");
	expect(r && w && x, access(path, R_OK | W_OK | X_OK), "access with all");
	expect(r, faccessat(AT_FDCWD, path, R_OK, AT_EACCESS), "faccessat R_OK");
	expect(w, faccessat(AT_FDCWD, path, W_OK, AT_EACCESS), "faccessat W_OK");
	expect(x, faccessat(AT_FDCWD, path, X_OK, AT_EACCESS), "faccessat X_OK");
}

static void
file_permission(const void *arg)
{
	const struct permission *p = arg;
	bool root = p->class == ROOT;
	bool r = root || (p->bits & 4) != 0;
	bool w = root || (p->bits & 2) != 0;
	bool x = (p->bits & 1) != 0 && (env.mount_flags & ST_NOEXEC) == 0;

	make_file("f", 0);
	give_to_class("f", p->class);
	OK(chmod("f", mode_for(p)));
	become(classes[p->class].who);
	check_access("f", r, w, x);
	expect(r, open("f", O_RDONLY), "open for reading");
	expect(w, open("f", O_WRONLY), "open for writing");
	expect(r && w, open("f", O_RDWR), "open for both");
	expect(r && w, open("f", O_RDONLY | O_TRUNC), "open for reading with O_TRUNC");
	expect(w, truncate("f", 1), "truncate");
	/* The owner may, whatever the bits. */
	expect(w || p->class == OWNER, utimensat(AT_FDCWD, "f", NULL, 0),
	       "utimensat to now");
}

static void
directory_permission(const void *arg)
{
	const struct permission *p = arg;
	bool root = p->class == ROOT;
	bool r = root || (p->bits & 4) != 0;
	bool x = root || (p->bits & 1) != 0;
	bool w = x && (root || (p->bits & 2) != 0);
	struct stat st;

	make_dir("d", 0700);
	make_file("d/f", 0666);
	make_file("d/u", 0666);
	give_to_class("d", p->class);
	OK(chmod("d", mode_for(p)));
	become(classes[p->class].who);
	check_access("d", r, root || (p->bits & 2) != 0, x);
	expect(r, open("d", O_RDONLY | O_DIRECTORY), "open for listing");
	expect(x, stat("d/f", &st), "stat of an entry");
	expect(x, open("d/f", O_RDWR), "open of an entry");
	expect(w, open("d/g", O_WRONLY | O_CREAT, 0644), "creation of an entry");
	expect(w, mkdir("d/e", 0755), "creation of a directory");
	expect(w, rename("d/f", "d/h"), "rename of an entry");
	expect(w, unlink("d/u"), "removal of an entry");
	expect(x, chdir("d"), "chdir");
}

static void
add_permission(enum class class, unsigned int bits, const char *kind,
	       void (*run)(const void *arg))
{
	struct permission *p = malloc(sizeof(*p)); /* for the life of the program */
	char name[64], *text = NULL;

	if (p == NULL ||
	    asprintf(&text,
		     "A %s whose bits for %s are %c%c%c and otherwise the opposite.",
		     kind, classes[class].word, bits & 4 ? 'r' : '-',
		     bits & 2 ? 'w' : '-', bits & 1 ? 'x' : '-') < 0)
		abort();
	*p = (struct permission){class, bits};
	snprintf(name, sizeof(name), "%s-%s-%u", kind, classes[class].word, bits);
	posix_case_add(&(const struct posix_case){
		.call = "permission",
		.error = class == ROOT || bits == 7 ? 0 : EACCES,
		.name = name,
		.needs = AS_ROOT,
		.text = text,
		.run_arg = run,
		.arg = p,
	});
}

/* ---- cases beyond the bits ---- */

static void
access_real_ids(void)
{
	make_file("f", 0600);
	/* Real user A, effective root: access asks for A, AT_EACCESS for root. */
	OK(setresgid(gid_a(), 0, 0));
	OK(setresuid(uid_a(), 0, 0));
	FAILS(EACCES, access("f", R_OK));
	OK(faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS));
}

static void
every_group_counts(void)
{
	make_text("g", "text");
	make_text("h", "text");
	give("g", 0, gid_g());
	give("h", 0, gid_h());
	OK(chmod("g", 0640));
	OK(chmod("h", 0640));
	become(ID_A);
	FAILS(EACCES, open("g", O_RDONLY));
	become(ID_A_SUPP);
	check_text("g", "text");
	check_text("h", "text");
	become(ID_B);
	FAILS(EACCES, open("h", O_RDONLY));
}

static void
groups_change_at_once(void)
{
	gid_t group = gid_g();

	/* Not even a cached answer may outlive the group list. */
	make_file("f", 0640);
	give("f", 0, group);
	OK(setgroups(1, &group));
	for (int i = 0; i < 3; i++) {
		become(ID_A_SUPP);
		OK(close(open_file("f", O_RDONLY)));
		become(ID_A);
		FAILS(EACCES, open("f", O_RDONLY));
	}
}

static void
chmod_takes_effect(void)
{
	make_file("f", 0600);
	for (int i = 0; i < 3; i++) {
		OK(chmod("f", 0));
		FAILS(EACCES, open("f", O_RDONLY));
		OK(chmod("f", 0400));
		OK(close(open_file("f", O_RDONLY)));
	}
}

static void
chown_takes_effect(void)
{
	make_file("f", 0600);
	for (int i = 0; i < 3; i++) {
		become(ID_ROOT);
		give("f", uid_b(), gid_b());
		become(ID_A);
		FAILS(EACCES, open("f", O_RDONLY));
		become(ID_ROOT);
		give("f", uid_a(), gid_a());
		become(ID_A);
		OK(close(open_file("f", O_RDONLY)));
	}
}

static void
owner_opens_nothing_in_closed_tree(void)
{
	/* Owning the file does not open the way to it. */
	make_dir("d", 0700);
	make_file("d/f", 0777);
	give("d/f", uid_a(), gid_a());
	become(ID_A);
	FAILS(EACCES, open("d/f", O_RDONLY));
	FAILS(EACCES, chmod("d/f", 0600));
	FAILS(EACCES, access("d/f", F_OK));
}

static void
link_mode_means_nothing(void)
{
	make_text("f", "text");
	OK(chmod("f", 0644));
	make_link("f", "l");
	give("l", uid_b(), gid_b());
	become(ID_A);
	check_text("l", "text");
}

static void
setgid_directory_for_supp(void)
{
	make_dir("d", 0770);
	give("d", uid_b(), gid_g());
	OK(chmod("d", 02770));
	become(ID_A);
	FAILS(EACCES, open("d/f", O_WRONLY | O_CREAT, 0644));
	become(ID_A_SUPP);
	OK(open("d/f", O_WRONLY | O_CREAT, 0660));
	EQ(stat_of("d/f").st_gid, gid_g());
	OK(mkdir("d/e", 0770));
	EQ(mode_of("d/e"), 02750);
}

static const struct posix_case cases[] = {
	{"access", EACCES, "real-ids", AS_ROOT,
	 "access(2) asks for the real ids, AT_EACCESS for the effective ones.",
	 access_real_ids},
	{"permission", EACCES, "every-supplementary-group", AS_ROOT,
	 "Each supplementary group counts, other users' groups do not.",
	 every_group_counts},
	{"permission", EACCES, "groups-change-at-once", AS_ROOT,
	 "Leaving a group takes effect with the next call.", groups_change_at_once},
	{"permission", EACCES, "chmod-takes-effect", AS_USER,
	 "chmod takes effect with the next open.", chmod_takes_effect},
	{"permission", EACCES, "chown-takes-effect", AS_ROOT,
	 "chown takes effect with the next open.", chown_takes_effect},
	{"permission", EACCES, "closed-tree", AS_ROOT,
	 "The owner of a file in a closed directory does not reach it.",
	 owner_opens_nothing_in_closed_tree},
	{"permission", 0, "link-mode-means-nothing", AS_ROOT,
	 "A link of another user is followed.", link_mode_means_nothing},
	{"permission", 0, "shared-directory", AS_ROOT,
	 "A set-group-id directory shared by a supplementary group.",
	 setgid_directory_for_supp},
};

void
posix_add_perm(void)
{
	for (enum class class = OWNER; class < N_CLASSES; class ++)
		for (unsigned int bits = 0; bits < 8; bits++) {
			add_permission(class, bits, "file", file_permission);
			add_permission(class, bits, "directory", directory_permission);
		}
	posix_cases_add(cases, COUNT(cases));
}
