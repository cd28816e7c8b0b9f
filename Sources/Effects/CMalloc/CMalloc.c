#include "CMalloc.h"

#include <malloc.h>

void malloc_give_back(void) { malloc_trim(0); }

void malloc_stay_small(void) {
  mallopt(M_ARENA_MAX, 1);
  // Setting it also ends that it rises with what was freed.
  mallopt(M_MMAP_THRESHOLD, 128 * 1024);
}
