/*
 * Numbers for tokens. Every open makes one, so threads are spread over shards; slots
 * never move, so that a look-up takes no lock.
 *
 * A handle is | generation 12 | slot 16 | shard 4 |. The generation is never 0, so no
 * handle is, and it changes with each use of a slot, so that a handle kept too long finds
 * nothing.
 */
#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/mutex.h"
#include "fs/security/token.h"

enum {
	N_SHARDS = 16,
	CHUNK_SLOTS = 256,
	N_CHUNKS = 256, /* 65536 slots in a shard */
	GENERATION_MAX = 0xfff,
	NO_SLOT = -1
};

struct slot {
	_Atomic(struct token *) token; /* NULL: free */
	_Atomic unsigned generation;
	int next_free; /* GUARDED_BY the shard's lock */
};

struct shard {
	struct mutex lock; /* a leaf: nothing is called with it held */
	int first_free;	   /* GUARDED_BY(lock): slot number + 1, 0: none */
	unsigned n_slots;  /* GUARDED_BY(lock): slots ever used */
	_Atomic(struct slot *)
		chunks[N_CHUNKS]; /* set once; released, acquired by look-ups */
} __attribute__((aligned(64)));

static struct shard shards[N_SHARDS] = {[0 ... N_SHARDS - 1] = {.lock = MUTEX_INIT}};

static struct slot *
slot_at(struct shard *shard, unsigned index)
{
	struct slot *chunk = atomic_load_explicit(&shard->chunks[index / CHUNK_SLOTS],
						  memory_order_acquire);

	return chunk ? &chunk[index % CHUNK_SLOTS] : NULL;
}

/* The shard of this thread: threads take turns. */
static unsigned
own_shard(void)
{
	static _Atomic unsigned n_threads;
	static _Thread_local unsigned mine; /* number + 1 */

	if (mine == 0)
		mine = atomic_fetch_add_explicit(&n_threads, 1, memory_order_relaxed) %
			       N_SHARDS +
		       1;
	return mine - 1;
}

static int
slot_take_locked(struct shard *shard) REQUIRES(&shard->lock)
{
	unsigned index = shard->n_slots;

	if (shard->first_free > 0) {
		index = (unsigned)shard->first_free - 1;
		struct slot *slot = slot_at(shard, index);

		assert(slot); /* chunks of slots that were ever used stay */
		shard->first_free = slot->next_free;
		return (int)index;
	}
	if (index == N_CHUNKS * CHUNK_SLOTS)
		return NO_SLOT;
	if (!slot_at(shard, index)) {
		struct slot *chunk = calloc(CHUNK_SLOTS, sizeof(*chunk));

		if (!chunk)
			return NO_SLOT;
		atomic_store_explicit(&shard->chunks[index / CHUNK_SLOTS], chunk,
				      memory_order_release);
	}
	shard->n_slots++;
	return (int)index;
}

uint32_t
token_handle_open(struct token *token)
{
	unsigned number = own_shard(), generation;
	struct shard *shard = &shards[number];
	struct slot *slot;
	int index;

	mutex_lock(&shard->lock);
	index = slot_take_locked(shard);
	mutex_unlock(&shard->lock);
	if (index == NO_SLOT)
		return 0;
	slot = slot_at(shard, (unsigned)index);
	generation = atomic_load_explicit(&slot->generation, memory_order_relaxed);
	generation = generation % GENERATION_MAX + 1;
	atomic_store_explicit(&slot->generation, generation, memory_order_relaxed);
	/* Pairs with slot_of_handle(): who sees the token sees its generation. */
	atomic_store_explicit(&slot->token, token_ref(token), memory_order_release);
	return generation << 20 | (unsigned)index << 4 | number;
}

static struct slot *
slot_of_handle(uint32_t handle, struct token **ret_token)
{
	struct slot *slot = slot_at(&shards[handle % N_SHARDS], handle >> 4 & 0xffff);

	if (!slot)
		return NULL;
	*ret_token = atomic_load_explicit(&slot->token, memory_order_acquire);
	if (!*ret_token ||
	    atomic_load_explicit(&slot->generation, memory_order_relaxed) != handle >> 20)
		return NULL;
	return slot;
}

struct token *
token_from_handle(uint32_t handle)
{
	struct token *token;

	return slot_of_handle(handle, &token) ? token : NULL;
}

void
token_handle_close(uint32_t handle)
{
	struct shard *shard = &shards[handle % N_SHARDS];
	struct token *token;
	struct slot *slot = slot_of_handle(handle, &token);

	/* Of two that close the same handle, one finds the token. */
	if (!slot || !atomic_compare_exchange_strong(&slot->token, &token, NULL))
		return;
	mutex_lock(&shard->lock);
	slot->next_free = shard->first_free;
	shard->first_free = (int)(handle >> 4 & 0xffff) + 1;
	mutex_unlock(&shard->lock);
	token_unref(token);
}
