// SPDX-License-Identifier: GPL-2.0
/*
 * Devices that the machine has put on the kernel's command line, for kernels built without
 * CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES: each SIZE@BASE:IRQ of the parameter `device` (several are parted by commas)
 * becomes a platform device that the driver virtio_mmio then finds. It cannot be unloaded.
 */
#include <linux/ioport.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/platform_device.h>

static char *device;
module_param(device, charp, 0);
MODULE_PARM_DESC(device, "SIZE@BASE:IRQ[,SIZE@BASE:IRQ...]");

static int __init virtio_mmio_cmdline_init(void)
{
	char *at = device;
	int id;

	for (id = 0; at && *at; id++) {
		struct platform_device *added;
		struct resource resources[2];
		u64 size, base, irq;

		size = memparse(at, &at);
		if (!size || *at++ != '@')
			return -EINVAL;
		base = memparse(at, &at);
		if (*at++ != ':')
			return -EINVAL;
		irq = memparse(at, &at);
		if (*at && *at++ != ',')
			return -EINVAL;

		resources[0] = (struct resource)DEFINE_RES_MEM(base, size);
		resources[1] = (struct resource)DEFINE_RES_IRQ(irq);
		added = platform_device_register_simple("virtio-mmio", id, resources, ARRAY_SIZE(resources));
		if (IS_ERR(added))
			return PTR_ERR(added);
	}
	return 0;
}
module_init(virtio_mmio_cmdline_init);

MODULE_DESCRIPTION("virtio-mmio devices named by the kernel's command line");
MODULE_LICENSE("GPL");
