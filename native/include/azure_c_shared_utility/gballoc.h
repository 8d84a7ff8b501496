/* V1 could count allocations here. All memory is from C's own allocator. */

#ifndef GBALLOC_H
#define GBALLOC_H

#include <stdlib.h>

#endif
