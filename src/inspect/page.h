// One offline HTML file that shows a pass of one or several models over one text. The page's own code lies in page/ and is part
// of the library; nothing is loaded from anywhere.
#pragma once
#include "inspect/page_data.h"

// One subject is one view; of several (moments of a training, before and after fine-tuning) the page has a slider.
// language: "en", "es" or "pt". start: where the page opens, as its address says it behind '#'; plain words, written as they are.
// extra: JSON of further keys, each beginning with a comma, or NULL.
bool page_write(struct buffer *html, const struct page_subject *subjects, int count, const struct page_detail *detail,
                const char *extra, const char *language, const char *start, struct error *error);
// The same numbers alone, plain: {"views":[...],"arrays":[...],"data":"base64"}.
bool page_write_json(struct buffer *json, const struct page_subject *subjects, int count, const struct page_detail *detail,
                     const char *extra, struct error *error);
