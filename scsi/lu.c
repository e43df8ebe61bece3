/*
 * The device server state of one unit: who comes to it (itls), unit attentions, the task
 * set.
 *
 * A task is on lu->tasks from begin to finish. While its complete() runs, when the door
 * may already free it, a struct scsi_finishing on the finishing thread's stack stands for
 * it, so that who waits for the LU's tasks (a reset, the removal of the LUN) also waits
 * for that call to return.
 */
#include <errno.h>
#include <stdlib.h>

#include "scsi/lu.h"

int
scsi_lu_create(struct scsi_unit *unit, struct scsi_lu **ret_lu)
{
	struct scsi_lu *lu = calloc(1, sizeof(*lu));
	int err;

	if (!lu)
		return -ENOMEM;
	lu->unit = unit;
	mutex_init(&lu->lock);
	list_init(&lu->itls);
	list_init(&lu->tasks);
	list_init(&lu->finishing);
	err = scsi_pr_create(lu, &lu->pr);
	if (err < 0) {
		mutex_fini(&lu->lock);
		free(lu);
		return err;
	}
	mutex_lock(&lu->lock);
	scsi_mode_reset_locked(lu);
	mutex_unlock(&lu->lock);
	*ret_lu = lu;
	return 0;
}

void
scsi_lu_destroy(struct scsi_lu *lu)
{
	if (!lu)
		return;
	list_for_each_safe(pos, tmp, &lu->itls)
		free(list_entry(pos, struct scsi_itl, link));
	scsi_copy_destroy(lu->copy);
	scsi_pr_destroy(lu->pr);
	mutex_fini(&lu->lock);
	free(lu);
}

/* Unit attentions, SAM-5 5.14 */

static void
attention_remove(struct scsi_itl *itl, unsigned i)
{
	itl->n_attentions--;
	for (; i < itl->n_attentions; i++)
		itl->attention[i] = itl->attention[i + 1];
}

void
scsi_itl_attention_clear_locked(struct scsi_itl *itl, enum scsi_sense sense)
{
	for (unsigned i = 0; i < itl->n_attentions; i++)
		if (itl->attention[i] == sense) {
			attention_remove(itl, i);
			return;
		}
}

void
scsi_itl_attention_locked(struct scsi_itl *itl, enum scsi_sense sense)
{
	if (sense == SENSE_POWER_ON)
		itl->n_attentions =
			0; /* it tells the initiator to look at everything again */
	for (unsigned i = 0; i < itl->n_attentions; i++)
		if (itl->attention[i] == sense)
			return;
	if (itl->n_attentions < ARRAY_SIZE(itl->attention))
		itl->attention[itl->n_attentions++] = (uint16_t)sense;
}

bool
scsi_itl_attention_pop_locked(struct scsi_itl *itl, enum scsi_sense *ret_sense)
{
	if (itl->n_attentions == 0)
		return false;
	*ret_sense = itl->attention[0];
	attention_remove(itl, 0);
	return true;
}

void
scsi_lu_attention_locked(struct scsi_lu *lu, enum scsi_sense sense,
			 const struct scsi_nexus *but)
{
	list_for_each(pos, &lu->itls) {
		struct scsi_itl *itl = list_entry(pos, struct scsi_itl, link);

		if (!but || itl->nexus != but)
			scsi_itl_attention_locked(itl, sense);
	}
}

/* Nexus and LU */

struct scsi_itl *
scsi_lu_find_itl_locked(const struct scsi_lu *lu, const struct scsi_nexus *nexus)
{
	list_for_each(pos, &lu->itls) {
		struct scsi_itl *itl = list_entry(pos, struct scsi_itl, link);

		if (itl->nexus == nexus)
			return itl;
	}
	return NULL;
}

struct scsi_itl *
scsi_lu_itl_locked(struct scsi_lu *lu, struct scsi_nexus *nexus)
{
	struct scsi_itl *itl = scsi_lu_find_itl_locked(lu, nexus);

	if (itl)
		return itl;
	itl = calloc(1, sizeof(*itl));
	if (!itl)
		return NULL;
	itl->nexus = nexus;
	itl->lu = lu;
	list_insert(&lu->itls, &itl->link);
	scsi_itl_attention_locked(itl, SENSE_POWER_ON);
	return itl;
}

