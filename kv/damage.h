// Damage: one thing that is done to the files of a store behind its back, as bit rot, a broken
// disk, a careless restore or a wrong command do.

#ifndef EMDB_KV_DAMAGE_H_
#define EMDB_KV_DAMAGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "storage/disk_image.h"

namespace emdb {

struct Damage {
  struct Range {
    std::string path;
    uint64_t offset = 0;
    uint64_t size = 0;
  };

  std::string what;
  DiskImage image;             // with the damage
  std::vector<Range> touched;  // where the image may differ from what it was
};

// Bits are counted through all files, in the order of their paths. Of 4096 bytes of zeros only one
// bit counts: a log's files end in megabytes that were never used.
Damage FlipBit(const DiskImage& image, uint64_t bit);

// Bits for FlipBit, evenly spread over an image.
struct SpreadBits {
  // About `wanted` of them; 0: every bit. `seed` says where they begin.
  SpreadBits(const DiskImage& image, uint64_t wanted, uint64_t seed);

  uint64_t At(uint64_t i) const { return first + i * stride; }  // i < count

  uint64_t stride;  // odd, so that every bit of a byte has its turn
  uint64_t first;
  uint64_t count;
};

// One of these, by the seed: one to eight sectors zeroed, filled with noise, as they were in
// `older`, swapped with others, or copied over others; a file cut, made longer, emptied or deleted.
Damage RandomDamage(const DiskImage& image, const DiskImage& older, uint64_t seed);

bool Touches(const Damage& damage, const Damage::Range& range);

}  // namespace emdb

#endif  // EMDB_KV_DAMAGE_H_
