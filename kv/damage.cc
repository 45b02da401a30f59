#include "kv/damage.h"

#include <algorithm>
#include <iterator>
#include <random>
#include <string_view>
#include <utility>

#include "storage/check.h"

namespace emdb {
namespace {

constexpr uint64_t kSector = 512;

class Vandal {
 public:
  Vandal(const DiskImage& image, const DiskImage& older, uint64_t seed)
      : older_(older), random_(seed) {
    damage_.image = image;
  }

  Damage Run() {
    switch (Below(9)) {
      case 0:
        Overwrite("zeroed", [](const Damage::Range& r) { return std::string(r.size, '\0'); });
        break;
      case 1:
        Overwrite("noise", [this](const Damage::Range& range) { return Noise(range.size); });
        break;
      case 2:
        Overwrite("stale", [this](const Damage::Range& range) { return Stale(range); });
        break;
      case 3:
        Swap();
        break;
      case 4:
        Duplicate();
        break;
      case 5:
        Cut();
        break;
      case 6:
        Extend();
        break;
      case 7:
        Resize(RandomPath(), 0, "emptied");
        break;
      default:
        Delete();
        break;
    }
    return std::move(damage_);
  }

 private:
  uint64_t Below(uint64_t n) { return random_() % n; }

  std::string RandomPath() {
    auto file = damage_.image.files.begin();
    std::advance(file, static_cast<ptrdiff_t>(Below(damage_.image.files.size())));
    return file->first;
  }

  // Most files end in zeros that were never used: half of the ranges start before these.
  Damage::Range RandomSectors() {
    const std::string path = RandomPath();
    const std::string bytes = damage_.image.files[path].ToString();
    uint64_t used = bytes.size();
    if (Below(2) == 0) used = std::min(bytes.find_last_not_of('\0') + 1, bytes.size());
    const uint64_t sectors = std::max<uint64_t>(1, used / kSector);
    const uint64_t offset = Below(sectors) * kSector;
    const uint64_t wanted = kSector << Below(4);
    const uint64_t left = bytes.size() - std::min<uint64_t>(offset, bytes.size());
    return {path, offset, std::min(wanted, left)};
  }

  std::string Read(const Damage::Range& range) {
    return damage_.image.files[range.path].Read(range.offset, range.size);
  }

  void Write(const Damage::Range& range, std::string_view bytes) {
    damage_.image.files[range.path].Write(range.offset, bytes);
    damage_.touched.push_back({range.path, range.offset, bytes.size()});
  }

  void Describe(std::string_view what, const Damage::Range& range) {
    damage_.what += std::string(what) + " " + range.path + " at " + std::to_string(range.offset) +
                    ", " + std::to_string(range.size) + " bytes; ";
  }

  template <typename MakeBytes>
  void Overwrite(std::string_view what, MakeBytes make_bytes) {
    const Damage::Range range = RandomSectors();
    Describe(what, range);
    Write(range, make_bytes(range));
  }

  std::string Noise(uint64_t size) {
    std::string noise(size, '\0');
    for (char& c : noise) c = static_cast<char>(Below(256));
    return noise;
  }

  // Zeros where the older file ended, or was not there.
  std::string Stale(const Damage::Range& range) {
    const auto file = older_.files.find(range.path);
    std::string bytes;
    if (file != older_.files.end()) bytes = file->second.Read(range.offset, range.size);
    bytes.resize(range.size, '\0');
    return bytes;
  }

  void Swap() {
    Damage::Range a = RandomSectors();
    Damage::Range b = RandomSectors();
    a.size = b.size = std::min(a.size, b.size);
    Describe("swapped", a);
    Describe("with", b);
    const std::string first = Read(a);
    Write(a, Read(b));
    Write(b, first);
  }

  void Duplicate() {
    Damage::Range from = RandomSectors();
    Damage::Range to = RandomSectors();
    from.size = to.size = std::min(from.size, to.size);
    Describe("copied", from);
    Describe("over", to);
    Write(to, Read(from));
  }

  void Resize(const std::string& path, uint64_t size, std::string_view what) {
    SparseBytes& file = damage_.image.files[path];
    const uint64_t low = std::min(size, file.size());
    damage_.touched.push_back({path, low, std::max(size, file.size()) - low});
    Describe(what, {path, size, file.size()});
    file.Resize(size);
  }

  void Cut() {
    const Damage::Range range = RandomSectors();
    // At a sector's edge, or anywhere.
    Resize(range.path, range.offset + (Below(2) == 0 ? 0 : Below(range.size + 1)), "cut");
  }

  void Extend() {
    const std::string path = RandomPath();
    const uint64_t old_size = damage_.image.files[path].size();
    Resize(path, old_size + 1 + Below(20'000), "extended");
    if (Below(2) == 0) Write({path, old_size, 0}, Noise(100));
  }

  void Delete() {
    const std::string path = RandomPath();
    Resize(path, 0, "deleted");
    damage_.image.files.erase(path);
  }

  const DiskImage& older_;
  std::mt19937_64 random_;
  Damage damage_;
};

constexpr uint64_t kPieceBytes = 4096;

struct Piece {
  const std::string* path;
  uint64_t offset;
  uint64_t bits;  // that count
};

std::vector<Piece> Pieces(const DiskImage& image) {
  std::vector<Piece> pieces;
  for (const auto& [path, bytes] : image.files) {
    const size_t first = pieces.size();
    for (uint64_t offset = 0; offset < bytes.size(); offset += kPieceBytes) {
      pieces.push_back({&path, offset, 1});
    }
    bytes.ForEachPiece([&](uint64_t offset, std::string_view data) {
      if (data.find_first_not_of('\0') == std::string_view::npos) return;
      pieces[first + offset / kPieceBytes].bits = data.size() * 8;
    });
  }
  return pieces;
}

uint64_t CountBits(const DiskImage& image) {
  uint64_t bits = 0;
  for (const Piece& piece : Pieces(image)) bits += piece.bits;
  return bits;
}

}  // namespace

SpreadBits::SpreadBits(const DiskImage& image, uint64_t wanted, uint64_t seed) {
  const uint64_t all = CountBits(image);
  stride = wanted == 0 ? 1 : all / wanted | 1;
  first = seed % stride;
  count = (all - first + stride - 1) / stride;
}

Damage FlipBit(const DiskImage& image, uint64_t bit) {
  for (const Piece& piece : Pieces(image)) {
    if (bit >= piece.bits) {
      bit -= piece.bits;
      continue;
    }
    const uint64_t offset = piece.offset + bit / 8;
    Damage damage{.what = "", .image = image, .touched = {{*piece.path, offset, 1}}};
    SparseBytes& bytes = damage.image.files[*piece.path];
    char byte = 0;
    bytes.Read(offset, 1, &byte);
    byte = static_cast<char>(byte ^ (1 << (bit % 8)));
    bytes.Write(offset, std::string_view(&byte, 1));
    damage.what = "flipped bit " + std::to_string(bit % 8) + " of byte " + std::to_string(offset) +
                  " of " + *piece.path;
    return damage;
  }
  EMDB_CHECK(false);  // the image has fewer bits
}

Damage RandomDamage(const DiskImage& image, const DiskImage& older, uint64_t seed) {
  return Vandal(image, older, seed).Run();
}

bool Touches(const Damage& damage, const Damage::Range& range) {
  return std::any_of(damage.touched.begin(), damage.touched.end(), [&](const auto& touched) {
    return touched.path == range.path && touched.offset < range.offset + range.size &&
           range.offset < touched.offset + touched.size;
  });
}

}  // namespace emdb
