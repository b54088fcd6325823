// SPDX-License-Identifier: GPL-2.0
/*
 * Socket buffers of adopted modules: counted, not replaced
 *
 * A module gives most of the buffers that it gets to the network, which frees
 * them, and frees buffers that came from there. So what is live is not known.
 * Counted are the buffers that the module gets, by call site, too, and its
 * calls that give one back, each of which drops a reference.
 *
 * No locks. Context: as the functions they stand for.
 */
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>

#include "adopt.h"
#include "compat.h"
#include "standin.h"

static __always_inline struct sk_buff *counted(struct adopt_handle *h, struct sk_buff *skb)
{
	if (skb)
		adopt_count_alloc(h, ADOPT_SKB, skb, 0, _RET_IP_);
	return skb;
}

static void count_free(struct adopt_handle *h, const struct sk_buff *skb)
{
	if (skb)
		adopt_count_free(h, ADOPT_SKB, skb, 0);
}

COUNTED(struct sk_buff *, __alloc_skb, unsigned int size, gfp_t gfp, int flags, int node)
{
	return counted(h, __alloc_skb(size, gfp, flags, node));
}

COUNTED(struct sk_buff *, __netdev_alloc_skb, struct net_device *dev, unsigned int len, gfp_t gfp)
{
	return counted(h, __netdev_alloc_skb(dev, len, gfp));
}

COUNTED(struct sk_buff *, COMPAT_NAPI_ALLOC_SKB, COMPAT_NAPI_ALLOC_SKB_PARAMS)
{
	return counted(h, COMPAT_NAPI_ALLOC_SKB_KERNEL);
}

COUNTED(struct sk_buff *, build_skb, void *data, unsigned int size)
{
	return counted(h, build_skb(data, size));
}

COUNTED(struct sk_buff *, napi_build_skb, void *data, unsigned int size)
{
	return counted(h, napi_build_skb(data, size));
}

COUNTED(struct sk_buff *, alloc_skb_with_frags, unsigned long header, unsigned long data,
	int order, int *err, gfp_t gfp)
{
	return counted(h, alloc_skb_with_frags(header, data, order, err, gfp));
}

COUNTED(struct sk_buff *, skb_clone, struct sk_buff *skb, gfp_t gfp)
{
	return counted(h, skb_clone(skb, gfp));
}

COUNTED(struct sk_buff *, skb_copy, const struct sk_buff *skb, gfp_t gfp)
{
	return counted(h, skb_copy(skb, gfp));
}

COUNTED(struct sk_buff *, skb_copy_expand, const struct sk_buff *skb, int head, int tail,
	gfp_t gfp)
{
	return counted(h, skb_copy_expand(skb, head, tail, gfp));
}

COUNTED(struct sk_buff *, __pskb_copy_fclone, struct sk_buff *skb, int head, gfp_t gfp,
	bool fclone)
{
	return counted(h, __pskb_copy_fclone(skb, head, gfp, fclone));
}

COUNTED(struct sk_buff *, skb_realloc_headroom, struct sk_buff *skb, unsigned int head)
{
	return counted(h, skb_realloc_headroom(skb, head));
}

COUNTED(void, consume_skb, struct sk_buff *skb)
{
	count_free(h, skb);
	consume_skb(skb);
}

COUNTED(void, __kfree_skb, struct sk_buff *skb)
{
	count_free(h, skb);
	__kfree_skb(skb);
}

COUNTED(void, COMPAT_SKB_DROP, COMPAT_SKB_DROP_PARAMS)
{
	count_free(h, skb);
	COMPAT_SKB_DROP_KERNEL;
}

COUNTED(void, COMPAT_SKB_DROP_ANY, struct sk_buff *skb, COMPAT_SKB_REASON reason)
{
	count_free(h, skb);
	COMPAT_SKB_DROP_ANY(skb, reason);
}

COUNTED(void, COMPAT_SKB_DROP_IRQ, struct sk_buff *skb, COMPAT_SKB_REASON reason)
{
	count_free(h, skb);
	COMPAT_SKB_DROP_IRQ(skb, reason);
}

COUNTED(void, napi_consume_skb, struct sk_buff *skb, int budget)
{
	count_free(h, skb);
	napi_consume_skb(skb, budget);
}

COUNTED(void, kfree_skb_list_reason, struct sk_buff *list, enum skb_drop_reason reason)
{
	const struct sk_buff *skb;

	for (skb = list; skb; skb = skb->next)
		count_free(h, skb);
	kfree_skb_list_reason(list, reason);
}
