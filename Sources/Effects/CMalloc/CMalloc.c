#include "CMalloc.h"

#include <malloc.h>

void malloc_give_back(void) { malloc_trim(0); }
