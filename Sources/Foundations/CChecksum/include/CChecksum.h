#ifndef SWIFTWATER_CHECKSUM_H
#define SWIFTWATER_CHECKSUM_H
#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli) of `n` bytes, continued from `crc`; start with 0. Record batches carry it.
/// Uses the processor's instruction where there is one.
uint32_t swiftwater_crc32c(uint32_t crc, const void *p, size_t n);

/// The same value without any special instruction. Exported so that a test can compare the two.
uint32_t swiftwater_crc32c_portable(uint32_t crc, const void *p, size_t n);

#endif