void
scsi_itl_leave_locked(struct scsi_lu *lu, struct scsi_itl *itl)
{
	scsi_reserve_nexus_lost_locked(lu, itl);
	scsi_copy_forget_locked(lu, itl->nexus);
	list_remove(&itl->link);
	itl->prevents = false;
	itl->nexus = NULL;
	itl->gone = true;
	if (itl->n_tasks == 0)
		free(itl);
}

void
scsi_itl_put_locked(struct scsi_itl *itl)
{
	if (--itl->n_tasks == 0 && itl->gone)
		free(itl);
}

/* The task set */

bool
scsi_task_runnable_locked(const struct scsi_task *task)
{
	const struct scsi_lu *lu = task->lu;
	bool ordered = task->attribute == SCSI_ORDERED;

	if (task->aborted || task->attribute == SCSI_HEAD_OF_QUEUE ||
	    (!ordered && lu->n_ordered == 0))
		return true;
	for (const struct list *pos = task->lu_link.prev; pos != &lu->tasks;
	     pos = pos->prev) {
		const struct scsi_task *before =
			container_of((struct list *)pos, struct scsi_task, lu_link);

		if (before->aborted && !before->started)
			continue;
		if (ordered || before->attribute == SCSI_ORDERED)
			return false;
	}
	return true;
}

static struct scsi_task *
next_to_go_locked(struct scsi_lu *lu)
{
	list_for_each(pos, &lu->tasks) {
		struct scsi_task *task = list_entry(pos, struct scsi_task, lu_link);

		if (task->blocked && scsi_task_runnable_locked(task))
			return task;
	}
	return NULL;
}

/*
 * One thread at a time: a task that finishes within dispatch leaves the next ones to this
 * loop, which looks again, so that a long row of ORDERED tasks does not become deep
 * recursion.
 */
void
scsi_lu_drain(struct scsi_lu *lu)
{
	struct scsi_task *task;
	bool aborted;

	mutex_lock(&lu->lock);
	if (lu->draining || lu->n_blocked == 0) {
		mutex_unlock(&lu->lock);
		return;
	}
	lu->draining = true;
	while ((task = next_to_go_locked(lu))) {
		task->blocked = false;
		lu->n_blocked--;
		aborted = task->aborted;
		mutex_unlock(&lu->lock);
		scsi_task_dispatch(task, aborted);
		mutex_lock(&lu->lock);
	}
	lu->draining = false;
	mutex_unlock(&lu->lock);
}

void
scsi_wait_init(struct scsi_wait *wait, void (*done)(struct scsi_wait *wait))
{
	atomic_init(&wait->n, 1);
	wait->done = done;
}

void
scsi_wait_put(struct scsi_wait *wait)
{
	if (atomic_fetch_sub_explicit(&wait->n, 1, memory_order_acq_rel) == 1)
		wait->done(wait);
}

static bool
filter_matches(const struct scsi_task_filter *f, const struct scsi_itl *itl, uint64_t tag)
{
	if (f->target && (!itl->nexus || itl->nexus->target != f->target))
		return false;
	if (f->nexus && (itl->nexus == f->nexus) == f->others)
		return false;
	return !f->has_tag || tag == f->tag;
}

static bool
task_matches(const struct scsi_task *task, const struct scsi_task_filter *f)
{
	if (f->removal && scsi_lun_decode(task->lun) != (int)f->lun)
		return false;
	return filter_matches(f, task->itl, task->tag);
}

size_t
scsi_lu_count_locked(struct scsi_lu *lu, const struct scsi_task_filter *filter)
{
	size_t n = 0;

	list_for_each(pos, &lu->tasks) {
		const struct scsi_task *task = list_entry(pos, struct scsi_task, lu_link);

		n += !task->aborted && task_matches(task, filter);
	}
	return n;
}

