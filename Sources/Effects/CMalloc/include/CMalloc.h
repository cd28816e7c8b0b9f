// What Swift's Glibc module lacks of malloc.h.
#pragma once

// Gives the kernel back what was freed and is kept for later. It costs milliseconds: for after a peak.
void malloc_give_back(void);

// For a process that would rather be small than have its threads allocate at the same time: they share what was freed,
// and what is large goes back at once. Before the first thread is started.
void malloc_stay_small(void);
