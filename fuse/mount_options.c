/* Mount options: the words of -o, and what they mean for the kernel and for fusermount3. */
#include "fuse/mount_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#define MEMBER(m) offsetof(struct fusek_mount_options, m)

/* Words that set or clear one bool. */
static const struct {
	const char *word;
	size_t member;
	bool value;
	const char *helper_word; /* how fusermount3 is told about member == value, or NULL */
} flag_words[] = {
	{"ro", MEMBER(read_only), true, "ro"},
	{"rw", MEMBER(read_only), false, NULL},
	{"allow_other", MEMBER(allow_other), true, "allow_other"},
	{"default_permissions", MEMBER(default_permissions), true, "default_permissions"},
	{"dev", MEMBER(dev), true, "dev"},
	{"nodev", MEMBER(dev), false, NULL},
	{"suid", MEMBER(suid), true, "suid"},
	{"nosuid", MEMBER(suid), false, NULL},
	{"exec", MEMBER(exec_off), false, NULL},
	{"noexec", MEMBER(exec_off), true, "noexec"},
	{"sync", MEMBER(sync), true, "sync"},
	{"async", MEMBER(sync), false, NULL},
	{"dirsync", MEMBER(dirsync), true, "dirsync"},
	{"atime", MEMBER(noatime), false, NULL},
	{"noatime", MEMBER(noatime), true, "noatime"},
	{"diratime", MEMBER(nodiratime), false, NULL},
	{"nodiratime", MEMBER(nodiratime), true, "nodiratime"},
	{"relatime", MEMBER(relatime_off), false, NULL},
	{"norelatime", MEMBER(relatime_off), true, NULL},
	{"auto_unmount", MEMBER(auto_unmount), true, "auto_unmount"},
	{"nonempty", MEMBER(nonempty), true, NULL},
};

/* Words of fstab that concern mount(8), init systems and users, not the mount itself. */
static const char *const ignored_words[] = {"user",   "users",	 "owner", "group",   "auto",
					    "noauto", "nofail",	 "nouser", "_netdev", "defaults"};

static int
parse_max_read(struct fusek_mount_options *options, const char *value,
	       struct fusek_mount_error *error)
{
	char *end;

	errno = 0;
	unsigned long n = strtoul(value, &end, 10);
	if (errno || end == value || *end || *value == '-' || n < 4096 || n > UINT32_MAX)
		return fusek_mount_fail(error, EINVAL,
					"max_read=%s: give a number of bytes, 4096 or more", value);
	options->max_read = (uint32_t)n;
	return 1;
}

static int
parse_text(char *ret_text, size_t size, const char *word, const char *value,
	   struct fusek_mount_error *error)
{
	size_t n = strlen(value);

	if (n == 0 || n >= size)
		return fusek_mount_fail(error, EINVAL, "%s=%s: give 1 to %zu characters", word,
					value, size - 1);
	memcpy(ret_text, value, n + 1);
	return 1;
}

/* "word=": what follows it, or NULL. */
static const char *
value_of(const char *item, const char *word)
{
	size_t n = strlen(word);

	return strncmp(item, word, n) == 0 && item[n] == '=' ? item + n + 1 : NULL;
}

static bool
is_ignored(const char *item)
{
	for (size_t i = 0; i < ARRAY_SIZE(ignored_words); i++)
		if (strcmp(item, ignored_words[i]) == 0)
			return true;
	return strncmp(item, "x-", 2) == 0 || value_of(item, "comment");
}

int
fusek_mount_option_parse(struct fusek_mount_options *options, const char *item,
			 struct fusek_mount_error *error)
{
	const char *value;

	for (size_t i = 0; i < ARRAY_SIZE(flag_words); i++) {
		if (strcmp(item, flag_words[i].word) != 0)
			continue;
		*(bool *)((char *)options + flag_words[i].member) = flag_words[i].value;
		return 1;
	}
	if ((value = value_of(item, "max_read")))
		return parse_max_read(options, value, error);
	if ((value = value_of(item, "fsname")))
		return parse_text(options->fsname, sizeof(options->fsname), "fsname", value, error);
	if ((value = value_of(item, "subtype")))
		return parse_text(options->subtype, sizeof(options->subtype), "subtype", value,
				  error);
	return is_ignored(item) ? 1 : 0;
}

struct text {
	char *at;
	size_t left;
	bool ok;
};

static void
put_char(struct text *t, char c)
{
	t->ok &= t->left > 1;
	if (!t->ok)
		return;
	*t->at++ = c;
	*t->at = 0;
	t->left--;
}

/* The helper splits at commas that no backslash precedes. */
static void
put_item(struct text *t, const char *word, const char *value, bool first)
{
	if (!first)
		put_char(t, ',');
	for (; *word; word++)
		put_char(t, *word);
	if (!value)
		return;
	put_char(t, '=');
	for (; *value; value++) {
		if (*value == ',' || *value == '\\')
			put_char(t, '\\');
		put_char(t, *value);
	}
}

bool
fusek_mount_options_format(const struct fusek_mount_options *options, char *text, size_t size)
{
	struct text t = {text, size, size > 0};
	const char *subtype = options->subtype[0] ? options->subtype : "userdrive";
	const char *fsname = options->fsname[0] ? options->fsname : subtype;
	char number[16];

	put_item(&t, "fsname", fsname, true);
	put_item(&t, "subtype", subtype, false);
	for (size_t i = 0; i < ARRAY_SIZE(flag_words); i++)
		if (flag_words[i].helper_word &&
		    *(const bool *)((const char *)options + flag_words[i].member) ==
			    flag_words[i].value)
			put_item(&t, flag_words[i].helper_word, NULL, false);
	if (options->max_read) {
		snprintf(number, sizeof(number), "%u", options->max_read);
		put_item(&t, "max_read", number, false);
	}
	return t.ok;
}
