/*
 * What every file may assume about the compiler: attributes, ownership helpers and
 * overflow-safe size arithmetic. No domain knowledge, no functions of the system.
 */
#ifndef USERDRIVE_BASE_COMPILER_H
#define USERDRIVE_BASE_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NODISCARD __attribute__((warn_unused_result))
#define UNUSED __attribute__((unused))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* Runs fn(&variable) when the variable goes out of scope: CLEANUP(free_ptr) char *p = … */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member)                                                  \
	((type *)((char *)(ptr)-offsetof(type, member)))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* Rounds up to a power of two. */
#define ALIGN_UP(x, to) (((x) + ((to)-1)) & ~((__typeof__(x))(to)-1))

/* true when the operation overflows; *ret is then not to be used. */
#define add_overflows(a, b, ret) __builtin_add_overflow(a, b, ret)
#define mul_overflows(a, b, ret) __builtin_mul_overflow(a, b, ret)

/* Moves a pointer out of its variable: the caller of take() owns it now. */
#define take(pp)                                                                         \
	({                                                                               \
		__typeof__(*(pp)) taken_ = *(pp);                                        \
		*(pp) = NULL;                                                            \
		taken_;                                                                  \
	})

void free_ptr(void *pp);  /* for CLEANUP: frees *(void **)pp */
void close_fd(int *pfd);  /* for CLEANUP: closes *pfd when it is >= 0 */

/* Sanitizers keep freed memory and shadows of it: its amount says nothing then. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

/* Clang's thread safety analysis (-Wthread-safety); documentation elsewhere. */
#if defined(__clang__)
#define TSA(x) __attribute__((x))
#else
#define TSA(x)
#endif
#define CAPABILITY(name) TSA(capability(name))
#define ACQUIRE(...) TSA(acquire_capability(__VA_ARGS__))
#define ACQUIRE_SHARED(...) TSA(acquire_shared_capability(__VA_ARGS__))
#define RELEASE(...) TSA(release_capability(__VA_ARGS__))
#define RELEASE_GENERIC(...) TSA(release_generic_capability(__VA_ARGS__))
#define REQUIRES(...) TSA(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) TSA(locks_excluded(__VA_ARGS__))
#define NO_TSA TSA(no_thread_safety_analysis)
/* clang 14 rejects guarded_by on C struct members that name a sibling: it documents. */
#define GUARDED_BY(lock)

#endif
