// A folder for the tests of one file: make_test_folder and remove_test_folder are its setup and teardown.
#pragma once
#include "hf_test.h"

static char folder[4096];

static int make_test_folder(void **state) {
  (void)state;
  make_folder(folder);
  return 0;
}

static int remove_test_folder(void **state) {
  (void)state;
  remove_folder(folder);
  return 0;
}
