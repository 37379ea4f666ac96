// Time for rates, limits and progress lines: seconds since an arbitrary start, never going backwards.
#pragma once

double clock_seconds(void);
// "3 s", "2 min 5 s", "1 h 4 min"; at most 31 characters.
char *clock_text(char out[32], double seconds);
