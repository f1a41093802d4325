/* SPDX-License-Identifier: Apache-2.0 */
#include "BPFObjects.h"

/* Written by `make bpf`: OBJECT and BTF lines with one #embed each. */
#include "../../build/bpf/embedded.inc"

const struct embedded_file *embedded_objects(size_t *count)
{
	*count = sizeof(objects) / sizeof(objects[0]) - 1;
	return objects;
}

const struct embedded_file *embedded_btf(size_t *count)
{
	*count = sizeof(btf_files) / sizeof(btf_files[0]) - 1;
	return btf_files;
}
