#include "text/cut_encoding.h"

size_t encoding_room(const struct encoding *encoding, size_t limit, size_t kept[2]) {
  size_t special = 0;
  kept[0] = kept[1] = 0;
  for (size_t i = 0; i < encoding->count; i++) {
    if (encoding->sequences[i] < 0) special++;
    else kept[encoding->sequences[i]]++;
  }
  size_t room = limit > special ? limit - special : 0, all = kept[0] + kept[1], surplus = all > room ? all - room : 0;
  for (size_t i = 0; i < surplus; i++) kept[kept[1] > kept[0]]--;
  return surplus;
}

size_t encoding_cut(struct encoding *encoding, size_t limit) {
  size_t kept[2], seen[2] = {0, 0}, out = 0, cut = encoding_room(encoding, limit, kept);
  for (size_t i = 0; cut && i < encoding->count; i++) {
    int side = encoding->sequences[i];
    if (side >= 0 && seen[side]++ >= kept[side]) continue;
    encoding->ids[out] = encoding->ids[i];
    encoding->types[out] = encoding->types[i];
    encoding->starts[out] = encoding->starts[i];
    encoding->ends[out] = encoding->ends[i];
    encoding->sequences[out++] = encoding->sequences[i];
  }
  if (cut) encoding->count = out;
  return cut;
}
