/* SPDX-License-Identifier: GPL-2.0 */
/* bystander.c: what another module does to objects of the attached one */
#ifndef _BYSTANDER_H
#define _BYSTANDER_H

void bystander_free(void *obj);
void *bystander_kvmalloc(void);
void bystander_gets(const void *obj);

#endif /* _BYSTANDER_H */
