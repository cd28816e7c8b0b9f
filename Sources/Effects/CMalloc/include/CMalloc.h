// What Swift's Glibc module lacks of malloc.h.
#pragma once

// Gives the kernel back what was freed and is kept for later. It costs milliseconds: for after a peak.
void malloc_give_back(void);
