#include "hf/layout.h"

#include <string.h>

#include "hf/config.h"

// The last one can say everything.
static const struct layout *const layouts[] = {
  &layout_marian,
  &layout_pegasus,
  &layout_openai_gpt,
  &layout_gpt2,
  &layout_llama,
  &layout_bert,
  &layout_roberta,
  &layout_xlm_roberta,
  &layout_distilbert,
  &layout_electra,
  &layout_albert,
  &layout_mpnet,
  &layout_qkv,
};

enum { LAYOUTS = sizeof layouts / sizeof *layouts };

const struct layout *layout_find(const char *model_type) {
  for (int i = 0; i < LAYOUTS; i++) {
    if (strcmp(layouts[i]->model_type, model_type) == 0) return layouts[i];
  }
  return NULL;
}

const struct layout *layout_for(const struct arch *arch) {
  for (int i = 0; i < LAYOUTS - 1; i++) {
    struct error refusal = {0};
    if (config_can_say(layouts[i], arch, &refusal)) return layouts[i];
  }
  return layouts[LAYOUTS - 1];
}

void layout_list(struct buffer *out) {
  for (int i = 0; i < LAYOUTS; i++) buffer_format(out, "%s%s", i ? ", " : "", layouts[i]->model_type);
}
