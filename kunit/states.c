// SPDX-License-Identifier: GPL-2.0
/* Takes all states of CPU hotplug of one kind, so that pcslab gets none. */
#include <linux/cpuhotplug.h>
#include <linux/module.h>

static bool online;
module_param(online, bool, 0);
MODULE_PARM_DESC(online, "those of CPUs that are online, not those of CPUs that come");

static int states[64];
static unsigned int nr_states;

static int nothing(unsigned int cpu)
{
	return 0;
}

static int __init states_init(void)
{
	int state;

	while (nr_states < ARRAY_SIZE(states)) {
		state = cpuhp_setup_state_nocalls(online ? CPUHP_AP_ONLINE_DYN :
						  CPUHP_BP_PREPARE_DYN, "kunit:taken",
						  nothing, nothing);
		if (state < 0)
			break;
		states[nr_states++] = state;
	}
	return 0;
}

static void __exit states_exit(void)
{
	while (nr_states)
		cpuhp_remove_state_nocalls(states[--nr_states]);
}

module_init(states_init);
module_exit(states_exit);

MODULE_DESCRIPTION("Takes all states of CPU hotplug, for tests of pcslab");
MODULE_LICENSE("GPL");