static size_t
mark_locked(struct scsi_lu *lu, const struct scsi_task_filter *filter)
{
	size_t n = 0;

	list_for_each(pos, &lu->tasks) {
		struct scsi_task *task = list_entry(pos, struct scsi_task, lu_link);

		if (!task_matches(task, filter))
			continue;
		/* Who was aborted before is not answered */
		task->removed = filter->removal && (task->removed || !task->aborted);
		task->aborted = true;
		n++;
	}
	return n;
}

size_t
scsi_lu_abort_locked(struct scsi_lu *lu, const struct scsi_nexus *of, bool all_others)
{
	return mark_locked(lu,
			   &(struct scsi_task_filter){.nexus = of, .others = all_others});
}

static struct scsi_wait_node *
wait_node(struct scsi_wait *wait)
{
	struct scsi_wait_node *node = calloc(1, sizeof(*node));

	if (node) {
		node->wait = wait;
		list_init(&node->link);
	}
	return node;
}

/* One node for each list that a finish will empty, found first and hung there when all
 * are there. */
struct wait_list {
	struct list nodes;
	struct scsi_wait *wait;
};

static void
wait_list_free(struct wait_list *w)
{
	list_for_each_safe(pos, tmp, &w->nodes)
		free(list_entry(pos, struct scsi_wait_node, link));
}

static bool
wait_list_grow(struct wait_list *w)
{
	struct scsi_wait_node *node = wait_node(w->wait);

	if (node)
		list_insert(&w->nodes, &node->link);
	return node != NULL;
}

static void
wait_list_hang(struct wait_list *w, struct list *waits)
{
	struct list *node = w->nodes.next;

	list_remove(node);
	list_insert(waits, node);
	/* relaxed: who adds holds a count, and the LU's lock orders it before the finish
	 */
	atomic_fetch_add_explicit(&w->wait->n, 1, memory_order_relaxed);
}

static bool
task_concerned(const struct scsi_task *task, const struct scsi_task_filter *filter)
{
	if (filter->aborted_but &&
	    (!task->aborted || task == filter->aborted_but || task->waits_for_aborts))
		return false;
	return task->started && task_matches(task, filter);
}

static bool
finishing_concerned(const struct scsi_finishing *f, const struct scsi_task_filter *filter)
{
	return !filter->aborted_but && filter_matches(filter, f->itl, f->tag);
}

/* A node for each task that runs and matches; false: no memory, none is hung. */
bool
scsi_lu_wait_locked(struct scsi_lu *lu, const struct scsi_task_filter *filter,
		    struct scsi_wait *wait)
{
	struct wait_list w = {.wait = wait};
	bool ok = true;

	list_init(&w.nodes);
	list_for_each(pos, &lu->tasks)
		if (task_concerned(list_entry(pos, struct scsi_task, lu_link), filter))
			ok = ok && wait_list_grow(&w);
	list_for_each(pos, &lu->finishing) {
		struct scsi_finishing *f = list_entry(pos, struct scsi_finishing, link);

		if (finishing_concerned(f, filter))
			ok = ok && wait_list_grow(&w);
	}
	if (!ok) {
		wait_list_free(&w);
		return false;
	}
	list_for_each(pos, &lu->tasks) {
		struct scsi_task *task = list_entry(pos, struct scsi_task, lu_link);

		if (task_concerned(task, filter))
			wait_list_hang(&w, &task->waits);
	}
	list_for_each(pos, &lu->finishing) {
		struct scsi_finishing *f = list_entry(pos, struct scsi_finishing, link);

		if (finishing_concerned(f, filter))
			wait_list_hang(&w, &f->waits);
	}
	return true;
}

int
scsi_lu_abort_wait_locked(struct scsi_lu *lu, const struct scsi_task_filter *filter,
			  struct scsi_wait *wait, size_t *ret_n)
{
	if (!scsi_lu_wait_locked(lu, filter, wait))
		return -ENOMEM;
	*ret_n = mark_locked(lu, filter);
	return 0;
}
