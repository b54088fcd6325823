// SPDX-License-Identifier: GPL-2.0
/*
 * Objects that belong to a device, and are freed when its driver is detached
 *
 * The object is one of the heap like any other. A resource of the device
 * (devres) has its address: an entry from kmalloc(), which the driver core
 * releases, last one first. The rules are those of devm_kmalloc() and its kin.
 *
 * Context: as the caller of pcslab_alloc(); an entry needs memory of the same
 *	kind. Locks: devres_lock of the device, which the driver core takes.
 */
#include <linux/device.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "compat.h"
#include "internal.h"

/* What the entry of an object is: see devres_alloc(). */
static void object_release(struct device *dev, void *entry)
{
	pcslab_free(*(void **)entry);
}

static int object_match(struct device *dev, void *entry, void *obj)
{
	return *(void **)entry == obj;
}

static void **entry_create(struct device *dev, gfp_t gfp)
{
	return devres_alloc_node(object_release, sizeof(void *), gfp, dev_to_node(dev));
}

/* Give @obj to the device, unless it is NULL. */
static void *entry_fill(struct device *dev, void **entry, void *obj)
{
	if (!obj) {
		devres_free(entry);
		return NULL;
	}
	*entry = obj;
	devres_add(dev, entry);
	return obj;
}

static void *alloc_managed(struct pcslab_heap *heap, struct device *dev, size_t size, gfp_t gfp,
			   unsigned long caller)
{
	void **entry;

	if (!size)
		return ZERO_SIZE_PTR;
	entry = entry_create(dev, gfp);
	if (!entry)
		return NULL;
	return entry_fill(dev, entry, pcslab_alloc_for(heap, size, gfp, dev_to_node(dev), caller));
}

static void *copy_managed(struct pcslab_heap *heap, struct device *dev, const void *src,
			  size_t len, gfp_t gfp, unsigned long caller)
{
	void *copy = alloc_managed(heap, dev, len, gfp, caller);

	if (copy)
		memcpy(copy, src, len);
	return copy;
}

/**
 * devm_pcslab_alloc() - allocate an object that is freed with a device's driver
 * @heap: the heap to take it from; if it is destroyed before the driver is
 *	detached, it is a zombie until then
 * @dev: the device
 * @size: bytes wanted
 * @gfp: as for pcslab_alloc()
 *
 * Context: as kmalloc() with the same @gfp.
 * Return: the object, on the node of the device if possible; ZERO_SIZE_PTR for
 *	a @size of 0; or NULL. A NULL is counted in the heap's fails, unless
 *	kmalloc() had no memory for the device's entry.
 */
void *devm_pcslab_alloc(struct pcslab_heap *heap, struct device *dev, size_t size, gfp_t gfp)
{
	return alloc_managed(heap, dev, size, gfp, _RET_IP_);
}
EXPORT_SYMBOL_NS_GPL(devm_pcslab_alloc, "PCSLAB");

/**
 * devm_pcslab_realloc() - change the size of an object of a device
 * @heap: the heap the result must belong to
 * @dev: the device
 * @obj: an object that a function of this family returned for @dev, NULL or
 *	ZERO_SIZE_PTR
 * @size: bytes wanted
 * @gfp: as for pcslab_alloc()
 *
 * The rules are those of pcslab_realloc(). The order in which the driver core
 * releases the device's resources stays. Any other @obj is refused with a
 * WARN().
 *
 * Context: as kmalloc() with the same @gfp.
 * Return: the object, ZERO_SIZE_PTR for a @size of 0, or NULL; then @obj is
 *	unchanged.
 */
void *devm_pcslab_realloc(struct pcslab_heap *heap, struct device *dev, void *obj, size_t size,
			  gfp_t gfp)
{
	void **entry, *new;

	if (!size) {
		devm_pcslab_free(dev, obj);
		return ZERO_SIZE_PTR;
	}
	if (ZERO_OR_NULL_PTR(obj))
		return alloc_managed(heap, dev, size, gfp, _RET_IP_);
	entry = devres_find(dev, object_release, object_match, obj);
	if (WARN_ON(!entry))
		return NULL;
	new = pcslab_realloc_for(heap, obj, size, gfp, dev_to_node(dev), _RET_IP_,
				 pcslab_alloc_for);
	if (new)
		*entry = new;
	return new;
}
EXPORT_SYMBOL_NS_GPL(devm_pcslab_realloc, "PCSLAB");

/**
 * devm_pcslab_free() - free an object of a device now
 * @dev: the device
 * @obj: an object that a function of this family returned for @dev, NULL or
 *	ZERO_SIZE_PTR
 *
 * Any other @obj is refused with a WARN().
 *
 * Context: as pcslab_free(), but not NMI.
 */
void devm_pcslab_free(struct device *dev, const void *obj)
{
	if (ZERO_OR_NULL_PTR(obj))
		return;
	WARN_ON(devres_release(dev, object_release, object_match, (void *)obj));
}
EXPORT_SYMBOL_NS_GPL(devm_pcslab_free, "PCSLAB");

/**
 * devm_pcslab_memdup() - pcslab_memdup() for a device
 * @heap: as for devm_pcslab_alloc()
 * @dev: the device
 * @src: the memory
 * @len: bytes to copy
 * @gfp: as for pcslab_alloc()
 *
 * Context: as devm_pcslab_alloc().
 * Return: as devm_pcslab_alloc().
 */
void *devm_pcslab_memdup(struct pcslab_heap *heap, struct device *dev, const void *src,
			 size_t len, gfp_t gfp)
{
	return copy_managed(heap, dev, src, len, gfp, _RET_IP_);
}
EXPORT_SYMBOL_NS_GPL(devm_pcslab_memdup, "PCSLAB");

/**
 * devm_pcslab_strdup() - pcslab_strdup() for a device
 * @heap: as for devm_pcslab_alloc()
 * @dev: the device
 * @s: the string, or NULL
 * @gfp: as for pcslab_alloc()
 *
 * Context: as devm_pcslab_alloc().
 * Return: as devm_pcslab_alloc(); NULL for a @s of NULL.
 */
char *devm_pcslab_strdup(struct pcslab_heap *heap, struct device *dev, const char *s, gfp_t gfp)
{
	return s ? copy_managed(heap, dev, s, strlen(s) + 1, gfp, _RET_IP_) : NULL;
}
EXPORT_SYMBOL_NS_GPL(devm_pcslab_strdup, "PCSLAB");

/**
 * devm_pcslab_asprintf() - pcslab_asprintf() for a device
 * @heap: as for devm_pcslab_alloc()
 * @dev: the device
 * @gfp: as for pcslab_alloc()
 * @fmt: as for printk()
 * @...: arguments of the format; they must not change during the call
 *
 * Context: as devm_pcslab_alloc().
 * Return: as devm_pcslab_alloc().
 */
char *devm_pcslab_asprintf(struct pcslab_heap *heap, struct device *dev, gfp_t gfp,
			   const char *fmt, ...)
{
	void **entry = entry_create(dev, gfp);
	va_list args;
	char *s;

	if (!entry)
		return NULL;
	va_start(args, fmt);
	s = __pcslab_vasprintf(heap, gfp, fmt, args, dev_to_node(dev), _RET_IP_);
	va_end(args);
	return entry_fill(dev, entry, s);
}
EXPORT_SYMBOL_NS_GPL(devm_pcslab_asprintf, "PCSLAB");
