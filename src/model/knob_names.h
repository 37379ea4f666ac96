// What the values of enumerated knobs are called: in config.json of "qkv", in options, in messages and reports.
//
// A table ends with a NULL name. Several names may mean one value: the first is the one that is written.
#pragma once

struct knob_name {
  const char *name;
  int value;
};

extern const struct knob_name family_names[], norm_names[], norm_place_names[], position_names[], rotary_scaling_names[],
  score_names[], activation_names[], head_names[], feature_names[], pooling_names[];

// NULL: the table has no name for it.
const char *knob_find_name(const struct knob_name *names, int value);
// -1: the table has no such name.
int knob_find_value(const struct knob_name *names, const char *name);
