/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A client that loses objects on purpose, and holds others in many ways
 *
 *   plant.c	the objects that are lost: PLANTED of each of the kinds
 *   hold.c	those that are not: HELD for each of the ways
 *   main.c	the module
 */
#ifndef _LOSER_H
#define _LOSER_H

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/types.h>

#include <pcslab/pcslab.h>

#define KINDS		20
#define PLANTED		5
#define HELD		100

/* Held objects and their containers have sizes that no lost object has. */
#define HELD_SIZE	96
#define TABLE_SIZE	(HELD * sizeof(void *))		/* class 832 */
#define CHURN_SIZE	128

struct thing {
	struct thing *next, *other;
	struct list_head list;
	struct hlist_node node;
	struct rb_node rb;
};

static_assert(sizeof(struct thing) < HELD_SIZE);

extern struct pcslab_heap *loser_heap, *loser_second;
extern struct pcslab_cache *loser_cache;
extern unsigned int loser_failed;
extern bool loser_churns;

int loser_plant(void);
void loser_dig_up(void);
int loser_hold(void);
void loser_let_go(void);

/* Insert into a tree, ordered by address. */
static inline void loser_rb_add(struct thing *thing, struct rb_root *root)
{
	struct rb_node **link = &root->rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = &thing->rb < parent ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&thing->rb, parent, link);
	rb_insert_color(&thing->rb, root);
}

#endif /* _LOSER_H */
