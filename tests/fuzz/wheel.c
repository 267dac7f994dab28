/* SPDX-License-Identifier: MIT */
/* wheel.c - timers armed, disarmed, stamped and run out in any order come out of the wheel as of a
 * table that is searched. Each step is an opcode, a timer and a time: a byte for the power of two,
 * a byte for what is added to it.
 */
#include "tests/support/wheel_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 0 to 2^64 - 1: near powers of two, where levels end. */
static uint64_t time_of(const uint8_t *bytes)
{
	unsigned power = bytes[0] % 66;
	uint64_t base = power < 64 ? (uint64_t)1 << power : power == 64 ? 0 : UINT64_MAX;

	return base + (uint64_t)(int64_t)(int8_t)bytes[1];
}

static void step(struct wheel_model *m, const uint8_t *bytes)
{
	uint64_t time_ns = time_of(bytes + 2);

	switch (bytes[0] % 8) {
	case 0:
		wheel_model_arm(m, bytes[1], time_ns);
		break;
	case 1:
	case 2:
		wheel_model_arm(m, bytes[1], sennit__clock_add(m->now_ns, time_ns));
		break;
	case 3:
		wheel_model_arm_after(m, bytes[1], time_ns);
		break;
	case 4:
		wheel_model_disarm(m, bytes[1]);
		break;
	case 5:
		wheel_model_stamp(m, bytes[2] % 2 ? 0 : bytes[3]);
		break;
	case 6:
		wheel_model_advance(m, time_ns, bytes[1] % 8, bytes[1] / 8);
		break;
	default:
		wheel_model_advance(m, time_ns, UINT32_MAX, UINT32_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wheel_model m;

	wheel_model_init(&m, size > 1 ? time_of(data) / 2 : 0);
	for (size_t i = 2; i + 4 <= size; i += 4)
		step(&m, data + i);
	return 0;
}
